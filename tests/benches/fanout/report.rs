//! The table.

use crate::outcome::Measure::{self, *};
use crate::outcome::Outcome;
use crate::scenes::Case;
use crate::subject::Subject;

type Column = (&'static str, usize, fn(&Outcome, &Context) -> Option<String>);

/// What a cell needs besides its own row.
struct Context {
    /// Processor seconds per gigabit of the bare loop.
    floor: Option<f64>,
    connections: usize,
}

const COLUMNS: &[Column] = &[
    ("user", 7, |it, _| fixed(per_gigabit(it, it.get(UserSeconds)?), 4)),
    ("system", 7, |it, _| fixed(per_gigabit(it, it.get(SystemSeconds)?), 4)),
    ("s/Gb", 7, |it, _| fixed(cost(it), 4)),
    ("x floor", 7, |it, context| fixed(Some(cost(it)? / context.floor?), 2)),
    ("core %", 6, |it, _| fixed(Some(busy(it)? * 100.0), 1)),
    ("Gb/s", 6, |it, _| {
        fixed(Some(it.get(Gigabits)? / it.get(Seconds)?).filter(|rate| *rate > 0.0), 2)
    }),
    ("deliv %", 7, |it, _| fixed(Some(it.get(DeliveredRatio)? * 100.0), 1)),
    ("lost %", 6, |it, _| {
        let (received, lost) = (it.get(FollowedFrames)?, it.get(LostFrames)?);
        fixed(
            Some(lost / (received + lost) * 100.0).filter(|share| share.is_finite()),
            1,
        )
    }),
    ("delay p50", 9, |it, _| fixed(it.get(DelayP50), 2)),
    ("p99", 7, |it, _| fixed(it.get(DelayP99), 2)),
    ("max ms", 7, |it, _| fixed(it.get(DelayMax), 1)),
    ("join p50", 8, |it, _| fixed(it.get(JoinP50), 2)),
    ("p99 ms", 7, |it, _| fixed(it.get(JoinP99), 2)),
    ("KiB/player", 10, |it, context| {
        let grown = it.get(Resident)? - it.get(ResidentBefore)?;
        fixed(
            Some(grown / context.connections as f64).filter(|size| size.is_finite()),
            1,
        )
    }),
    ("peak MiB", 8, |it, _| fixed(Some(it.get(ResidentPeak)? / 1_024.0), 1)),
    ("failed", 6, |it, _| fixed(it.get(Failed), 0)),
];

/// Prints the medians of all rounds of a case.
pub(crate) fn print(case: &Case, outcomes: &[(String, Subject, Vec<Outcome>)]) {
    let medians: Vec<_> = outcomes
        .iter()
        .map(|(label, subject, runs)| (label, *subject, Outcome::median(runs)))
        .collect();
    let context = Context {
        floor: medians
            .iter()
            .find(|(_, subject, _)| *subject == Subject::Floor)
            .and_then(|(_, _, outcome)| cost(outcome)),
        connections: case.workload.players + case.workload.stalled,
    };
    let width = medians.iter().map(|(label, ..)| label.len()).max().unwrap_or(0);
    print!("{:width$}", "");
    for (title, width, _) in COLUMNS {
        print!("  {title:>width$}");
    }
    println!();
    for (label, _, outcome) in &medians {
        print!("{label:width$}");
        for (_, width, cell) in COLUMNS {
            let text = cell(outcome, &context).unwrap_or_else(|| "-".to_owned());
            print!("  {text:>width$}");
        }
        println!();
    }
    println!();
}

fn fixed(value: Option<f64>, digits: usize) -> Option<String> {
    Some(format!("{:.digits$}", value?))
}

/// Processor seconds per gigabit that players received.
fn cost(outcome: &Outcome) -> Option<f64> {
    per_gigabit(outcome, processor_seconds(outcome)?)
}

fn per_gigabit(outcome: &Outcome, seconds: f64) -> Option<f64> {
    outcome
        .get(Gigabits)
        .filter(|bits| *bits > 0.1)
        .map(|bits| seconds / bits)
}

/// The share of a core.
fn busy(outcome: &Outcome) -> Option<f64> {
    Some(processor_seconds(outcome)? / outcome.get(Measure::Seconds)?)
}

fn processor_seconds(outcome: &Outcome) -> Option<f64> {
    Some(outcome.get(UserSeconds)? + outcome.get(SystemSeconds)?)
}
