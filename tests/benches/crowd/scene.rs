//! Good players, and others that join all the time, before and while a crowd is there.

use crate::shared::checker::Checker;
use crate::shared::journal::Journal;
use crate::shared::media::Pattern;
use crate::shared::player::{End, Seat, Speaks, play, play_for};
use crate::shared::publisher::{Farewell, Publish};
use crate::shared::server::{Sample, Server};
use crate::shared::verdict::{Account, Verdict, quantiles};
use std::cell::{Cell, RefCell};
use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// How long, and how many.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How long it is quiet, and how long the crowd is there.
    pub(crate) time: Duration,
    pub(crate) players: u32,
    pub(crate) join_interval: Duration,
}

/// What brings the crowd. Dropped, it takes them away.
pub(crate) trait Bring {
    type Crowd;

    /// Returns once all of them have come.
    async fn bring(&mut self) -> Result<Self::Crowd>;

    /// What they did so far.
    fn summary(crowd: &mut Self::Crowd) -> String;
}

/// One run with one server.
pub(crate) struct Scene {
    rtmp: SocketAddr,
    http: SocketAddr,
    pattern: Pattern,
    plan: Plan,
    phase: Cell<Phase>,
    is_over: Cell<bool>,
    last: Cell<Option<u32>>,
    joins: RefCell<Vec<(Phase, Speaks, Duration)>>,
    accounts: RefCell<Vec<Account>>,
    faults: RefCell<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Players come; nothing is measured.
    Arrival,
    Quiet,
    /// The crowd comes; as much of its arrival as its departure.
    Between,
    Crowded,
}

pub(crate) const STREAM: &str = "watched";
/// How long players may take to come, and to go.
const SETTLES_WITHIN: Duration = Duration::from_secs(40);
const SETTLE: Duration = Duration::from_secs(3);
/// How long descriptors may stay taken: as half-closed connections are given some 10 s, and those that take nothing 22 s.
const FILES_BACK_WITHIN: Duration = Duration::from_secs(45);
const STOPS_WITHIN: Duration = Duration::from_secs(8);
/// A player that has joined stays for this long.
const STAY: Duration = Duration::from_millis(200);
/// A join that takes longer than this is a fault, however busy the machine is.
const JOINS_WITHIN: Duration = Duration::from_secs(10);
const SAMPLE_INTERVAL: Duration = Duration::from_millis(500);
const MAX_FAULTS: usize = 20;

impl Scene {
    pub(crate) fn new(server: &Server, plan: Plan) -> Rc<Self> {
        Rc::new(Scene {
            rtmp: server.rtmp,
            http: server.http,
            pattern: Pattern::new(),
            plan,
            phase: Cell::new(Phase::Arrival),
            is_over: Cell::new(false),
            last: Cell::new(None),
            joins: RefCell::default(),
            accounts: RefCell::default(),
            faults: RefCell::default(),
        })
    }

    pub(crate) async fn run<B: Bring>(self: &Rc<Self>, server: &mut Server, crowd: &mut B) -> Result<Verdict> {
        let start = server.settled().await?;
        let (mut peers, mut joiners) = (JoinSet::new(), JoinSet::new());
        peers.spawn_local(self.clone().publish());
        for number in 0..self.plan.players {
            peers.spawn_local(self.clone().watch(number));
        }
        joiners.spawn_local(self.clone().join());
        sleep_until(Instant::now() + SETTLE).await;

        self.phase.set(Phase::Quiet);
        let quiet = sample(server, self.plan.time).await?;
        self.phase.set(Phase::Between);
        let mut present = crowd.bring().await?;
        self.phase.set(Phase::Crowded);
        let crowded = sample(server, self.plan.time).await?;
        let summary = B::summary(&mut present);
        self.phase.set(Phase::Between);
        drop(present);

        // The good ones watch the crowd leave.
        let few = start.files + 2 * (self.plan.players as usize + 20);
        server.wait_for_files(few, FILES_BACK_WITHIN).await?;
        let after = server.sample()?;
        joiners.shutdown().await;
        self.is_over.set(true);
        let all = async { while peers.join_next().await.is_some() {} };
        if timeout(SETTLES_WITHIN, all).await.is_err() {
            self.blame(format!("{} good peers did not come to an end", peers.len()));
        }
        let files = server.wait_for_files(start.files, FILES_BACK_WITHIN).await?;
        let end = server.sample()?;
        let status = server.stop(STOPS_WITHIN).await;

        let mut verdict = Verdict::default();
        self.judge(&mut verdict, &mut server.journal());
        verdict.check(
            files <= start.files,
            format!(
                "{} descriptors at the start, {} before the crowd, up to {} with it, {} after it, {files} at the end",
                start.files,
                most(&quiet, |sample| sample.files as f64),
                most(&crowded, |sample| sample.files as f64),
                after.files
            ),
        );
        verdict.check(
            status.as_ref().is_ok_and(std::process::ExitStatus::success),
            format!("end after SIGTERM: {status:?}"),
        );
        let memory = |samples: &[Sample]| most(samples, |sample| sample.memory) / 1_024.0;
        verdict.state(format!(
            "resident memory in MiB: {:.1} at the start, {:.1} before the crowd, up to {:.1} with it, {:.1} after it, {:.1} \
             when all had left",
            start.memory / 1_024.0,
            memory(&quiet),
            memory(&crowded),
            after.memory / 1_024.0,
            end.memory / 1_024.0
        ));
        verdict.state(format!(
            "the server's share of a core: {:.1} % before the crowd, {:.1} % with it",
            share(&quiet),
            share(&crowded)
        ));
        verdict.state(summary);
        verdict.close(&server.journal());
        Ok(verdict)
    }

