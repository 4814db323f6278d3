//! A server with a good stream and its players, and beside them a peer that does its worst.

use crate::clock::time_worked;
use crate::inputs::{self, Input, Port, Reaction, on_one_port};
use crate::lines::Lines;
use crate::world::World;
use headwater_core::Time;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::{Answer, Config, Protocol, ServerStats};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Where the hostile peers come from.
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 66);

/// Bytes that a hostile peer hands to its socket at a time. 16 KiB: what it sends and nobody has read yet is the test's own
/// memory, and this bounds it.
const PIECE: usize = 16 << 10;

/// Clients that belong to the good stream: the first.
const GOOD: usize = 3;

/// From one frame of the good stream to the next while somebody sends, and while everybody waits.
const FRAME: Duration = Duration::from_millis(10);
const SLOW_FRAME: Duration = Duration::from_millis(500);

/// How long the server may take to be as it was before. 15 s: grace times, reports of the log and half-closed connections take
/// ten.
const RECOVERY: Duration = Duration::from_secs(15);

/// Bytes that peers may make the server hold beside what they have sent: buffers that they share with others, a first
/// reservation of 64 KiB, and what the good stream's players note down meanwhile.
const HELD_AT_MOST: usize = 224 << 10;
/// What each of many may add to that: its connection.
const HELD_BY_EACH: usize = 24 << 10;
/// What may stay behind of it, however many conversations there were: the buffers that all connections use in turns, tables
/// of addresses and names that forget in their own time.
const LEFT_AT_MOST: usize = 192 << 10;
/// What the test itself notes down for a frame of the good stream.
const NOTED_PER_FRAME: usize = 420;
/// Lines that one conversation may put into the log: it waits or begins, says what it consists of, is silent, ends, its stream
/// ends, and one more that says why.
const LINES_AT_MOST: usize = 8;
/// Times that the server may be asked to serve somebody for a piece that came in or a frame that went out.
const STEPS_AT_MOST: u64 = 40;
/// Allocations for such a piece or frame, those of the clients in the test included, and for a byte of input besides.
const ALLOCATIONS_AT_MOST: usize = 50;
const ALLOCATIONS_PER_BYTE: usize = 1;
/// Time on the processor for the same, as loose as a build without optimizations needs it: this is to find what takes a hundred
/// times as long as it should.
const TIME_AT_MOST: Duration = Duration::from_millis(2);
const TIME_PER_BYTE: Duration = Duration::from_micros(1);

/// A server of two workers. The good publisher and one of its players are on the worker that hostile peers connect to, the
/// other player is on the other. What holds for every row is checked with every frame, and when the scene ends.
pub(crate) struct Scene {
    pub(crate) world: World,
    publisher: usize,
    players: [usize; 2],
    /// What the good publisher has sent behind its headers.
    published: Vec<String>,
    started: Time,
    quiet: State,
    lines: Lines,
    /// Bytes in use before the first hostile peer, before this one, and the most since.
    at_first: usize,
    before: usize,
    peak: usize,
    sent: usize,
    peers: usize,
    frames: u64,
    pieces: u64,
    steps: u64,
    /// Allocations, and time on the processor, for what came in and for frames of the good stream.
    allocations: usize,
    worked: Duration,
    may_hold: usize,
    may_say: usize,
    may_leave: usize,
    /// One scene at a time: the allocator counts for all threads.
    _turn: MutexGuard<'static, ()>,
}

impl Port {
    /// What a listener there is for.
    fn protocol(self) -> Protocol {
        match self {
            Port::Rtmp => Protocol::Rtmp,
            Port::Http => Protocol::Http,
        }
    }
}

/// What a server knows of its peers.
#[derive(Debug, PartialEq, Eq, Default)]
struct State {
    connections: usize,
    streams: usize,
    names: usize,
    questions: usize,
    mail: usize,
}

