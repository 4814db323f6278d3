//! Whether a server was up to a soak.

use crate::shared::journal::Journal;
use crate::shared::server::Sample;
use crate::shared::verdict::{Verdict, list, quantiles};
use crate::world::Tally;
use std::io::Result;
use std::process::ExitStatus;
use std::time::Duration;

/// Memory is judged in runs at least this long: until then, what a server keeps for good is still coming.
const MEMORY_JUDGED_FROM: Duration = Duration::from_secs(150);
/// By how much the median of the last third may be above that of the second fifth.
const MEMORY_SHARE: f64 = 0.02;
const MEMORY_SLACK_KIB: f64 = 1_024.0;

/// `samples`: one from before the peers came, those under load, and one from after they left. `files`: descriptors open then.
pub(crate) fn judge(
    tally: &Tally,
    journal: &mut Journal,
    samples: &[Sample],
    files: usize,
    status: Result<ExitStatus>,
) -> Verdict {
    let mut verdict = Verdict::default();
    let plays = tally.plays.len();
    verdict.check(
        tally.fault_count == 0 && tally.frames > 0,
        format!(
            "{plays} good plays, {} frames, {} faults",
            tally.frames, tally.fault_count
        ),
    );
    for fault in &tally.faults {
        verdict.check(false, fault.clone());
    }
    verdict.compare(tally.publishes.iter().chain(&tally.plays), journal);
    check_samples(&mut verdict, samples, files);
    let is_clean = status.as_ref().is_ok_and(ExitStatus::success);
    let text = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    verdict.check(is_clean, format!("end after SIGTERM: {text}"));
    verdict.state(format!("connect to first keyframe: {}", quantiles(&tally.joins)));
    verdict.state(list(&tally.counts));
    verdict.close(journal);
    verdict
}

fn check_samples(verdict: &mut Verdict, samples: &[Sample], files: usize) {
    let [first, under_load @ .., last] = samples else {
        return;
    };
    let Some(last_under_load) = under_load.last() else {
        return;
    };
    let most_files = under_load.iter().map(|sample| sample.files).max().unwrap_or_default();
    verdict.check(
        files <= first.files,
        format!(
            "{} descriptors at the start, up to {most_files} under load, {files} at the end",
            first.files
        ),
    );
    let threads = under_load.iter().map(|sample| sample.threads);
    let (least, most) = (threads.clone().min(), threads.max());
    verdict.check(
        least == most,
        format!(
            "{} threads at least, {} at most",
            least.unwrap_or_default(),
            most.unwrap_or_default()
        ),
    );

    let second_fifth = median(&under_load[under_load.len() / 5..(under_load.len() * 2).div_ceil(5)]);
    let last_third = median(&under_load[under_load.len() * 2 / 3..]);
    let bound = second_fifth * (1.0 + MEMORY_SHARE) + MEMORY_SLACK_KIB;
    let time = last_under_load.at - first.at;
    let peak = under_load.iter().map(|sample| sample.memory).fold(0.0, f64::max);
    let text = format!(
        "resident memory in MiB: {:.1} at the start, {:.1} in the second fifth, {:.1} in the last third (at most {:.1}), \
         peak {:.1}, {:.1} when all had left",
        first.memory / 1_024.0,
        second_fifth / 1_024.0,
        last_third / 1_024.0,
        bound / 1_024.0,
        peak / 1_024.0,
        last.memory / 1_024.0,
    );
    if time >= MEMORY_JUDGED_FROM {
        verdict.check(last_third <= bound, text);
    } else {
        verdict.state(format!("{text}; too short to judge"));
    }
    let share = (last_under_load.processor - first.processor) / time.as_secs_f64();
    verdict.state(format!(
        "{:.1} % of a core for {:.0} s",
        share * 100.0,
        time.as_secs_f64()
    ));
}

fn median(samples: &[Sample]) -> f64 {
    let mut values: Vec<_> = samples.iter().map(|sample| sample.memory).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
