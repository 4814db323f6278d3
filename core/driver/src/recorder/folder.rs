//! The folder: which recordings are written there, and which make room for them.

use super::RecordTo;
use headwater_core::server::record::Recording;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::mem;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracing::{info, warn};

/// What the limits below are for.
pub(super) const PERIOD: Duration = Duration::from_secs(60);
/// Files of one kind of failure in a minute. 8: if the first ones do not say what is wrong, no further will. One address gets
/// one of them.
const MAX_PER_KIND: u32 = 8;
/// Files in a minute. 60: one a second is no work for any disk.
const MAX_IN_ALL: u32 = 60;
/// Addresses that are remembered for a minute. 1,024: more than files are written.
const MAX_ADDRESSES: usize = 1_024;

/// The beginning and the end of a file's name. Between them: milliseconds since 1970, kind of failure, number of the
/// connection.
const PREFIX: &str = "headwater-";
const SUFFIX: &str = ".recording";

/// The folder, and what is in it.
#[derive(Debug)]
pub(super) struct Folder {
    to: RecordTo,
    /// Oldest first.
    files: VecDeque<Entry>,
    bytes: u64,
    /// The milliseconds in the name of the newest file of ours.
    newest: u128,
    period: Period,
    /// Recordings that were not written since one was.
    left_out: u64,
    /// Whether the last attempt has failed.
    is_failing: bool,
}

#[derive(Debug)]
struct Entry {
    name: String,
    bytes: u64,
}

impl Entry {
    fn kind(&self) -> &str {
        kind_of(&self.name).unwrap_or_default()
    }
}

/// The kind of failure that the name of a file says. `None` if it is no name of ours.
fn kind_of(name: &str) -> Option<&str> {
    let name = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let (millis, rest) = name.split_once('-')?;
    let (kind, conn) = rest.rsplit_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(millis) && is_number(conn)).then_some(kind)
}

/// What was written in the present minute.
#[derive(Debug, Default)]
struct Period {
    since: Option<Instant>,
    files: u32,
    kinds: HashMap<String, u32>,
    addresses: HashSet<(String, IpAddr)>,
}

impl Folder {
    /// Looks what is in the folder, and whether a file can be made there.
    pub(super) fn open(to: RecordTo) -> io::Result<Self> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&to.dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if kind_of(&name).is_some() {
                let bytes = entry.metadata()?.len();
                files.push(Entry { name, bytes });
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let probe = to.dir.join(format!("{PREFIX}{}.probe", std::process::id()));
        create(&probe)?;
        fs::remove_file(&probe)?;
        let mut folder = Folder {
            bytes: files.iter().map(|file| file.bytes).sum(),
            files: files.into(),
            to,
            newest: 0,
            period: Period::default(),
            left_out: 0,
            is_failing: false,
        };
        folder.make_room(0);
        Ok(folder)
    }

    /// Writes the recording, if it is worth a file. `lost`: how many did not come here.
    pub(super) fn take(&mut self, now: Instant, recording: &Recording, lost: u64) {
        self.left_out += lost;
        let kind = recording.kind();
        let address = recording.peer().map(|peer| share(peer.ip()));
        if !self.period.admits(now, &kind, address) {
            self.left_out += 1;
            return;
        }
        match self.write(&kind, recording) {
            Ok(file) => {
                self.is_failing = false;
                let left_out = mem::take(&mut self.left_out);
                info!(
                    conn = %recording.conn(),
                    reason = recording.reason(),
                    file,
                    left_out,
                    "connection recorded"
                );
            }
            Err(error) => {
                self.left_out += 1;
                if !mem::replace(&mut self.is_failing, true) {
                    warn!(dir = %self.to.dir.display(), %error, "a connection could not be recorded");
                }
            }
        }
    }

    fn write(&mut self, kind: &str, recording: &Recording) -> io::Result<String> {
        let bytes = match self.to.without_payload {
            true => recording.without_payload().map_err(io::Error::other)?.to_bytes(),
            false => recording.to_bytes(),
        };
        let len = bytes.len() as u64;
        self.make_room(len);
        let (name, path, mut file) = self.create(&format!("{kind}-{}", recording.conn()))?;
        if let Err(error) = file.write_all(&bytes) {
            // Half a file is of no use to anybody.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        self.bytes += len;
        self.files.push_back(Entry { name, bytes: len });
        Ok(path.display().to_string())
    }

    /// Makes a file whose name is newer than all of ours, and that nobody else has: numbers of connections begin anew with each
    /// run.
    fn create(&mut self, what: &str) -> io::Result<(String, PathBuf, File)> {
        let mut result = Err(io::ErrorKind::AlreadyExists.into());
        let earliest = wall_clock_millis().max(self.newest + 1);
        for millis in earliest..earliest + 100 {
            self.newest = millis;
            let name = format!("{PREFIX}{millis}-{what}{SUFFIX}");
            let path = self.to.dir.join(&name);
            result = create(&path).map(|file| (name, path, file));
            if !matches!(&result, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
                break;
            }
        }
        result
    }

    /// Removes files until there is room for one of so many bytes: the oldest of the kind that has the most.
    fn make_room(&mut self, len: u64) {
        while !self.files.is_empty() && (self.files.len() >= self.to.max_files || self.bytes + len > self.to.max_bytes)
        {
            let mut counts = HashMap::<&str, usize>::new();
            for file in &self.files {
                *counts.entry(file.kind()).or_default() += 1;
            }
            let most = counts.values().copied().max().unwrap_or_default();
            let oldest = self
                .files
                .iter()
                .position(|file| counts.get(file.kind()) == Some(&most));
            let Some(file) = oldest.and_then(|index| self.files.remove(index)) else {
                return;
            };
            self.bytes -= file.bytes;
            // Somebody else may have removed it.
            let _ = fs::remove_file(self.to.dir.join(&file.name));
        }
    }
}

impl Period {
    /// Counts one more, if it may be written.
    fn admits(&mut self, now: Instant, kind: &str, address: Option<IpAddr>) -> bool {
        if self.since.is_none_or(|since| now.duration_since(since) >= PERIOD) {
            *self = Period {
                since: Some(now),
                ..Period::default()
            };
        }
        let written = self.kinds.get(kind).copied().unwrap_or_default();
        // One of a kind that is new in this minute is always worth it: there are a few dozen kinds.
        let is_new = written == 0;
        let has_room = self.files < MAX_IN_ALL && written < MAX_PER_KIND && self.addresses.len() < MAX_ADDRESSES;
        let key = address.map(|address| (kind.to_owned(), address));
        let is_known = key.as_ref().is_some_and(|key| self.addresses.contains(key));
        if !is_new && (!has_room || is_known) {
            return false;
        }
        self.files += 1;
        self.kinds.insert(kind.to_owned(), written + 1);
        self.addresses.extend(key);
        true
    }
}

/// The address, or the IPv6 /64 that it belongs to.
fn share(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a name says when; nothing is timed by it")]
fn wall_clock_millis() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_millis()
}

/// Makes a file that only its owner may read. What is there already is not written over.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}
