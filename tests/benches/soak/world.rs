//! What happens to one server in a soak: good peers beside all others, and what must be true at the end.

use crate::shared::checker::Checker;
use crate::shared::hostile::{self, Garbage};
use crate::shared::media::{Noise, Pattern};
use crate::shared::player::{End, Played, Seat, Speaks, play};
use crate::shared::publisher::{Farewell, Publish};
use crate::shared::server::{Sample, Server};
use crate::shared::verdict::{Account, Verdict};
use crate::verdict;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::Result;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// How long, and how much.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) time: Duration,
    /// Between two samples.
    pub(crate) interval: Duration,
    /// Peers, as a multiple of the usual number.
    pub(crate) scale: u32,
    pub(crate) seed: u64,
    /// The first two bytes of the peers' addresses.
    pub(crate) network: [u8; 2],
    /// Streams have this part of the usual bytes.
    pub(crate) lightness: u32,
}

/// What one server went through, as far as it has come.
pub(crate) struct World {
    rtmp: SocketAddr,
    http: SocketAddr,
    plan: Plan,
    pattern: Pattern,
    /// When those leave that come and go.
    end: Cell<Instant>,
    /// Whether the good publishers are to end their streams.
    is_over: Cell<bool>,
    origins: Cell<u32>,
    addresses: Cell<u8>,
    pub(crate) tally: RefCell<Tally>,
}

/// What the peers have seen.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How often who did what.
    pub(crate) counts: BTreeMap<String, u64>,
    /// Frames that good players got.
    pub(crate) frames: u64,
    /// Plays of good players that are over, with what they must match in the server's log.
    pub(crate) plays: Vec<Account>,
    pub(crate) publishes: Vec<Account>,
    /// From `connect` to the first picture, of good players of good streams.
    pub(crate) joins: Vec<Duration>,
    /// What must not have been.
    pub(crate) faults: Vec<String>,
    pub(crate) fault_count: u64,
}

/// A good stream, and the number of its last frame once it has ended.
struct GoodStream {
    name: &'static str,
    speaks_http: bool,
    last: Cell<Option<u32>>,
}

const GOOD: [(&str, bool); 2] = [("good-rtmp", false), ("good-http", true)];
/// Streams whose publishers come and go. The first of them have two that contend.
const FLAPPING: [&str; 4] = ["flap0", "flap1", "flap2", "flap3"];
const CONTENDED: usize = 2;

/// Good players of each good stream and protocol that stay from the beginning to the end.
const REGULARS: u32 = 2;
/// Good players that come and go.
const GUESTS: u32 = 6;
/// Hostile players, and senders of garbage.
const HOSTILE: u32 = 10;
const GARBAGE: u32 = 8;

/// How long a player waits for its stream.
const WAIT: &str = "?wait=30";
/// From the end of a good stream until its players have gone: the grace time of 10 s, and what a busy machine adds.
const PLAYERS_GONE_WITHIN: Duration = Duration::from_secs(40);
/// How long descriptors may stay taken: half-closed connections are given some 10 s, those that take nothing up to 22 s.
const FILES_BACK_WITHIN: Duration = Duration::from_secs(45);
/// A server waits 5 s for its connections.
const STOPS_WITHIN: Duration = Duration::from_secs(8);
/// Faults that are kept.
const MAX_FAULTS: usize = 20;

impl World {
    pub(crate) fn new(server: &Server, plan: Plan) -> Rc<Self> {
        Rc::new(World {
            rtmp: server.rtmp,
            http: server.http,
            end: Cell::new(Instant::now() + plan.time),
            pattern: Pattern::lighter(plan.lightness),
            plan,
            is_over: Cell::new(false),
            origins: Cell::new(0),
            addresses: Cell::new(0),
            tally: RefCell::default(),
        })
    }

