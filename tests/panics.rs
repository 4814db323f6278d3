//! A panic in a worker of each binary: the process ends with 101, and with a line that says where.
//!
//! There is nothing in a binary that panics. So this is one of its own, once as the test and once, for each runtime, as a server
//! whose observer panics at the first connection.
#![cfg_attr(
    not(any(feature = "mio", feature = "smol", feature = "tokio")),
    allow(unused, reason = "there is no runtime to test")
)]

use headwater_driver::{Config, Listen, Observer, Running, Server, cli};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, ExitCode};
use std::{env, thread};

/// A runtime, and how it starts a server.
type Runtime = (&'static str, fn(Server) -> Running);

const RUNTIMES: &[Runtime] = &[
    #[cfg(feature = "mio")]
    ("headwater-mio", headwater_mio::start),
    #[cfg(feature = "smol")]
    ("headwater-smol", headwater_smol::start),
    #[cfg(feature = "tokio")]
    ("headwater-tokio", headwater_tokio::start),
];

/// Which runtime is to panic.
const VARIABLE: &str = "HEADWATER_TEST_PANIC";

fn main() -> ExitCode {
    if let Ok(name) = env::var(VARIABLE) {
        let (name, start) = RUNTIMES.iter().find(|(known, _)| *known == name).unwrap();
        return cli::main(name, |_| panic_at_a_connection(*start));
    }
    for (name, _) in RUNTIMES {
        a_panic_in_a_worker_is_one_line_and_exit_code_101(name);
    }
    ExitCode::SUCCESS
}

/// A server with two workers, to which somebody connects. Its command line listens on an address of its own, for nobody.
fn panic_at_a_connection(start: fn(Server) -> Running) -> Running {
    let mut config = Config::default();
    config.listen = vec![Listen::http((Ipv4Addr::LOCALHOST, 0))];
    config.workers = std::num::NonZeroU16::new(2);
    config.observe = Some(Observer::new(|event| panic!("as this test wants it: {event:?}")));
    let server = Server::bind(config).unwrap();
    let address = server.addresses().http().unwrap();
    thread::spawn(move || TcpStream::connect(address).unwrap());
    start(server)
}

fn a_panic_in_a_worker_is_one_line_and_exit_code_101(runtime: &str) {
    let output = Command::new(env::current_exe().unwrap())
        .env(VARIABLE, runtime)
        .env_remove("RUST_LOG")
        .args([
            "--address",
            "127.0.0.1:0",
            "--http-address",
            "none",
            "--admin-address",
            "none",
            "--log-level",
            "error",
        ])
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(101), "{runtime}: {log}");
    assert_eq!(log.lines().count(), 1, "{runtime}: {log}");
    for part in [
        "ERROR",
        "panicked: as this test wants it",
        "tests/panics.rs:",
        "thread=",
    ] {
        assert!(log.contains(part), "{runtime}: {part} is not in {log}");
    }
    println!("{runtime} ends with 101 and a line when a worker panics");
}
