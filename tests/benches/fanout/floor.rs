//! The floor: a bare loop that writes the same frames to as many sockets, and does nothing else.
//!
//! No protocol, no input, no timers, no readiness: one `send` per frame and player, of bytes that are ready. What a
//! socket does not take is kept and offered again a millisecond later.

use crate::media::{self, Pattern};
use bytes::{Buf, Bytes};
use headwater_core::Output;
use headwater_core::flv::{FlvWriter, TagFlags};
use std::io::{ErrorKind, Result, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Between two looks at who has connected, and at sockets that were full.
const INTERVAL: Duration = Duration::from_millis(1);
/// Bytes that may wait for one player before it misses frames.
const MAX_WAITING: usize = 8 << 20;

struct Player {
    socket: TcpStream,
    /// What the socket has not taken.
    waiting: Output,
}

/// Serves until it is killed.
pub(crate) fn run() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?);

    let pattern = Pattern::new();
    let mut players: Vec<Player> = Vec::new();
    let began = media::now();
    let mut sequence = 0;
    loop {
        while let Ok((socket, _)) = listener.accept() {
            players.push(Player::new(socket)?);
        }
        players.retain_mut(|player| player.send_waiting().is_ok());
        let due = began + pattern.due(sequence);
        if let Some(pause) = due.checked_sub(media::now()).filter(|pause| !pause.is_zero()) {
            thread::sleep(pause.min(INTERVAL));
            continue;
        }
        let mut tag = Output::new();
        FlvWriter::frame(&pattern.frame(sequence, media::now()), &mut tag);
        let len = tag.remaining();
        let tag = tag.copy_to_bytes(len);
        players.retain_mut(|player| player.send(&tag).is_ok());
        sequence += 1;
    }
}

impl Player {
    fn new(socket: TcpStream) -> Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let mut waiting = Output::new();
        let flags = TagFlags {
            audio: true,
            video: true,
        };
        FlvWriter::header(flags, &mut waiting);
        Ok(Player { socket, waiting })
    }

    fn send(&mut self, tag: &Bytes) -> Result<()> {
        let sent = if self.waiting.is_empty() { self.write(tag)? } else { 0 };
        if sent < tag.len() && self.waiting.len() < MAX_WAITING {
            self.waiting.write_shared(&tag.slice(sent..));
        }
        Ok(())
    }

    fn send_waiting(&mut self) -> Result<()> {
        while !self.waiting.is_empty() {
            let sent = self.write(self.waiting.chunk())?;
            if sent == 0 {
                break;
            }
            self.waiting.advance(sent);
        }
        Ok(())
    }

    fn write(&self, bytes: &[u8]) -> Result<usize> {
        match (&self.socket).write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }
}