    /// Lets all of it happen, and says whether the server was up to it. `on_sample` hears of every sample.
    pub(crate) async fn run(
        self: &Rc<Self>,
        server: &mut Server,
        mut on_sample: impl FnMut(&Sample),
    ) -> Result<Verdict> {
        let start = server.settled().await?;
        let streams: Vec<_> = GOOD
            .map(|(name, speaks_http)| GoodStream {
                name,
                speaks_http,
                last: Cell::new(None),
            })
            .map(Rc::new)
            .into();
        let (mut publishers, mut regulars) = (JoinSet::new(), JoinSet::new());
        let (mut passing, mut hostile) = (JoinSet::new(), JoinSet::new());
        self.end.set(Instant::now() + self.plan.time);
        for stream in &streams {
            publishers.spawn_local(self.clone().publish(stream.clone()));
            for speaks in Speaks::ALL {
                for _ in 0..REGULARS * self.plan.scale {
                    regulars.spawn_local(self.clone().play_to_the_end(stream.clone(), speaks));
                }
            }
        }
        for number in 0..GUESTS * self.plan.scale {
            passing.spawn_local(self.clone().come_and_go(self.noise(1, number)));
        }
        self.spawn_flapping(&mut passing);
        for number in 0..HOSTILE * self.plan.scale {
            hostile.spawn_local(self.clone().play_badly(self.noise(4, number)));
        }
        for number in 0..GARBAGE * self.plan.scale {
            hostile.spawn_local(self.clone().send_garbage(self.noise(5, number)));
        }

        let mut samples = vec![start];
        let mut next = Instant::now();
        while next + self.plan.interval < self.end.get() {
            next += self.plan.interval;
            sleep_until(next).await;
            let sample = server.sample()?;
            on_sample(&sample);
            samples.push(sample);
        }
        sleep_until(self.end.get()).await;
        hostile.shutdown().await;
        self.join("those that come and go", &mut passing).await;
        self.is_over.set(true);
        self.join("good publishers", &mut publishers).await;
        let ended = Instant::now();
        self.join("good players", &mut regulars).await;
        self.count_time(
            "milliseconds from the end of the streams to the end of the last play",
            ended.elapsed(),
        );
        let left = Instant::now();
        let files = server.wait_for_files(start.files, FILES_BACK_WITHIN).await?;
        self.count_time("milliseconds until descriptors were back", left.elapsed());
        samples.push(server.sample()?);
        let status = server.stop(STOPS_WITHIN).await;
        Ok(verdict::judge(
            &self.tally.borrow(),
            &mut server.journal(),
            &samples,
            files,
            status,
        ))
    }

    fn spawn_flapping(self: &Rc<Self>, passing: &mut JoinSet<()>) {
        for (index, stream) in FLAPPING.into_iter().enumerate() {
            let number = u32::try_from(index).unwrap_or_default();
            passing.spawn_local(self.clone().flap(stream, self.noise(2, number)));
            if index < CONTENDED {
                passing.spawn_local(self.clone().flap(stream, self.noise(3, number)));
            }
            for (speaks, group) in Speaks::ALL.into_iter().zip(6..) {
                for player in 0..self.plan.scale {
                    let noise = self.noise(group, number * 1_000 + player);
                    passing.spawn_local(self.clone().watch(stream, speaks, noise));
                }
            }
        }
    }

    async fn join(&self, what: &str, tasks: &mut JoinSet<()>) {
        let all = async { while tasks.join_next().await.is_some() {} };
        if timeout(PLAYERS_GONE_WITHIN, all).await.is_err() {
            self.blame(format!("{} {what} did not come to an end", tasks.len()));
            tasks.shutdown().await;
        }
    }

    /// A good publisher, from the beginning to the end.
    async fn publish(self: Rc<Self>, stream: Rc<GoodStream>) {
        let publish = Publish {
            seat: self.seat(self.good_address(), stream.name.to_owned()),
            speaks_http: stream.speaks_http,
            origin: 0,
            farewell: Farewell::Proper,
        };
        let until = self.end.get() + 2 * PLAYERS_GONE_WITHIN;
        let published = publish.run(&self.pattern, until, &self.is_over).await;
        stream.last.set(published.last);
        if let Some(error) = published.error {
            self.blame(format!("the publisher of {}: {error}", stream.name));
        }
        if let Some(address) = published.local {
            self.tally.borrow_mut().publishes.push(Account {
                name: format!("publisher of {}", stream.name),
                address,
                frames: published.frames,
                is_complete: true,
            });
        }
    }