/// How a conversation went.
pub(crate) struct Heard {
    pub(crate) what: &'static str,
    /// What the peer has got.
    pub(crate) bytes: Vec<u8>,
    /// The most that the server held meanwhile, beyond what it held before.
    pub(crate) held: usize,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        Scene::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Scene {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = Lines::new();
        let mut world = World::new(2, change);
        let publisher = world.rtmp(0, Publish, "live", "good", 1);
        while !world.asked.is_empty() {
            world.answer(Answer::allow());
        }
        world.publish(publisher, "V A K0 a0");
        let players = [world.rtmp(1, Play, "live", "good", 2), world.http_play(0, "/live/good")];
        assert_eq!(world.clients.len(), GOOD);
        let mut scene = Scene {
            started: world.now,
            world,
            publisher,
            players,
            published: vec!["K0".into(), "a0".into()],
            quiet: State::default(),
            lines,
            at_first: 0,
            before: 0,
            peak: 0,
            sent: 0,
            frames: 0,
            pieces: 0,
            peers: 0,
            steps: 0,
            allocations: 0,
            worked: Duration::ZERO,
            may_hold: HELD_AT_MOST,
            may_say: LINES_AT_MOST,
            may_leave: LEFT_AT_MOST,
            _turn: turn,
        };
        scene.pass(Duration::from_secs(3));
        scene.lines.take();
        scene.quiet = scene.state();
        scene.begin();
        scene.at_first = scene.before - scene.noted();
        scene
    }

    /// The next conversation begins: what is held and done counts from here.
    fn begin(&mut self) {
        self.before = in_use();
        self.peak = self.before;
        (self.sent, self.frames, self.pieces, self.peers) = (0, 0, 0, 0);
        self.steps = self.world.steps;
        (self.allocations, self.worked) = (0, Duration::ZERO);
    }

    /// Each conversation may make the server hold so many bytes, beside what it has sent.
    pub(crate) fn may_hold(&mut self, bytes: usize) {
        self.may_hold = bytes;
    }

    /// What those who came first have left behind may stay: tables that have grown. Those who come now leave nothing more.
    pub(crate) fn begin_again(&mut self) {
        self.may_leave = usize::MAX;
        self.leave("the first time");
        self.at_first = self.before - self.noted();
        self.may_leave = LEFT_AT_MOST;
    }

    /// Each conversation may put so many lines into the log.
    pub(crate) fn may_say(&mut self, lines: usize) {
        self.may_say = lines;
    }

    pub(crate) fn connect(&mut self, to: Port) -> usize {
        self.connect_from(to, ADDRESS).unwrap()
    }

    /// A further hostile peer, if the server takes it.
    pub(crate) fn connect_from(&mut self, to: Port, address: Ipv4Addr) -> Option<usize> {
        self.connect_by(to.protocol(), address)
    }

    fn connect_by(&mut self, protocol: Protocol, address: Ipv4Addr) -> Option<usize> {
        self.peers += 1;
        self.spend(|world| world.try_connect(0, protocol, address.into()))
    }

    /// Does something, and adds up what it costs.
    fn spend<T>(&mut self, act: impl FnOnce(&mut World) -> T) -> T {
        let (allocated, start) = (allocations(), time_worked());
        let result = act(&mut self.world);
        self.allocations += allocations() - allocated;
        self.worked += time_worked() - start;
        result
    }

    /// The peer says something, all at once.
    pub(crate) fn tell(&mut self, peer: usize, bytes: &[u8]) {
        self.spend(|world| world.send(peer, bytes));
        (self.sent, self.pieces) = (self.sent + bytes.len(), self.pieces + 1);
        self.look();
    }

