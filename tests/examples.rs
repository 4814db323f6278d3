//! The programs that have a server inside, run as their readers would.

#![cfg(all(feature = "tokio", feature = "mio"))]
#![allow(missing_docs, reason = "a test")]

use bytes::Buf;
use headwater_core::flv::{FlvItem, FlvReader, FlvWriter, TagFlags};
use headwater_core::{Frame, Limits, Output, Timestamp};
use headwater_driver::{Config, Listen, Server};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, process, thread};

#[allow(dead_code, reason = "its main function")]
#[path = "../server-mio/examples/embed_mio.rs"]
mod on_mio;
#[allow(dead_code, reason = "its main function")]
#[path = "../runtime-tokio/examples/embed_tokio.rs"]
mod on_tokio;

/// Only a failing test waits so long.
const DEADLINE: Duration = Duration::from_secs(20);

/// A second of sound, and a picture at its beginning.
fn frames() -> Vec<Frame> {
    let headers = [
        Frame::video(Timestamp::ZERO, vec![0x17, 0, 0, 0, 0, 1].into()),
        Frame::audio(Timestamp::ZERO, vec![0xAF, 0, 0x12, 0x10].into()),
        Frame::video(Timestamp::ZERO, vec![0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65].into()),
    ];
    let sound = (0..50).map(|index| {
        Frame::audio(
            Timestamp::from_millis(u32::from(index) * 20),
            vec![0xAF, 1, index].into(),
        )
    });
    headers.into_iter().chain(sound).collect()
}

fn write(path: &Path, frames: &[Frame]) {
    let (audio, video) = (true, true);
    let mut output = Output::new();
    FlvWriter::header(TagFlags { audio, video }, &mut output);
    frames.iter().for_each(|frame| FlvWriter::frame(frame, &mut output));
    fs::write(path, output.copy_to_bytes(output.remaining())).unwrap();
}

fn read(path: &Path) -> Vec<Frame> {
    let bytes = fs::read(path).unwrap();
    let (mut input, mut reader) = (&bytes[..], FlvReader::new(&Limits::default()));
    let items = std::iter::from_fn(|| reader.handle_input(&mut input).unwrap());
    let frames = items.filter_map(|item| match item {
        FlvItem::Frame(frame) => Some(frame),
        _ => None,
    });
    frames.collect()
}

/// What is answered to a player.
fn ask(server: SocketAddr, path: &str) -> String {
    let mut socket = TcpStream::connect(server).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(socket, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// How long the stream lasts: five times the file, for slow machines.
const KICK_AFTER: Duration = Duration::from_secs(5);

fn try_out(
    name: &str,
    configure: fn(Config) -> Config,
    run: impl FnOnce(Server, PathBuf, PathBuf) -> io::Result<()> + Send + 'static,
) {
    let directory = env::temp_dir().join(format!("headwater-{name}-{}", process::id()));
    fs::create_dir_all(&directory).unwrap();
    let [input, output] = ["in.flv", "out.flv"].map(|file| directory.join(file));
    write(&input, &frames());
    let mut config = Config::default();
    config.listen = vec![Listen::http((Ipv4Addr::LOCALHOST, 0))];
    let server = Server::bind(configure(config)).unwrap();
    let address = server.addresses().http().unwrap();

    let recorded = output.clone();
    let program = thread::spawn(move || run(server, input, output));
    let refused = ask(address, "/live/file?key=wrong");
    assert!(
        refused.starts_with("HTTP/1.1 403") && refused.contains("the key is wrong"),
        "{refused}"
    );
    let played = ask(address, "/live/file?wait=10&key=secret");
    assert!(played.starts_with("HTTP/1.1 200") && played.contains("FLV"), "{played}");
    program.join().unwrap().unwrap();

    let payloads = |frames: Vec<Frame>| frames.into_iter().map(|frame| frame.payload).collect::<Vec<_>>();
    let (mut sent, mut seen) = (payloads(frames()), payloads(read(&recorded)));
    // Players get the headers of sound first.
    sent[..2].sort();
    seen[..2].sort();
    assert_eq!(seen, sent);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_program_on_tokio_publishes_and_records() {
    try_out("tokio", on_tokio::configure, |server, input, output| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        runtime.block_on(on_tokio::run(server, input, output, KICK_AFTER))
    });
}

#[test]
fn a_program_on_mio_publishes_and_records() {
    try_out("mio", on_mio::configure, |server, input, output| {
        on_mio::run(server, input, output, KICK_AFTER)
    });
}
