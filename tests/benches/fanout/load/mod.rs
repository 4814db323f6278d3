//! The load generator: publishers and players of one run, in a process and on a core of their own.
//!
//! It never waits in the kernel for a socket: a server would pay for each time that it wakes us. It looks at the sockets
//! instead, at those that it follows all the time, at the others every two milliseconds, and sleeps between.

mod player;
mod publisher;
mod socket;

use crate::conversation::Conversation;
use crate::media::{self, Pattern};
use crate::options::{Load, Proto};
use crate::outcome::{Measure, Outcome};
use crate::process::{Memory, ProcessorTime, is_alive};
use crate::progress::Progress;
use player::{Manner, Player};
use publisher::Publisher;
use std::io::{Error, Result};
use std::net::SocketAddr;
use std::ops::Range;
use std::thread;
use std::time::Duration;

/// Between two looks at the sockets whose bytes only count.
const SWEEP_INTERVAL: Duration = Duration::from_millis(2);
/// Sockets looked at in a row, before those that are followed get their turn: about 50 µs.
const SWEEP_STEP: usize = 64;
/// Pause when there was nothing to do.
const REST: Duration = Duration::from_micros(50);

/// How long publishers publish before the first player comes: a GOP cache is full then.
const LEAD: Duration = Duration::from_millis(2_200);
/// How fast players come, before it is measured.
const JOINS_PER_SECOND: usize = 500;
/// The time in which the crowd comes.
const CROWD_TIME: Duration = Duration::from_millis(200);
/// From the last player's first picture to the measurement.
const SETTLE: Duration = Duration::from_secs(1);
/// How long publishers may take to start, and players to get a picture.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Between two looks at whether they have.
const POLL: Duration = Duration::from_millis(10);

/// Loads the server and prints the outcome.
pub(crate) fn run(options: &Load) -> Result<()> {
    let mut load = Generator::new(options);
    let mut outcome = Outcome::default();

    load.progress.say("publishers come");
    load.publish()?;
    load.run_for(if options.floor.is_some() { Duration::ZERO } else { LEAD })?;
    if options.workload.silent {
        load.publishers.iter_mut().for_each(Publisher::fall_silent);
    }
    outcome.set(Measure::ResidentBefore, Memory::of(options.server)?.resident);

    load.progress.say("players come");
    let (players, stalled) = (options.workload.players, options.workload.stalled);
    let time = Duration::from_secs_f64((players + stalled) as f64 / JOINS_PER_SECOND as f64);
    let regulars = load.join(players, options.samples, Manner::Drains, time)?;
    load.join(stalled, 0, Manner::Stalls, time)?;
    load.wait_for_joins()?;
    load.run_for(SETTLE)?;
    outcome.set(Measure::Resident, Memory::of(options.server)?.resident);

    load.progress.say("measuring");
    let began = media::now();
    let until = began + Duration::from_secs(options.secs);
    let cost = ProcessorTime::of(options.server)?;
    let bytes = load.bytes(0..load.players.len());
    let regular_bytes = load.bytes(regulars.clone());
    load.players
        .iter_mut()
        .for_each(|player| player.record = player::Record::default());
    let crowd = if options.workload.crowd > 0 {
        load.run_until(began + (until - began) / 4)?;
        Some(load.join(options.workload.crowd, 0, Manner::Drains, CROWD_TIME)?)
    } else {
        None
    };
    load.run_until(until)?;
    let ended = ProcessorTime::of(options.server)?;
    let memory = Memory::of(options.server)?;
    let seconds = (media::now() - began).as_secs_f64();

    let published = load.pattern.bytes_per_second() * seconds;
    let regular_bytes = load.bytes(regulars.clone()) - regular_bytes;
    let all_bytes = (load.bytes(0..load.players.len()) - bytes) as f64;
    let streams = options.workload.streams as f64;
    outcome.set(Measure::Seconds, seconds);
    outcome.set(Measure::UserSeconds, ended.user - cost.user);
    outcome.set(Measure::SystemSeconds, ended.system - cost.system);
    let is_played = players > 0;
    outcome.set(
        Measure::Gigabits,
        if is_played { all_bytes } else { published * streams } * 8.0 / 1e9,
    );
    if is_played && !options.workload.silent {
        outcome.set(
            Measure::DeliveredRatio,
            regular_bytes as f64 / (published * players as f64),
        );
    }
    outcome.set(Measure::ResidentPeak, memory.peak);
    load.report(crowd.unwrap_or(regulars), &mut outcome);
    load.progress.clear();
    print!("{outcome}");
    Ok(())
}

struct Generator<'a> {
    options: &'a Load,
    pattern: Pattern,
    publishers: Vec<Publisher>,
    players: Vec<Player>,
    /// Players that are looked at all the time: those that join and those that are followed.
    watched: Vec<usize>,
    /// The next player of the sweep under way, and when the next sweep begins.
    sweep: usize,
    next_sweep: Duration,
    scratch: Vec<u8>,
    progress: Progress,
}

impl<'a> Generator<'a> {
    fn new(options: &'a Load) -> Self {
        Generator {
            options,
            pattern: Pattern::new(),
            publishers: Vec::new(),
            players: Vec::new(),
            watched: Vec::new(),
            sweep: 0,
            next_sweep: Duration::ZERO,
            scratch: vec![0; 256 << 10],
            progress: Progress::new(),
        }
    }

