use super::folder::PERIOD;
use super::*;
use headwater_core::Time;
use headwater_core::server::record::Recording;
use headwater_core::server::{Config, Protocol, Server, ShardId};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// A peer at `address` that sends `input` by HTTP, which fails.
fn failure(address: impl Into<SocketAddr>, input: &[u8]) -> Recording {
    let mut config = Config::default();
    config.record = Some(headwater_core::server::record::RecordConfig::default());
    let mut server = Server::new(Arc::new(config), ShardId(0), 1, 7);
    let id = server.accept(Time::ZERO, Protocol::Http, address.into()).unwrap();
    server.handle_input(Time::ZERO, id, input);
    server.poll_recording().unwrap()
}

const NOT_HTTP: &[u8] = b"\x16";
const MALFORMED: &[u8] = b"GET /\n\n\n\n";

fn address(number: u8) -> ([u8; 4], u16) {
    ([192, 0, 2, number], 40_000)
}

pub(super) fn recording() -> Recording {
    failure(address(1), NOT_HTTP)
}

/// A folder of a test's own, gone with it.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("headwater-recorder-{}-{count}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        Temporary(dir)
    }

    fn open(&self) -> Folder {
        Folder::open(RecordTo::new(&self.0)).unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The recordings in a folder, oldest first.
fn read(dir: &Path) -> Vec<Recording> {
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| Recording::from_bytes(&fs::read(path).unwrap()).unwrap();
    paths.iter().map(read).collect()
}

#[test]
fn what_is_written_can_be_read_and_by_nobody_else() {
    let dir = Temporary::new();
    let recording = recording();
    dir.open().take(Instant::now(), &recording, 0);
    assert_eq!(read(&dir.0), [recording]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = fs::read_dir(&dir.0).unwrap().next().unwrap().unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn an_address_gets_one_file_a_minute_for_each_kind() {
    let (dir, now) = (Temporary::new(), Instant::now());
    let mut folder = dir.open();
    for _ in 0..100 {
        folder.take(now, &failure(address(1), NOT_HTTP), 0);
        folder.take(now, &failure(address(1), MALFORMED), 0);
    }
    assert_eq!(read(&dir.0).len(), 2);
    folder.take(now + PERIOD, &failure(address(1), NOT_HTTP), 0);
    assert_eq!(read(&dir.0).len(), 3);
}

#[test]
fn a_flood_leaves_room_for_another_kind() {
    let (dir, now) = (Temporary::new(), Instant::now());
    let mut folder = dir.open();
    for minute in 0..200 {
        let now = now + PERIOD * minute;
        for number in 0..=15 {
            folder.take(now, &failure(address(number), NOT_HTTP), 0);
        }
        if minute == 0 {
            folder.take(now, &failure(address(1), MALFORMED), 0);
        }
    }
    let recordings = read(&dir.0);
    assert_eq!(recordings.len(), 256);
    assert_eq!(
        recordings.iter().filter(|it| it.reason().contains("malformed")).count(),
        1
    );
}

#[test]
fn files_of_earlier_runs_count() {
    let dir = Temporary::new();
    let name = |number| format!("headwater-{number}-http-first-byte-is-not-http-1.recording");
    for number in 1..=5 {
        fs::write(dir.0.join(name(number)), "").unwrap();
    }
    let mut to = RecordTo::new(&dir.0);
    to.max_files = 3;
    Folder::open(to).unwrap().take(Instant::now(), &recording(), 0);
    let is_there = |number| dir.0.join(name(number)).exists();
    assert_eq!([1, 2, 3, 4, 5].map(is_there), [false, false, false, true, true]);
    assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 3);
}

#[test]
fn other_files_are_left_alone() {
    let dir = Temporary::new();
    for name in ["a", "headwater-1-x.recording", "headwater-x-y-1.recording"] {
        fs::write(dir.0.join(name), "mine").unwrap();
    }
    let mut to = RecordTo::new(&dir.0);
    to.max_files = 1;
    Folder::open(to).unwrap().take(Instant::now(), &recording(), 0);
    assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 4);
}

#[test]
fn bytes_are_bounded() {
    let (dir, now) = (Temporary::new(), Instant::now());
    let mut to = RecordTo::new(&dir.0);
    to.max_bytes = 5 * recording().to_bytes().len() as u64;
    let mut folder = Folder::open(to).unwrap();
    for number in 0..8 {
        folder.take(now, &failure(address(number), NOT_HTTP), 0);
    }
    assert!((4..=5).contains(&read(&dir.0).len()));
}

#[test]
fn a_folder_that_is_gone_harms_nobody() {
    let (dir, now) = (Temporary::new(), Instant::now());
    let mut folder = dir.open();
    fs::remove_dir_all(&dir.0).unwrap();
    folder.take(now, &recording(), 0);
    fs::create_dir(&dir.0).unwrap();
    folder.take(now, &failure(address(2), NOT_HTTP), 0);
    assert_eq!(read(&dir.0).len(), 1);
}

#[test]
fn a_folder_that_takes_no_files_is_said_at_the_start() {
    let missing = Recorder::new(RecordTo::new("/nowhere/at/all"), 0).unwrap_err();
    assert!(missing.to_string().starts_with("cannot record in /nowhere/at/all: "));
    let dir = Temporary::new();
    let file = dir.0.join("file");
    fs::write(&file, "").unwrap();
    assert!(Recorder::new(RecordTo::new(file), 0).is_err());
}

#[test]
fn the_last_recordings_are_written_before_the_end() {
    let dir = Temporary::new();
    let recorder = Recorder::new(RecordTo::new(&dir.0), 1 << 20).unwrap();
    let queue = recorder.queue();
    for number in 0..5 {
        queue.push(failure(address(number), NOT_HTTP));
    }
    recorder.start();
    finish(&queue);
    assert_eq!(read(&dir.0).len(), 5);
}
