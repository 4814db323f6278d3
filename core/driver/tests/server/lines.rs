//! The log of a test: what a server says while a test's own thread drives it.

#![allow(dead_code, reason = "each test crate uses some of it")]

use std::fmt::{Debug, Write as _};
use std::mem;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// The lines that `act` logs, but for those that only help to find faults.
pub(crate) fn lines_of(act: impl FnOnce()) -> Vec<String> {
    let lines = Lines::new();
    act();
    lines.take()
}

/// Collects the lines of this thread until it is dropped.
pub(crate) struct Lines {
    collected: Collector,
    _first: DefaultGuard,
    /// While there is one subscriber only, a line that another test's thread logs first, which has none, is off for all.
    _second: Dispatch,
}

impl Lines {
    pub(crate) fn new() -> Self {
        let collected = Collector::default();
        let _second = Dispatch::new(Collector::default());
        Lines {
            _first: tracing::subscriber::set_default(collected.clone()),
            _second,
            collected,
        }
    }

    /// Those that are new since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        mem::take(&mut self.collected.0.lock().unwrap())
    }
}

/// Writes lines as the text format of the binaries does: strings quoted and escaped, what is displayed as it is.
#[derive(Default, Clone)]
struct Collector(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
