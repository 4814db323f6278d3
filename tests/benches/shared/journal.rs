//! What a server has said in its log about the peers that matter.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The log of a server, as far as it is asked about.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// How often the server said what.
    pub(crate) counts: BTreeMap<String, u64>,
    /// Of good peers, by their address: the totals of what they played or published.
    totals: HashMap<SocketAddr, Totals>,
    /// Their connections that play or publish now.
    open: HashMap<u64, SocketAddr>,
    /// Lines that are none of a log: those of a panic.
    pub(crate) strange: Vec<String>,
    /// The newest lines.
    tail: VecDeque<String>,
}

/// What the server counted for one play or publish.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    /// Frames in, or out.
    pub(crate) frames: u64,
    /// Frames that a player was too slow for.
    pub(crate) missed: u64,
    pub(crate) cause: String,
    /// How often time leapt, or was raised because it stood still.
    pub(crate) repairs: u64,
}

/// Lines that a failed run shows.
const SHOWN_LINES: usize = 40;
/// Kinds of lines that are counted: more than a server has.
const MAX_KINDS: usize = 100;

/// Addresses of peers that must not lose anything: `127.0.1.x`, or the same in another network.
pub(crate) fn is_good(address: Ipv4Addr) -> bool {
    address.octets()[2] == 1
}

impl Journal {
    /// One line: a time, a level, words that stay as they are, and fields.
    pub(crate) fn take(&mut self, line: &str) {
        if self.tail.len() == SHOWN_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
        let mut parts = line.trim_start().splitn(2, ' ');
        let (time, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let rest = rest.trim_start();
        let Some((_, rest)) = rest.split_once(' ').filter(|_| time.ends_with('Z')) else {
            return self.strange.push(line.to_owned());
        };
        let words: Vec<_> = rest.split(' ').take_while(|word| !word.contains('=')).collect();
        let words = words.join(" ");
        // Behind a colon they are others each time.
        let words = words.split(':').next().unwrap_or_default().to_owned();
        match words.as_str() {
            "play started" | "publish started" => {
                let peer = field(rest, "peer=").and_then(|peer| peer.parse().ok());
                let is_kept = |peer: &SocketAddr| matches!(peer.ip(), IpAddr::V4(address) if is_good(address));
                if let (Some(connection), Some(peer)) = (number(rest, "conn="), peer.filter(is_kept)) {
                    self.open.insert(connection, peer);
                }
            }
            "play ended" | "publish ended" => {
                let connection = number(rest, "conn=");
                if let Some(peer) = connection.and_then(|connection| self.open.remove(&connection)) {
                    let frames = number(rest, "sent=").or_else(|| number(rest, "frames="));
                    let count = |label| number(rest, label).unwrap_or_default();
                    let totals = Totals {
                        frames: frames.unwrap_or_default(),
                        missed: count("missed="),
                        cause: field(rest, "cause=").unwrap_or_default().to_owned(),
                        repairs: count("jumps=") + count("raised="),
                    };
                    self.totals.insert(peer, totals);
                }
            }
            _ => {}
        }
        if self.counts.len() < MAX_KINDS || self.counts.contains_key(&words) {
            *self.counts.entry(words).or_default() += 1;
        }
    }

    /// What the server counted for the peer at `address`, once.
    pub(crate) fn totals(&mut self, address: SocketAddr) -> Option<Totals> {
        self.totals.remove(&address)
    }

    /// How often the server said `words`.
    pub(crate) fn count(&self, words: &str) -> u64 {
        self.counts.get(words).copied().unwrap_or_default()
    }

    /// The newest lines.
    pub(crate) fn tail(&self) -> impl Iterator<Item = &str> {
        self.tail.iter().map(String::as_str)
    }
}

fn number(line: &str, label: &str) -> Option<u64> {
    field(line, label)?.parse().ok()
}

/// The value of a field; if it is a text, its first word.
fn field<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    let value = line.split(' ').find_map(|word| word.strip_prefix(label))?;
    Some(value.trim_matches('"'))
}