    async fn publish(self: Rc<Self>) {
        let publish = Publish {
            seat: self.seat(Ipv4Addr::new(127, 0, 1, 250), STREAM.to_owned()),
            speaks_http: false,
            origin: 0,
            farewell: Farewell::Proper,
        };
        let far = Instant::now() + Duration::from_secs(86_400);
        let published = publish.run(&self.pattern, far, &self.is_over).await;
        self.last.set(published.last);
        if let Some(error) = published.error {
            self.blame(format!("the publisher: {error}"));
        }
        if let Some(address) = published.local {
            self.accounts.borrow_mut().push(Account {
                name: "publisher".to_owned(),
                address,
                frames: published.frames,
                is_complete: true,
            });
        }
    }

    /// A good player from the beginning to the end.
    async fn watch(self: Rc<Self>, number: u32) {
        let seat = self.seat(address(1, number), format!("{STREAM}?wait=30"));
        let speaks = by_turns(number);
        let far = Instant::now() + Duration::from_secs(86_400);
        let mut checker = Checker::default();
        let played = play(&seat, speaks, &self.pattern, &mut checker, far).await;
        if !matches!(played.end, End::OfStream) {
            checker.blame(format!("it ended early: {:?}", played.end));
        } else if checker.newest() != self.last.get().map(|last| (0, last)) {
            checker.blame(format!(
                "its last frame was {:?} of {:?}",
                checker.newest(),
                self.last.get()
            ));
        }
        for fault in checker.faults {
            self.blame(format!("player {number} by {speaks:?}: {fault}"));
        }
        if let Some(address) = played.local {
            self.accounts.borrow_mut().push(Account {
                name: format!("player {number} by {speaks:?}"),
                address,
                frames: checker.frames,
                is_complete: true,
            });
        }
    }

    /// Lets a player join now and again.
    async fn join(self: Rc<Self>) {
        let mut players = JoinSet::new();
        let mut next = Instant::now() + SETTLE;
        for number in 0.. {
            sleep_until(next).await;
            next += self.plan.join_interval;
            while players.try_join_next().is_some() {}
            players.spawn_local(self.clone().join_once(number));
        }
    }

    async fn join_once(self: Rc<Self>, number: u32) {
        let phase = self.phase.get();
        let seat = self.seat(address(5, number), STREAM.to_owned());
        let speaks = by_turns(number);
        let mut checker = Checker::default();
        let until = (Instant::now() + JOINS_WITHIN, Some(STAY));
        let played = play_for(&seat, speaks, &self.pattern, &mut checker, until).await;
        let time = match played.join {
            Some(time) => time,
            None => return self.blame(format!("player {number} by {speaks:?} did not join: {:?}", played.end)),
        };
        for fault in checker.faults {
            self.blame(format!("player {number} by {speaks:?}: {fault}"));
        }
        // The crowd may have come or gone meanwhile.
        if self.phase.get() == phase {
            self.joins.borrow_mut().push((phase, speaks, time));
        }
    }

    fn judge(&self, verdict: &mut Verdict, journal: &mut Journal) {
        let accounts = self.accounts.borrow();
        let faults = self.faults.borrow();
        let frames: u64 = accounts.iter().map(|account| account.frames).sum();
        verdict.check(
            faults.is_empty() && frames > 0,
            format!(
                "{} good players, {frames} frames, {} faults",
                self.plan.players,
                faults.len()
            ),
        );
        for fault in faults.iter() {
            verdict.check(false, fault.clone());
        }
        verdict.compare(accounts.iter(), journal);
        for (phase, what) in [(Phase::Quiet, "before the crowd"), (Phase::Crowded, "with the crowd")] {
            for asked in [Speaks::Rtmp, Speaks::Http] {
                let joins = self.joins.borrow();
                let times = joins.iter().filter(|join| (join.0, join.1) == (phase, asked));
                let times: Vec<_> = times.map(|join| join.2).collect();
                let text = format!("connect to first keyframe {what}, {asked:?}: {}", quantiles(&times));
                verdict.check(!times.is_empty(), text);
            }
        }
    }

    fn blame(&self, fault: String) {
        let mut faults = self.faults.borrow_mut();
        if faults.len() < MAX_FAULTS {
            faults.push(fault);
        }
    }

    fn seat(&self, source: Ipv4Addr, stream: String) -> Seat {
        Seat {
            rtmp: self.rtmp,
            http: self.http,
            source,
            stream,
        }
    }
}

/// Looks at a server for a time.
async fn sample(server: &Server, time: Duration) -> Result<Vec<Sample>> {
    let until = Instant::now() + time;
    let mut samples = vec![server.sample()?];
    while Instant::now() < until {
        sleep_until(until.min(Instant::now() + SAMPLE_INTERVAL)).await;
        samples.push(server.sample()?);
    }
    Ok(samples)
}

fn most(samples: &[Sample], what: impl Fn(&Sample) -> f64) -> f64 {
    samples.iter().map(what).fold(0.0, f64::max)
}

/// Per cent of a core.
fn share(samples: &[Sample]) -> f64 {
    let [first, .., last] = samples else { return 0.0 };
    (last.processor - first.processor) / (last.at - first.at).as_secs_f64() * 100.0
}

/// An address for one peer.
fn address(group: u8, number: u32) -> Ipv4Addr {
    let [.., host] = (number % 240).to_be_bytes();
    Ipv4Addr::new(127, 0, group, 1 + host)
}

fn by_turns(number: u32) -> Speaks {
    if number.is_multiple_of(2) {
        Speaks::Rtmp
    } else {
        Speaks::Http
    }
}

/// What a crowd that did not come is.
pub(crate) fn absent(reason: &str) -> Error {
    Error::new(ErrorKind::TimedOut, format!("the crowd did not come: {reason}"))
}