    /// A good player, from the beginning to the end of its stream.
    async fn play_to_the_end(self: Rc<Self>, stream: Rc<GoodStream>, speaks: Speaks) {
        let seat = self.seat(self.good_address(), format!("{}{WAIT}", stream.name));
        let until = self.end.get() + 3 * PLAYERS_GONE_WITHIN;
        let name = format!("player of {} by {speaks:?}", stream.name);
        let mut checker = Checker::default();
        let played = play(&seat, speaks, &self.pattern, &mut checker, until).await;
        if !matches!(played.end, End::OfStream) {
            checker.blame(format!("it ended early: {:?}", played.end));
        } else if checker.newest() != stream.last.get().map(|last| (0, last)) {
            let (newest, last) = (checker.newest(), stream.last.get());
            checker.blame(format!("its last frame was {newest:?} of {last:?}"));
        }
        self.note(&name, &played, checker, true);
    }

    /// Good players that come, stay a while and leave, one after the other.
    async fn come_and_go(self: Rc<Self>, mut noise: Noise) {
        let address = self.good_address();
        self.pause(&mut noise, Duration::from_secs(3)).await;
        while Instant::now() < self.end.get() {
            let (stream, _) = noise.choose(&GOOD);
            let speaks = *noise.choose(&Speaks::ALL);
            let seat = self.seat(address, format!("{stream}{WAIT}"));
            let stay = noise.time(Duration::from_secs(2), Duration::from_secs(40));
            let until = (Instant::now() + stay).min(self.end.get());
            let mut checker = Checker::default();
            let is_short = until - Instant::now() < Duration::from_secs(2);
            let played = play(&seat, speaks, &self.pattern, &mut checker, until).await;
            if !matches!(played.end, End::Left) {
                checker.blame(format!("it ended early: {:?}", played.end));
            } else if !checker.has_picture() && !is_short {
                checker.blame("it got no picture".to_owned());
            }
            self.tally.borrow_mut().joins.extend(played.join);
            self.note(&format!("guest of {stream} by {speaks:?}"), &played, checker, false);
            self.pause(&mut noise, Duration::from_secs(1)).await;
        }
    }

    /// Good players of a stream whose publishers come and go.
    async fn watch(self: Rc<Self>, stream: &'static str, speaks: Speaks, mut noise: Noise) {
        let address = self.good_address();
        while Instant::now() < self.end.get() {
            let wait = if noise.next().is_multiple_of(4) { "" } else { WAIT };
            let seat = self.seat(address, format!("{stream}{wait}"));
            let stay = noise.time(Duration::from_secs(5), Duration::from_secs(90));
            let until = (Instant::now() + stay).min(self.end.get());
            let mut checker = Checker::default();
            let played = play(&seat, speaks, &self.pattern, &mut checker, until).await;
            match &played.end {
                End::Left => {}
                End::OfStream => self.count("watchers saw the end of a stream"),
                End::Refused(_) => self.count("watchers found no stream"),
                End::Cut(reason) => checker.blame(format!("it was cut off: {reason}")),
            }
            self.note(&format!("watcher of {stream} by {speaks:?}"), &played, checker, false);
            self.pause(&mut noise, Duration::from_secs(1)).await;
        }
    }

    /// Publishers that come, leave without much ado, and come back.
    async fn flap(self: Rc<Self>, stream: &'static str, mut noise: Noise) {
        while Instant::now() < self.end.get() {
            let silence = noise.time(Duration::from_secs(1), Duration::from_secs(15));
            let farewells = [
                Farewell::Proper,
                Farewell::Close,
                Farewell::Reset,
                Farewell::HalfClose,
                Farewell::Silence(silence),
            ];
            let origin = self.origins.get() + 1;
            self.origins.set(origin);
            let publish = Publish {
                seat: self.seat(self.address(2, &mut noise), stream.to_owned()),
                speaks_http: noise.next().is_multiple_of(2),
                origin,
                farewell: *noise.choose(&farewells),
            };
            let time = noise.time(Duration::from_millis(200), Duration::from_secs(8));
            let until = (Instant::now() + time).min(self.end.get());
            let published = publish.run(&self.pattern, until, &Cell::new(false)).await;
            let what = match (&published.error, publish.farewell) {
                (Some(_), _) => "refused, replaced or cut",
                (None, Farewell::Silence(_)) => "silent",
                (None, Farewell::Proper) => "with a goodbye",
                (None, Farewell::Close) => "closed",
                (None, Farewell::Reset) => "reset",
                (None, Farewell::HalfClose) => "half closed",
            };
            self.count(&format!("flapping publishes, {what}"));
            // Now and then longer than the grace time.
            let most = *noise.choose(&[0, 1, 3, 12]);
            self.pause(&mut noise, Duration::from_secs(most)).await;
        }
    }

