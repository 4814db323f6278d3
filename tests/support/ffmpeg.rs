//! ffmpeg as publisher, player and judge.

use super::DEADLINE;
use super::clips::{Clip, tempfile};
use super::packets::Packets;
use super::process::{Process, is_installed};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether ffmpeg is there. If not, says so, or fails if `HEADWATER_REQUIRE_FFMPEG` is set.
pub fn is_available() -> bool {
    is_installed("ffmpeg", "-version", "HEADWATER_REQUIRE_FFMPEG")
}

pub fn command() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-loglevel", "warning", "-y"]);
    command
}

/// Runs a command that takes a moment.
pub fn run(command: &mut Command) {
    Process::spawn("ffmpeg", command).succeed(DEADLINE);
}

/// Publishes a clip, as fast as it plays.
pub fn publish(clip: Clip, url: &str) -> Process {
    publish_with(&[], clip, url)
}

/// The same, and begins anew at its end, for ever.
pub fn publish_again_and_again(clip: Clip, url: &str) -> Process {
    publish_with(&["-stream_loop", "-1"], clip, url)
}

fn publish_with(flags: &[&str], clip: Clip, url: &str) -> Process {
    let mut command = command();
    command
        .args(flags)
        .arg("-re")
        .arg("-i")
        .arg(clip.path())
        .args(["-c", "copy", "-f", "flv", url]);
    Process::spawn(&format!("the publisher of {url}"), &mut command)
}

/// A player that notes what it gets.
pub struct Recorder {
    process: Process,
    notes: PathBuf,
    url: String,
}

/// Starts to play `url`, and returns once the player has asked for it.
pub fn record(url: &str) -> Recorder {
    let notes = tempfile(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let process = Process::spawn(
        &format!("the player of {url}"),
        recorder(url).args(["-loglevel", "debug"]).arg(&notes),
    );
    process.wait_for_line(
        if url.starts_with("rtmp") {
            "Sending play command"
        } else {
            "request: GET"
        },
        DEADLINE,
    );
    Recorder {
        process,
        notes,
        url: url.to_owned(),
    }
}

/// What ffprobe sees in a file or a live stream: codecs, sizes and rates, a line for each track.
pub fn probe(url: &str) -> Vec<String> {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-rw_timeout",
            "60000000",
            "-of",
            "csv=p=0",
            "-show_entries",
        ])
        .arg("stream=codec_name,profile,width,height,pix_fmt,sample_rate,channels")
        .args(["-i", url])
        .stdin(Stdio::null())
        .output()
        .expect("ffprobe comes with ffmpeg");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ffprobe {url}: {error}");
    let mut tracks: Vec<_> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect();
    tracks.sort();
    tracks
}

/// The packets of a file.
pub fn packets(path: &str) -> Packets {
    let notes = tempfile(Path::new(env!("CARGO_TARGET_TMPDIR")));
    run(recorder(path).arg(&notes));
    take(&notes)
}

fn recorder(input: &str) -> Command {
    let mut command = command();
    command.args([
        "-i", input, "-map", "0:v?", "-map", "0:a?", "-c", "copy", "-copyts", "-f", "framemd5",
    ]);
    command
}

fn take(notes: &Path) -> Packets {
    let text = fs::read_to_string(notes).unwrap();
    fs::remove_file(notes).unwrap();
    Packets::parse(&text)
}

impl Recorder {
    /// What it got, once the stream has ended. It must have ended well.
    pub fn finish(self) -> Packets {
        self.process.succeed(DEADLINE);
        take(&self.notes)
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}