    fn publish(&mut self) -> Result<()> {
        let count = self.options.workload.streams;
        let Some(server) = self.options.rtmp else { return Ok(()) };
        for index in 0..count {
            let phase = media::GOP * u32::try_from(index).unwrap_or(0) / u32::try_from(count).unwrap_or(1);
            self.publishers.push(Publisher::connect(server, &stream(index), phase)?);
        }
        let until = media::now() + TIMEOUT;
        while !self.publishers.iter().all(Publisher::has_started) {
            if media::now() >= until {
                return Err(Error::other("a publisher was not admitted"));
            }
            self.run_for(POLL)?;
        }
        Ok(())
    }

    /// Lets `count` players come within `time`, some of whom are followed.
    fn join(&mut self, count: usize, followed: usize, manner: Manner, time: Duration) -> Result<Range<usize>> {
        let first = self.players.len();
        let began = media::now();
        let followed = followed.min(count);
        for index in 0..count {
            self.run_until(began + time.mul_f64(index as f64 / count as f64))?;
            // The followed ones lie evenly among the others.
            let is_followed = (index + 1) * followed / count > index * followed / count;
            let manner = if is_followed { Manner::Follows } else { manner };
            let (server, conversation) = self.invitation(first + index)?;
            self.watched.push(self.players.len());
            self.players.push(Player::connect(server, manner, conversation)?);
        }
        Ok(first..self.players.len())
    }

    /// Where player `index` connects to, and what it says.
    fn invitation(&self, index: usize) -> Result<(SocketAddr, Conversation)> {
        if let Some(floor) = self.options.floor {
            return Ok((floor, Conversation::bare()));
        }
        let (proto, server) = match self.options.proto {
            Proto::Mixed if index.is_multiple_of(2) => (Proto::Rtmp, self.options.rtmp),
            Proto::Rtmp => (Proto::Rtmp, self.options.rtmp),
            Proto::Flv | Proto::Mixed => (Proto::Flv, self.options.http),
        };
        let server = server.ok_or_else(|| Error::other("no address for this protocol"))?;
        // Players of both protocols share each stream.
        let stream = stream(index / 2 % self.options.workload.streams.max(1));
        let conversation = match proto {
            Proto::Rtmp => Conversation::rtmp(&stream),
            Proto::Flv | Proto::Mixed => Conversation::http(&stream),
        };
        Ok((server, conversation))
    }

    /// Waits until every player has a picture, but not for ever: a server that is overloaded leaves some without.
    fn wait_for_joins(&mut self) -> Result<()> {
        let until = media::now() + TIMEOUT;
        while media::now() < until && self.players.iter().any(Player::is_joining) {
            self.run_for(POLL)?;
        }
        Ok(())
    }

    fn run_for(&mut self, time: Duration) -> Result<()> {
        self.run_until(media::now() + time)
    }

    fn run_until(&mut self, until: Duration) -> Result<()> {
        while media::now() < until {
            if !self.turn()? {
                thread::sleep(REST);
            }
            if self.progress.is_due() {
                let playing = self.players.iter().filter(|player| !player.is_joining()).count();
                self.progress.update(&format!("{playing} players"));
                if !is_alive(self.options.server) {
                    return Err(Error::other("the server has died"));
                }
            }
        }
        Ok(())
    }

    /// Looks at what is due. Returns whether there was work.
    fn turn(&mut self) -> Result<bool> {
        let mut worked = false;
        for publisher in &mut self.publishers {
            worked |= publisher.poll(&self.pattern, &mut self.scratch)?;
        }
        let (players, scratch) = (&mut self.players, &mut self.scratch);
        self.watched.retain(|&index| {
            let player = &mut players[index];
            worked |= player.poll(scratch);
            player.is_joining() || player.manner() == Manner::Follows
        });
        if self.sweep == players.len() {
            if media::now() < self.next_sweep {
                return Ok(worked);
            }
            self.next_sweep = media::now() + SWEEP_INTERVAL;
            self.sweep = 0;
        }
        let end = players.len().min(self.sweep + SWEEP_STEP);
        for player in &mut players[self.sweep..end] {
            if player.manner() == Manner::Drains && !player.is_joining() {
                worked |= player.poll(scratch);
            }
        }
        worked |= end < players.len();
        self.sweep = end;
        Ok(worked)
    }

    fn bytes(&self, players: Range<usize>) -> u64 {
        self.players[players].iter().map(|player| player.bytes).sum()
    }

    fn report(&mut self, newcomers: Range<usize>, outcome: &mut Outcome) {
        let mut delays = Vec::new();
        let (mut received, mut lost) = (0, 0);
        for player in &mut self.players {
            lost += player.record.lost();
            received += player.record.received;
            delays.append(&mut player.record.delays);
        }
        outcome.set(Measure::FollowedFrames, received as f64);
        outcome.set(Measure::LostFrames, lost as f64);
        outcome.set_quantiles(
            delays,
            &[
                (Measure::DelayP50, 0.5),
                (Measure::DelayP99, 0.99),
                (Measure::DelayMax, 1.0),
            ],
        );
        let joins: Vec<_> = self.players[newcomers].iter().filter_map(Player::join_time).collect();
        let joined = self.players.iter().filter(|player| player.is_playing()).count();
        outcome.set(Measure::Failed, (self.players.len() - joined) as f64);
        outcome.set_quantiles(joins, &[(Measure::JoinP50, 0.5), (Measure::JoinP99, 0.99)]);
    }
}

fn stream(index: usize) -> String {
    format!("stream{index}")
}