    /// The peer says something, a piece at a time, while the good stream goes on, until it is heard no more.
    pub(crate) fn say(&mut self, peer: usize, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            if self.is_over(peer) {
                return;
            }
            self.tell(peer, piece);
            self.frame(FRAME);
        }
    }

    /// Lets time pass, and the good stream go on.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.world.now + span;
        while self.world.now < end {
            self.frame(SLOW_FRAME.min(end.since(self.world.now)));
        }
    }

    /// The good stream sends its next frame, and both players get it at once.
    fn frame(&mut self, after: Duration) {
        self.spend(|world| world.pass(after));
        let at = self.world.now.since(self.started).as_millis();
        let is_key = self.published.len().is_multiple_of(20);
        let words = [format!("{}{at}", if is_key { 'K' } else { 'P' }), format!("a{at}")];
        let before = self.players.map(|player| self.world.progress(player));
        let publisher = self.publisher;
        self.spend(|world| world.publish(publisher, &words.join(" ")));
        self.published.extend(words);
        self.frames += 1;
        for (player, before) in self.players.into_iter().zip(before) {
            assert!(
                self.world.progress(player) > before,
                "a good player gets no frame at {at} ms"
            );
        }
        self.look();
    }

    /// Looks at how much memory is in use.
    fn look(&mut self) {
        self.peak = self.peak.max(in_use());
    }

    /// Bytes that are in use beyond what was before.
    pub(crate) fn holds(&self) -> usize {
        in_use().saturating_sub(self.before)
    }

    /// The most that were in use so far beyond what was before.
    pub(crate) fn peak(&self) -> usize {
        self.peak.saturating_sub(self.before)
    }

    /// Whether the server has ended the connection.
    pub(crate) fn is_over(&self, peer: usize) -> bool {
        self.world.clients[peer].is_shut_down()
    }

    /// What the peer has got since it was last asked.
    pub(crate) fn heard(&mut self, peer: usize) -> Vec<u8> {
        std::mem::take(&mut self.world.clients[peer].received)
    }

    /// What the log has said since it was last asked.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        let lines = self.lines.take();
        for line in &lines {
            assert!(line.len() < 4_096, "a line of {} bytes: {line}", line.len());
            assert!(!line.chars().any(is_raw), "not escaped: {line:?}");
        }
        lines
    }

    /// The log says this in one of its new lines, once or more often, and has so many in all.
    #[track_caller]
    pub(crate) fn expect_lines(&mut self, words: &str, at_most: usize) {
        let lines = self.lines();
        assert!(
            lines.iter().any(|line| line.contains(words)),
            "no {words:?}: {lines:#?}"
        );
        assert!(lines.len() <= at_most, "{} lines: {lines:#?}", lines.len());
    }

    /// Holds the conversations of a row, one after the other, and expects the reaction to each: of a listener for its protocol, and
    /// then of one for all protocols, as a server has by default. Returns how the former went.
    pub(crate) fn hold(&mut self, row: u8) -> Vec<Heard> {
        let inputs = inputs::of(row);
        self.at_first = in_use() - self.noted();
        let on_its_own = |input| self.converse(input, input.to.protocol(), input.reaction);
        let heard = inputs.iter().map(on_its_own).collect();
        // What these have heard is the test's own memory.
        self.at_first = in_use() - self.noted();
        for input in &inputs {
            let reaction = match input.reaction {
                Reaction::Ends(reason) => on_one_port(reason).map_or(Reaction::GoesOn, Reaction::Ends),
                other => other,
            };
            self.converse(input, Protocol::Media, reaction);
        }
        heard
    }

    fn converse(&mut self, input: &Input, protocol: Protocol, reaction: Reaction) -> Heard {
        let (row, what) = (input.row, format!("{} by {protocol:?}", input.what));
        self.begin();
        let peer = self.connect_by(protocol, ADDRESS).unwrap();
        self.say(peer, &input.bytes);
        self.pass(SLOW_FRAME);
        let (is_over, mut lines) = (self.is_over(peer), self.lines());
        let bytes = self.heard(peer);
        let expected = match reaction {
            Reaction::Ends(reason) | Reaction::Refused(reason) => Some(reason),
            Reaction::Leaves | Reaction::GoesOn => None,
        };
        let is_told = |line: &String| expected.is_none_or(|reason| line.contains(reason) && line.contains("reason="));
        assert!(
            expected.is_none() || lines.iter().any(is_told),
            "row {row}, {what}: no {expected:?} in {lines:#?}"
        );
        let has_failed = lines.iter().any(|line| line.contains("connection failed"));
        let (ends, fails) = match reaction {
            Reaction::Ends(_) => (Some(true), true),
            Reaction::Refused(_) => (None, false),
            Reaction::Leaves => (Some(true), false),
            Reaction::GoesOn => (Some(false), false),
        };
        assert_eq!(has_failed, fails, "row {row}, {what}: {lines:#?}");
        assert!(
            ends.is_none_or(|ends| ends == is_over),
            "row {row}, {what}: over: {is_over}, {lines:#?}"
        );
        let held = self.peak();
        lines.extend(self.leave(&format!("row {row}, {what}")));
        assert!(lines.len() <= self.may_say, "row {row}, {what}: {lines:#?}");
        Heard {
            what: input.what,
            bytes,
            held,
        }
    }

    /// All hostile peers leave, and the server is soon as it was before. Returns what the log says of it.
    pub(crate) fn leave(&mut self, what: &str) -> Vec<String> {
        self.check_work(what);
        (GOOD..self.world.clients.len()).for_each(|peer| self.world.reset(peer));
        self.world.clients.truncate(GOOD);
        self.pass(RECOVERY);
        self.check_recovered(what);
        self.begin();
        self.lines()
    }

    /// Memory and work are in proportion to what was sent.
    fn check_work(&self, what: &str) {
        let (held, sent, peers) = (self.peak(), self.sent, self.peers);
        assert!(
            held <= self.may_hold + peers * HELD_BY_EACH + 2 * sent,
            "{what}: {held} bytes held by {peers} for {sent}"
        );
        let steps = self.world.steps - self.steps;
        let occasions = self.frames + self.pieces + peers as u64 + 1;
        let most = STEPS_AT_MOST * occasions;
        assert!(steps <= most, "{what}: {steps} steps on {occasions} occasions");
        let occasions = usize::try_from(occasions).unwrap();
        let (allocations, worked) = (self.allocations, self.worked);
        let most = ALLOCATIONS_AT_MOST * occasions + ALLOCATIONS_PER_BYTE * sent;
        assert!(
            allocations <= most,
            "{what}: {allocations} allocations on {occasions} occasions for {sent} bytes"
        );
        let most = TIME_AT_MOST * u32::try_from(occasions).unwrap() + TIME_PER_BYTE * u32::try_from(sent).unwrap();
        assert!(
            worked <= most,
            "{what}: {worked:?} on {occasions} occasions for {sent} bytes"
        );
    }

    /// The server knows of nobody but the good.
    pub(crate) fn check_quiet(&self, what: &str) {
        assert_eq!(self.state(), self.quiet, "{what}");
    }

    /// All is as it was before the hostile peers came.
    fn check_recovered(&self, what: &str) {
        self.check_quiet(what);
        let left = in_use().saturating_sub(self.at_first + self.noted());
        assert!(left <= self.may_leave, "{what}: {left} bytes stayed behind");
        for server in self.world.servers() {
            for connection in server.connections(self.world.now) {
                assert_eq!(connection.queued, 0, "{what}: {connection:?}");
            }
        }
    }

    /// What the test has noted down of the good stream, at the most.
    fn noted(&self) -> usize {
        NOTED_PER_FRAME * self.published.len() / 2
    }

    fn state(&self) -> State {
        let mut stats = ServerStats::default();
        self.world.servers().for_each(|server| stats += server.stats());
        State {
            connections: stats.connections,
            streams: stats.streams,
            names: stats.names,
            questions: self.world.asked.len(),
            mail: self.world.mail(0) + self.world.mail(1),
        }
    }

    /// The good players have all frames, as they were sent.
    fn check_players(&self) {
        let expected = self.published.join(" ");
        for player in self.players {
            let got = self.world.frames_of(player);
            let got = got
                .trim_start_matches("A0 ")
                .trim_start_matches("V0 ")
                .trim_start_matches("A0 ");
            assert_eq!(got, expected, "what player {player} got");
        }
    }
}

/// What holds at the end of every row: the good players have everything, the hostile ones are gone without a trace.
impl Drop for Scene {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        self.leave("at the end");
        self.check_players();
    }
}

/// Characters that a terminal or a collector of logs could take for something else.
fn is_raw(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2028}' | '\u{2029}')
}

/// Allocations until now. Growing a buffer counts like getting one.
fn allocations() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.reallocations
}

fn in_use() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}