    async fn play_badly(self: Rc<Self>, mut noise: Noise) {
        loop {
            let kind = *noise.choose(&hostile::Player::ALL);
            let speaks = *noise.choose(&Speaks::ALL);
            let stream = match kind {
                hostile::Player::WaitsInVain => format!("nobody{WAIT}"),
                _ if noise.next().is_multiple_of(3) => (*noise.choose(&FLAPPING)).to_owned(),
                _ => noise.choose(&GOOD).0.to_owned(),
            };
            let most = match kind {
                hostile::Player::Crawls => 90,
                hostile::Player::Stalls => 40,
                _ => 15,
            };
            let time = noise.time(Duration::from_millis(50), Duration::from_secs(most));
            let seat = self.seat(self.address(3, &mut noise), stream);
            // It may have been thrown out, which is right.
            let _ = kind.run(&seat, speaks, time).await;
            self.count(&format!("hostile plays, {kind:?}"));
            self.pause(&mut noise, Duration::from_millis(500)).await;
        }
    }

    async fn send_garbage(self: Rc<Self>, mut noise: Noise) {
        loop {
            let kind = *noise.choose(&Garbage::ALL);
            let stream = *noise.choose(&["garbage0", "garbage1", "good-rtmp", "good-http"]);
            let seat = self.seat(self.address(4, &mut noise), stream.to_owned());
            let time = noise.time(Duration::from_millis(50), Duration::from_secs(3));
            let _ = kind.run(&seat, &self.pattern, &mut noise, time).await;
            self.count(&format!("garbage, {kind:?}"));
            self.pause(&mut noise, Duration::from_millis(500)).await;
        }
    }

    fn note(&self, name: &str, played: &Played, mut checker: Checker, is_complete: bool) {
        for fault in checker.faults.drain(..) {
            self.blame(format!("{name}: {fault}"));
        }
        let mut tally = self.tally.borrow_mut();
        tally.frames += checker.frames;
        if let Some(address) = played.local.filter(|_| checker.frames > 0) {
            tally.plays.push(Account {
                name: name.to_owned(),
                address,
                frames: checker.frames,
                is_complete,
            });
        }
    }

    fn blame(&self, fault: String) {
        let mut tally = self.tally.borrow_mut();
        tally.fault_count += 1;
        if tally.faults.len() < MAX_FAULTS {
            tally.faults.push(fault);
        }
    }

    fn count(&self, what: &str) {
        let mut tally = self.tally.borrow_mut();
        *tally.counts.entry(what.to_owned()).or_default() += 1;
    }

    fn count_time(&self, what: &str, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.tally.borrow_mut().counts.insert(what.to_owned(), millis);
    }

    /// A pause of up to `most`, which ends with the soak.
    async fn pause(&self, noise: &mut Noise, most: Duration) {
        let until = Instant::now() + noise.time(Duration::from_millis(10), most.max(Duration::from_millis(10)));
        sleep_until(until.min(self.end.get())).await;
    }

    fn noise(&self, group: u64, number: u32) -> Noise {
        Noise::new(
            self.plan
                .seed
                .wrapping_mul(1_000)
                .wrapping_add(group)
                .wrapping_mul(1_000_000)
                + u64::from(number),
        )
    }

    fn seat(&self, source: Ipv4Addr, stream: String) -> Seat {
        Seat {
            rtmp: self.rtmp,
            http: self.http,
            source,
            stream,
        }
    }

    /// An address for one good peer.
    fn good_address(&self) -> Ipv4Addr {
        let number = self.addresses.get() % 250 + 1;
        self.addresses.set(number);
        let [a, b] = self.plan.network;
        Ipv4Addr::new(a, b, 1, number)
    }

    /// One of sixteen addresses of a group.
    fn address(&self, group: u8, noise: &mut Noise) -> Ipv4Addr {
        let [a, b] = self.plan.network;
        Ipv4Addr::new(a, b, group, 1 + noise.next().to_le_bytes()[2] % 16)
    }
}
