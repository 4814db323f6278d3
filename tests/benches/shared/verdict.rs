//! What was looked at in a run, and whether it was right.

use super::journal::Journal;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// What was looked at, and whether it was right.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    checks: Vec<(bool, String)>,
    /// What else is worth knowing.
    facts: Vec<String>,
    /// The end of the server's log, if something was wrong.
    log: Vec<String>,
}

/// What a good peer counted itself.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) frames: u64,
    /// Whether it got everything, so that the server must have counted as much.
    pub(crate) is_complete: bool,
}

/// Frames that may be on their way to a player when it leaves: those of its socket's buffers, some 4 MiB.
const MAX_IN_FLIGHT: u64 = 1_000;

impl Verdict {
    pub(crate) fn is_good(&self) -> bool {
        self.checks.iter().all(|(is_good, _)| *is_good)
    }

    pub(crate) fn check(&mut self, is_good: bool, text: String) {
        self.checks.push((is_good, text));
    }

    pub(crate) fn state(&mut self, fact: String) {
        self.facts.push(fact);
    }

    /// The server's counters beside those of its good peers.
    pub(crate) fn compare<'a>(&mut self, accounts: impl Iterator<Item = &'a Account>, journal: &mut Journal) {
        let (mut wrong, mut absent, mut missed) = (Vec::new(), 0, 0);
        let (mut all, mut repairs) = (0, 0);
        for account in accounts {
            all += 1;
            let Account {
                name,
                address,
                frames,
                is_complete,
            } = account;
            let Some(totals) = journal.totals(*address) else {
                absent += 1;
                continue;
            };
            let most = if *is_complete { *frames } else { frames + MAX_IN_FLIGHT };
            if !(*frames..=most).contains(&totals.frames) {
                wrong.push(format!(
                    "{name}: {frames} frames here, {} there ({})",
                    totals.frames, totals.cause
                ));
            }
            missed += totals.missed;
            repairs += totals.repairs;
        }
        self.check(
            wrong.is_empty() && missed == 0,
            format!(
                "counters of {all} good plays and publishes: {} differ, {missed} frames missed, {repairs} timestamps \
                 repaired {}",
                wrong.len(),
                wrong.first().map_or("", String::as_str),
            ),
        );
        self.check(
            absent == 0,
            format!("{absent} good plays and publishes without an end in the log"),
        );
    }

    /// What the server said that it must not say, and the end of its log if anything was wrong.
    pub(crate) fn close(&mut self, journal: &Journal) {
        let cut = journal.count("connections are cut off");
        self.check(cut == 0, format!("{cut} times connections were cut off at the end"));
        let strange = journal.strange.len();
        let first = journal.strange.first().map_or("", String::as_str);
        self.check(
            strange == 0,
            format!("{strange} lines on standard error that are no log {first}"),
        );
        self.state(format!("the log: {}", list(&journal.counts)));
        if !self.is_good() {
            self.log = journal.tail().map(str::to_owned).collect();
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (is_good, text) in &self.checks {
            writeln!(f, "  {} {text}", if *is_good { "ok  " } else { "FAIL" })?;
        }
        for fact in &self.facts {
            writeln!(f, "       {fact}")?;
        }
        for line in &self.log {
            writeln!(f, "  log: {line}")?;
        }
        Ok(())
    }
}

/// Counts, with what they count.
pub(crate) fn list(counts: &std::collections::BTreeMap<String, u64>) -> String {
    let items: Vec<_> = counts.iter().map(|(what, count)| format!("{what}: {count}")).collect();
    items.join(", ")
}

/// How many times there are, and their quantiles in milliseconds.
pub(crate) fn quantiles(times: &[Duration]) -> String {
    let mut times = times.to_vec();
    times.sort();
    let [.., longest] = times[..] else {
        return "none".to_owned();
    };
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
    format!(
        "{}, in ms: {:.1} p50, {:.1} p99, {:.1} at most",
        times.len(),
        at(50),
        at(99),
        longest.as_secs_f64() * 1e3
    )
}
