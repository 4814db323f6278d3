//! Makes a plan that fails smaller, for as long as it fails in the same way: fewer actors, fewer faults, less time.

use crate::plan::Plan;
use crate::swarm;
use headwater_core::server::Config;

/// Plans that the shrinker may try: a minute of them at the most.
const MAX_TRIES: usize = 2_000;

/// The smallest plan that it finds, which fails as `plan` does, for `reason`.
pub fn shrink(plan: &Plan, reason: &str) -> Plan {
    let mut shrinker = Shrinker {
        plan: plan.clone(),
        kind: kind(reason),
        tries: 0,
    };
    while shrinker.tries < MAX_TRIES && shrinker.step() {}
    shrinker.plan
}

struct Shrinker {
    plan: Plan,
    kind: String,
    tries: usize,
}

impl Shrinker {
    /// Tries everything once. Returns whether something could go.
    fn step(&mut self) -> bool {
        let mut is_smaller = false;
        // Halves of the faults first, then quarters, and so on.
        let mut len = self.plan.troubles.len().div_ceil(2);
        while len > 0 {
            let mut start = 0;
            while start < self.plan.troubles.len() {
                let end = (start + len).min(self.plan.troubles.len());
                let goes = self.accept(|plan| drop(plan.troubles.drain(start..end)));
                is_smaller |= goes;
                start = if goes { start } else { end };
            }
            len /= 2;
        }
        for index in 0..self.plan.parts.len() {
            is_smaller |= !self.plan.parts[index].is_absent && self.accept(|plan| plan.parts[index].is_absent = true);
        }
        let last = self.plan.troubles.last().map_or(0, |trouble| trouble.tick + 1);
        for ticks in [last, self.plan.ticks / 2, self.plan.ticks.saturating_sub(10)] {
            is_smaller |= ticks < self.plan.ticks && self.accept(|plan| plan.ticks = ticks);
        }
        is_smaller |= self.plan.scarcity.is_some() && self.accept(Plan::lift_scarcity);
        is_smaller |= self.plan.shards > 1 && self.accept(|plan| plan.shards -= 1);
        is_smaller | self.plain_config()
    }

    /// Tries to do with less of a configuration.
    fn plain_config(&mut self) -> bool {
        let mut plain = Config::default();
        plain.keeps_events = true;
        let changes: [fn(&mut Config, &Config); 8] = [
            |config, plain| config.limits = plain.limits.clone(),
            |config, plain| config.channel = plain.channel.clone(),
            |config, plain| config.limits.output_high_water = plain.limits.output_high_water,
            |config, plain| config.channel.merge = plain.channel.merge,
            |config, plain| config.authorize = plain.authorize,
            |config, plain| config.takeover = plain.takeover,
            |config, plain| config.grace = plain.grace,
            |config, plain| config.http_absent = plain.http_absent,
        ];
        let mut is_smaller = false;
        for change in changes {
            let mut config = self.plan.config.clone();
            change(&mut config, &plain);
            is_smaller |= config != self.plan.config && self.accept(|plan| plan.config = config);
        }
        is_smaller
    }

    /// Whether the plan still fails with a change, which is then made.
    fn accept(&mut self, change: impl FnOnce(&mut Plan)) -> bool {
        if self.tries >= MAX_TRIES {
            return false;
        }
        self.tries += 1;
        let mut plan = self.plan.clone();
        change(&mut plan);
        let fails = swarm::run(&plan, false).is_err_and(|reason| kind(&reason) == self.kind);
        if fails {
            self.plan = plan;
        }
        fails
    }
}

/// The first words of a reason, which are the same whoever it concerns.
fn kind(reason: &str) -> String {
    let words = reason
        .split_whitespace()
        .filter(|word| word.chars().all(char::is_alphabetic));
    words.take(6).collect::<Vec<_>>().join(" ")
}
