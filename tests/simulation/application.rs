//! The program that the servers run in, which is asked who may publish and play: it answers at once, late, never or twice.

use crate::rng::Rng;
use headwater_core::Time;
use headwater_core::server::{Answer, AuthorizeConfig, ConnectionId, Grant, Intent, Otherwise, Question, Ticket};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// How it answers a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// At once: yes.
    AtOnce,
    /// Yes, after so long. That may be too late.
    Late(Duration),
    Never,
    /// Yes, and then no.
    Twice,
    /// No.
    Denies,
    /// Yes, for so long.
    Briefly(Duration),
}

impl Habit {
    pub fn draw(rng: &mut Rng) -> Habit {
        match rng.below(6) {
            0 => Habit::AtOnce,
            1 => Habit::Late(rng.millis(1, 3_000)),
            2 => Habit::Never,
            3 => Habit::Twice,
            4 => Habit::Denies,
            // It is over when all is well, and the peer has come back.
            _ => Habit::Briefly(rng.millis(1, 800)),
        }
    }

    /// What it says, and after how long.
    fn answers(self) -> Vec<(Duration, Answer)> {
        let now = Duration::ZERO;
        match self {
            Habit::AtOnce => vec![(now, Answer::allow())],
            Habit::Late(delay) => vec![(delay, Answer::allow())],
            Habit::Never => Vec::new(),
            Habit::Twice => vec![(now, Answer::allow()), (Duration::from_millis(1), Answer::deny("no"))],
            Habit::Denies => vec![(now, Answer::deny("no"))],
            Habit::Briefly(lasts) => {
                let mut grant = Grant::default();
                grant.lasts = Some(lasts);
                vec![(now, Answer::Allow(grant))]
            }
        }
    }
}

/// How much later than its time a deadline may come.
const TIMER: Duration = Duration::from_millis(60);

/// What it will say, and what came of it.
#[derive(Debug)]
pub struct Application {
    habits: Vec<Habit>,
    config: AuthorizeConfig,
    /// Answers that are due at a time.
    due: Vec<(Time, Asked, Answer)>,
    /// Questions without an answer.
    open: Vec<Asked>,
    /// Connections that were asked about, and whether that was to publish.
    permits: HashMap<(ConnectionId, bool), Permits>,
    /// Questions that were answered.
    settled: HashSet<(usize, Ticket)>,
}

/// What it says to a worker.
#[derive(Debug)]
pub struct Reply {
    pub ticket: Ticket,
    pub answer: Answer,
    /// Whether the question was answered before, or had its time: the answer has to do nothing.
    pub is_stale: bool,
}

/// A question.
#[derive(Debug, Clone, Copy)]
struct Asked {
    ticket: Ticket,
    shard: usize,
    connection: ConnectionId,
    publishes: bool,
    /// When the server does without an answer.
    until: Time,
}

/// How often a connection may begin something, and did.
#[derive(Debug, Default)]
struct Permits {
    given: u32,
    used: u32,
}

impl Application {
    pub fn new(habits: &[Habit], config: AuthorizeConfig) -> Application {
        Application {
            habits: habits.to_vec(),
            config,
            due: Vec::new(),
            open: Vec::new(),
            permits: HashMap::new(),
            settled: HashSet::new(),
        }
    }

    /// A worker asks.
    pub fn ask(&mut self, now: Time, shard: usize, ticket: Ticket, question: &Question, rng: &mut Rng) {
        let Question::Authorize(request) = question else {
            panic!("nobody asked for this: {question:?}");
        };
        let asked = Asked {
            ticket,
            shard,
            connection: request.connection,
            publishes: request.intent == Intent::Publish,
            until: now + self.config.timeout,
        };
        let permits = self.permits.entry((asked.connection, asked.publishes)).or_default();
        permits.given += u32::from(self.config.otherwise == Otherwise::Allow);
        let answers = rng.pick(&self.habits).answers();
        if answers.is_empty() {
            self.open.push(asked);
        }
        let due = answers.into_iter().map(|(delay, answer)| (now + delay, asked, answer));
        self.due.extend(due);
    }

    /// When it says something next to a worker that listens.
    pub fn due(&self, listens: impl Fn(usize) -> bool) -> Option<Time> {
        let due = self.due.iter().filter(|(_, asked, _)| listens(asked.shard));
        due.map(|(at, ..)| *at).min()
    }

    /// What it says now to a worker, which has noticed how late it is.
    pub fn poll(&mut self, now: Time, shard: usize) -> Option<Reply> {
        let is_due = |(at, asked, _): &(Time, Asked, Answer)| *at <= now && asked.shard == shard;
        let index = self.due.iter().position(is_due)?;
        let (_, asked, answer) = self.due.remove(index);
        let is_late = now >= asked.until + TIMER;
        let is_stale = !self.settled.insert((shard, asked.ticket)) || is_late;
        let counts = !is_late && self.config.otherwise == Otherwise::Deny;
        if counts && matches!(answer, Answer::Allow(_)) {
            self.permits
                .entry((asked.connection, asked.publishes))
                .or_default()
                .given += 1;
        }
        Some(Reply {
            ticket: asked.ticket,
            answer,
            is_stale,
        })
    }

    /// A connection publishes or plays. If it was asked about, it was let in.
    pub fn note_begin(&mut self, connection: ConnectionId, publishes: bool) {
        if let Some(permits) = self.permits.get_mut(&(connection, publishes)) {
            permits.used += 1;
            assert!(permits.used <= permits.given, "{connection} was not let in, and is");
        }
    }

    /// From now on it answers all, at once, and what is open too.
    pub fn heal(&mut self, now: Time) {
        self.habits = vec![Habit::AtOnce];
        self.due.iter_mut().for_each(|(at, ..)| *at = now.min(*at));
        let open = self.open.drain(..).map(|asked| (now, asked, Answer::allow()));
        self.due.extend(open);
    }
}
