//! What is published: short clips, made by ffmpeg once and kept in the build folder.

use super::ffmpeg;
use super::packets::Packets;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::process::Command;

/// Pictures per second, and pictures from one keyframe to the next: a second.
pub const FRAME_RATE: usize = 25;

/// A recipe for an FLV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Clip {
    pub name: &'static str,
    seconds: u8,
    video: Option<(&'static str, &'static [&'static str])>,
    audio: Option<&'static str>,
}

const SMALL: &str = "testsrc2=size=320x180:rate=25";
/// Noise does not compress, unless it stands still.
const STILL: &str = "color=gray:size=1280x720:rate=25,noise=alls=60:allf=u";
const LARGE: &str = "testsrc2=size=1280x720:rate=25,noise=alls=60:allf=u";

/// H.264 with B frames, and AAC: what most encoders send.
pub const TYPICAL: Clip = Clip {
    name: "typical",
    seconds: 4,
    video: Some((SMALL, &["-preset", "veryfast", "-bf", "2"])),
    audio: Some("aac"),
};
/// The same without B frames.
pub const WITHOUT_B_FRAMES: Clip = Clip {
    name: "without-b-frames",
    video: Some((SMALL, &["-preset", "veryfast", "-bf", "0"])),
    ..TYPICAL
};
pub const VIDEO_ONLY: Clip = Clip {
    name: "video-only",
    audio: None,
    ..TYPICAL
};
pub const AUDIO_ONLY: Clip = Clip {
    name: "audio-only",
    video: None,
    ..TYPICAL
};
pub const MP3: Clip = Clip {
    name: "mp3",
    audio: Some("libmp3lame"),
    ..TYPICAL
};
/// Keyframes above 1 MiB. All of it is less than 4 MiB, by which a player may lag without missing a picture.
pub const LARGE_KEYFRAMES: Clip = Clip {
    name: "large-keyframes",
    seconds: 3,
    video: Some((STILL, &["-preset", "ultrafast", "-qp", "10"])),
    ..TYPICAL
};
/// 30 Mb/s, and more than a player may lag.
pub const HEAVY: Clip = Clip {
    name: "heavy",
    seconds: 3,
    video: Some((LARGE, &["-preset", "ultrafast", "-qp", "8"])),
    ..TYPICAL
};

pub const ALL: [Clip; 6] = [TYPICAL, WITHOUT_B_FRAMES, VIDEO_ONLY, AUDIO_ONLY, MP3, LARGE_KEYFRAMES];

impl Clip {
    /// The file, made unless it is there from an earlier run.
    pub fn path(&self) -> PathBuf {
        let mut recipe = DefaultHasher::new();
        self.hash(&mut recipe);
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let path = folder.join(format!("{}-{:016x}.flv", self.name, recipe.finish()));
        if !path.exists() {
            // Tests run at the same time, and a run may be cut off: the name must never stand for half a file.
            let unfinished = tempfile(&folder);
            ffmpeg::run(self.command().arg(&unfinished));
            fs::rename(&unfinished, &path).unwrap();
        }
        path
    }

    /// Its packets, as a player reports them that was there from the beginning.
    pub fn packets(&self) -> Packets {
        ffmpeg::packets(self.path().to_str().unwrap())
    }

    fn command(&self) -> Command {
        let mut command = ffmpeg::command();
        if let Some((picture, _)) = self.video {
            command.args(["-f", "lavfi", "-i", picture]);
        }
        if self.audio.is_some() {
            command.args(["-f", "lavfi", "-i", "sine=sample_rate=44100"]);
        }
        command.args(["-t", &self.seconds.to_string()]);
        if let Some((_, flags)) = self.video {
            let gop = FRAME_RATE.to_string();
            command
                .args([
                    "-c:v",
                    "libx264",
                    "-pix_fmt",
                    "yuv420p",
                    "-sc_threshold",
                    "0",
                    "-g",
                    &gop,
                ])
                .args(flags);
        }
        if let Some(codec) = self.audio {
            command.args(["-c:a", codec]);
        }
        command.args(["-f", "flv"]);
        command
    }
}

/// A name in `folder` that nobody else uses.
pub fn tempfile(folder: &std::path::Path) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    folder.join(format!(
        "{}-{}.tmp",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    ))
}
