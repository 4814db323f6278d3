//! What one run measured, on its way from the load generator to the table.

use clap::ValueEnum;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// One measured quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Measure {
    /// Length of the measurement.
    Seconds,
    UserSeconds,
    SystemSeconds,
    /// Bits that all players together received; where there are none, bits that were published.
    Gigabits,
    /// Bytes received over bytes published for them; the crowd of latecomers is left out.
    DeliveredRatio,
    FollowedFrames,
    LostFrames,
    DelayP50,
    DelayP99,
    DelayMax,
    JoinP50,
    JoinP99,
    /// Players that got no picture or were cut off.
    Failed,
    /// In KiB: before any player came, at the start of the measurement, and the most ever.
    ResidentBefore,
    Resident,
    ResidentPeak,
}

/// What one run measured. Times are in milliseconds.
#[derive(Debug, Default, Clone)]
pub(crate) struct Outcome(BTreeMap<Measure, f64>);

impl Outcome {
    pub(crate) fn set(&mut self, measure: Measure, value: f64) {
        self.0.insert(measure, value);
    }

    /// What was measured, if it was.
    pub(crate) fn get(&self, measure: Measure) -> Option<f64> {
        self.0.get(&measure).copied()
    }

    /// Sets up to three quantiles of `times`.
    pub(crate) fn set_quantiles(&mut self, mut times: Vec<Duration>, quantiles: &[(Measure, f64)]) {
        times.sort();
        for (measure, quantile) in quantiles {
            let index = (times.len().saturating_sub(1) as f64 * quantile).round();
            if let Some(time) = times.get(index as usize) {
                self.set(*measure, time.as_secs_f64() * 1e3);
            }
        }
    }

    /// The median of each quantity.
    pub(crate) fn median(runs: &[Outcome]) -> Outcome {
        let measures = Measure::value_variants().iter();
        Outcome(
            measures
                .filter_map(|measure| {
                    let mut values: Vec<_> = runs.iter().filter_map(|run| run.get(*measure)).collect();
                    values.sort_by(f64::total_cmp);
                    Some((*measure, *values.get(values.len() / 2)?))
                })
                .collect(),
        )
    }

    /// Reads what `Display` writes; other lines are skipped.
    pub(crate) fn parse(lines: impl Iterator<Item = String>) -> Outcome {
        Outcome(
            lines
                .filter_map(|line| {
                    let (name, value) = line.split_once(' ')?;
                    Some((Measure::from_str(name, false).ok()?, value.parse().ok()?))
                })
                .collect(),
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (measure, value) in &self.0 {
            let name = measure.to_possible_value();
            writeln!(f, "{} {value}", name.as_ref().map_or("", |name| name.get_name()))?;
        }
        Ok(())
    }
}
