//! What a conversation needs of a server, wherever that runs.

use headwater_core::server::Protocol;
use std::net::Ipv4Addr;

/// A server that can be spoken to, over connections that are numbered from 0.
pub trait Target {
    /// Opens the next connection, from the local address `from`.
    fn connect(&mut self, protocol: Protocol, from: Ipv4Addr);

    /// Sends `bytes`. The server may have closed the connection; then they are lost.
    fn send(&mut self, connection: usize, bytes: &[u8]);

    /// Closes the sending side.
    fn finish(&mut self, connection: usize);

    /// Ends the connection as a machine does that has crashed and come back.
    fn reset(&mut self, connection: usize);

    /// What has come since. If nothing has and `is_awaited`, gives it time to come.
    fn receive(&mut self, connection: usize, is_awaited: bool) -> Received;

    /// Lets time pass, up to so many milliseconds from the start.
    fn pass_until(&mut self, millis: u64);

    /// Asks the server to stop, as SIGTERM does.
    fn shut_down(&mut self);
}

/// What a connection has to read.
pub enum Received {
    Bytes(Vec<u8>),
    Nothing,
    /// The server has closed its sending side.
    Eof,
    Reset,
}
