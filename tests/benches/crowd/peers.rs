//! The crowd: connections that say next to nothing, and senders of garbage that come back each time.

use crate::shared::hostile::{Garbage, Silent};
use crate::shared::media::{Noise, Pattern};
use crate::shared::player::Seat;
use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// How many of them, and whom they trouble.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    pub(crate) rtmp: SocketAddr,
    pub(crate) http: SocketAddr,
    /// Connections from one address.
    pub(crate) silent: u32,
    /// Peers of ten other addresses.
    pub(crate) garbage: u32,
    /// The stream that others watch.
    pub(crate) stream: String,
}

/// What the crowd has done so far.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    /// Silent connections that have been tried, each at least once.
    pub(crate) tried: Cell<u32>,
    /// Silent connections that were ended by the server, and those that are there.
    pub(crate) thrown_out: Cell<u64>,
    pub(crate) present: Cell<u32>,
    pub(crate) garbage: Cell<u64>,
}

/// The time in which all of them come.
const ARRIVAL: Duration = Duration::from_secs(2);
/// Before a silent peer that was thrown out comes back; up to twice that.
const RETURN: Duration = Duration::from_secs(1);
/// Before a sender of garbage does.
const REPEAT: Duration = Duration::from_millis(500);
/// How long a sender of garbage waits to be thrown out.
const GARBAGE_TIME: Duration = Duration::from_secs(2);

const SILENT_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
const GARBAGE_SOURCES: u8 = 10;

impl Crowd {
    /// Lets them come. They stay until the tasks are dropped.
    pub(crate) fn spawn(self, deeds: &Rc<Deeds>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for number in 0..self.silent {
            let delay = ARRIVAL * number / self.silent;
            tasks.spawn_local(self.clone().be_silent(number, delay, deeds.clone()));
        }
        let pattern = Rc::new(Pattern::new());
        for number in 0..self.garbage {
            let delay = ARRIVAL * number / self.garbage;
            tasks.spawn_local(self.clone().send_garbage(number, delay, pattern.clone(), deeds.clone()));
        }
        tasks
    }

    async fn be_silent(self, number: u32, delay: Duration, deeds: Rc<Deeds>) {
        let mut noise = Noise::new(number.into());
        sleep(delay).await;
        let kind = Silent::ALL[number as usize % Silent::ALL.len()];
        deeds.tried.set(deeds.tried.get() + 1);
        loop {
            deeds.present.set(deeds.present.get() + 1);
            let seat = self.seat(SILENT_SOURCE);
            // An hour: until the server ends it.
            let until = Instant::now() + Duration::from_secs(3_600);
            let _ = kind.run(&seat, noise.next().is_multiple_of(2), until).await;
            deeds.present.set(deeds.present.get() - 1);
            deeds.thrown_out.set(deeds.thrown_out.get() + 1);
            sleep(noise.time(RETURN, 2 * RETURN)).await;
        }
    }

    async fn send_garbage(self, number: u32, delay: Duration, pattern: Rc<Pattern>, deeds: Rc<Deeds>) {
        let mut noise = Noise::new((1_000_000 + number).into());
        sleep(delay).await;
        loop {
            let source = 67 + noise.next().to_le_bytes()[2] % GARBAGE_SOURCES;
            let seat = self.seat(Ipv4Addr::new(127, 0, 0, source));
            let kind = *noise.choose(&Garbage::ALL);
            let _ = kind.run(&seat, &pattern, &mut noise, GARBAGE_TIME).await;
            deeds.garbage.set(deeds.garbage.get() + 1);
            sleep(REPEAT).await;
        }
    }

    fn seat(&self, source: Ipv4Addr) -> Seat {
        Seat {
            rtmp: self.rtmp,
            http: self.http,
            source,
            stream: self.stream.clone(),
        }
    }
}

impl Deeds {
    /// In one line.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{} silent connections are there, {} were thrown out and came back; {} times garbage",
            self.present.get(),
            self.thrown_out.get(),
            self.garbage.get()
        )
    }
}
