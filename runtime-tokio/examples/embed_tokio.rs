//! A server inside a program, which decides who may do what, hears what goes on, publishes a file and records a stream.
//!
//! `cargo run -p headwater-tokio --example embed_tokio -- in.flv out.flv`, then push to `rtmp://localhost/live/x?key=secret`.

#![allow(clippy::expect_used, reason = "an example may panic")]

use headwater_core::flv::{FlvItem, FlvReader, FlvWriter, TagFlags};
use headwater_core::server::{Kick, LocalEvent};
use headwater_core::{Limits, Output, StreamKey};
use headwater_driver::{Authorizer, Config, LocalEvents, Observer, Publisher, Server};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let files = env::args_os().skip(1).map(PathBuf::from).collect::<Vec<_>>();
    let [input, output] = files.try_into().expect("two files: one to publish, one to record");
    let server = Server::bind(configure(Config::default()))?;
    run(server, input, output, Duration::from_secs(5)).await
}

/// Adds who decides and who listens.
pub(crate) fn configure(mut config: Config) -> Config {
    config.authorize = Some(Authorizer::new(|request, responder| {
        // What knows takes a while, elsewhere than in the worker that asks. The peer waits.
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            match request.query.contains("key=secret") {
                true => responder.allow(),
                false => responder.deny("the key is wrong"),
            }
        });
    }));
    config.observe = Some(Observer::new(|event| println!("{event:?}")));
    config
}

/// Serves, publishes `input` and records it, until the stream is kicked.
pub(crate) async fn run(server: Server, input: PathBuf, output: PathBuf, kick_after: Duration) -> io::Result<()> {
    let (handle, key) = (server.handle(), StreamKey::new("live/file").map_err(io::Error::other)?);
    let running = headwater_tokio::start(server);
    let recording = handle.play(key.clone());
    let recorder = thread::spawn(move || record(recording, &output));
    let publisher = handle.publish(key.clone());
    thread::spawn(move || publish(&publisher, &input));
    tokio::time::sleep(kick_after).await;
    let kicked = handle.kick(Kick::stream(key).with_ban(Duration::from_secs(60))).await;
    println!("kicked {} connections", kicked.value);
    recorder.join().expect("no panic")?;
    handle.stop();
    running.await
}

/// Publishes a file at the speed of its timestamps.
fn publish(publisher: &Publisher, path: &Path) -> io::Result<()> {
    let (bytes, started) = (fs::read(path)?, Instant::now());
    let (mut input, mut reader) = (&bytes[..], FlvReader::new(&Limits::default()));
    while let Some(item) = reader.handle_input(&mut input).map_err(io::Error::other)? {
        if let FlvItem::Frame(frame) = item {
            let due = Duration::from_millis(frame.timestamp.as_millis().into());
            thread::sleep(due.saturating_sub(started.elapsed()));
            publisher.send(frame).map_err(io::Error::other)?;
        }
    }
    Ok(())
}

/// Writes what is played into a file, until it ends.
fn record(events: LocalEvents, path: &Path) -> io::Result<()> {
    let (mut file, mut output) = (io::BufWriter::new(fs::File::create(path)?), Output::new());
    for event in events {
        match event {
            LocalEvent::Tracks(tracks) => FlvWriter::header(TagFlags::from(tracks), &mut output),
            LocalEvent::Frame(frame) => FlvWriter::frame(&frame, &mut output),
            other => println!("recorder: {other:?}"),
        }
        output.write_to(&mut file)?;
    }
    Ok(())
}
