//! How many lanes this host bears now: local errors, CPU and executor lag in, number of lanes out.
//! Pure: the time is an argument, and who counts and measures is somebody else.
//!
//! Multiplicative down, at once; additive up, a step a second, and only while lanes are what probes
//! wait for. Where trouble came last is remembered as the *bound*: up to a little above it the steps
//! are small and come after a pause, which doubles each time that trouble comes there again. So it
//! finds what the host bears and stays near it; once the bound is passed it is forgotten, and the
//! steps are large.

mod signs;

pub use signs::{HOST_ERRORS, Signs};

/// How late a shard's tick may come, in microseconds, before it has too much to do: what the shard
/// measures, and when it sees a deadline, is wrong by as much.
pub const LAG_US_MAX: u32 = 100_000;

/// Fewest lanes, whatever the trouble, unless fewer are wanted.
const FLOOR: usize = 16;
/// After a step down, until errors that come are those of fewer lanes: the longest way of a report
/// and the pause of a probe that is made again.
const CALM_MS: u64 = 300;
/// The same for CPU and lag, which are measured by the second.
const STRAIN_CALM_MS: u64 = 2_000;
/// Seconds of too much CPU or lag in a row that are no hiccup.
const STRAIN_SECONDS: u8 = 2;
/// From trouble to the first step up, and at most when trouble comes again and again.
const HOLD_MS: u64 = 5_000;
const HOLD_MS_MAX: u64 = 60_000;
const SECOND_MS: u64 = 1_000;

/// Why the lanes are others now. Closed set: each is also a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// Down: the kernel had no slot, no port or no memory for a probe.
    LocalErrors,
    /// Down: the process uses more of the CPUs than it may.
    Cpu,
    /// Down: a shard came late to its own tick.
    Lag,
    /// A step up.
    Raised,
    /// The last step up: there are as many as are wanted again.
    Recovered,
}

impl Cause {
    /// Every cause, in declaration order: `ALL[c as usize] == c`.
    pub const ALL: [Cause; 5] = [
        Cause::LocalErrors,
        Cause::Cpu,
        Cause::Lag,
        Cause::Raised,
        Cause::Recovered,
    ];

    /// The one word for it in metrics, logs and documents.
    pub const fn label(self) -> &'static str {
        match self {
            Cause::LocalErrors => "local_errors",
            Cause::Cpu => "cpu",
            Cause::Lag => "lag",
            Cause::Raised => "raised",
            Cause::Recovered => "recovered",
        }
    }
}

/// What the governor goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The lanes that are wanted: never are there more.
    pub wish: usize,
    /// Steps are multiples of it: one lane for each shard. At least 1.
    pub unit: usize,
    /// Share of the CPUs that the process may use, in percent.
    pub cpu_percent_max: u32,
}

/// How many lanes there are to be now, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// From the floor to the wish.
    pub lanes: usize,
    /// What changed it.
    pub cause: Cause,
}

/// The most of the second under way.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    began_ms: u64,
    /// Of the second before, until there is a newer one: it is measured once a second, more or less.
    cpu_percent: u32,
    is_measured: bool,
    lag_us: u32,
    demand: usize,
    in_flight: usize,
}

/// The number of lanes, and what it depends on.
#[derive(Clone, Debug)]
pub struct Governor {
    rule: Rule,
    lanes: usize,
    /// Where trouble came last.
    bound: Option<usize>,
    hold_ms: u64,
    /// No step down before this, none up before that.
    calm_at: u64,
    climb_at: u64,
    second: Second,
    /// Probes under way at once in the second before.
    stood: usize,
    strained: u8,
}

impl Governor {
    /// As many lanes as are wanted.
    pub fn new(rule: Rule, now_ms: u64) -> Governor {
        Governor {
            rule,
            lanes: rule.wish,
            bound: None,
            hold_ms: HOLD_MS,
            calm_at: now_ms,
            climb_at: now_ms,
            second: Second {
                began_ms: now_ms,
                ..Second::default()
            },
            stood: 0,
            strained: 0,
        }
    }

    /// The lanes that there are to be now.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// Something else is wanted. A governor that held nothing back goes along at once, one that did
    /// climbs.
    pub fn set_rule(&mut self, rule: Rule) {
        let held_back = self.lanes < self.rule.wish;
        self.rule = rule;
        self.lanes = match held_back {
            true => self.lanes.max(self.floor()).min(rule.wish),
            false => rule.wish,
        };
    }

    /// Takes in what was seen since the last look and says what is to change, if anything. To be
    /// called several times a second.
    pub fn look(&mut self, signs: &Signs, now_ms: u64) -> Option<Decision> {
        let second = &mut self.second;
        if let Some(percent) = signs.cpu_percent {
            let before = if second.is_measured {
                second.cpu_percent
            } else {
                0
            };
            (second.cpu_percent, second.is_measured) = (percent.max(before), true);
        }
        second.lag_us = second.lag_us.max(signs.lag_us);
        second.demand = second.demand.max(signs.demand);
        second.in_flight = second.in_flight.max(signs.in_flight);
        let stood = self.stood.max(second.in_flight);
        let whole = (now_ms.saturating_sub(second.began_ms) >= SECOND_MS).then_some(*second);
        if let Some(whole) = whole {
            self.stood = whole.in_flight;
            *second = Second {
                began_ms: now_ms,
                cpu_percent: whole.cpu_percent,
                ..Second::default()
            };
        }
        if signs.are_trouble() {
            let demand = self.second.demand.max(signs.demand);
            return self.trouble(stood, demand, now_ms);
        }
        let second = whole?;
        match self.strain(&second) {
            Some(cause) => self.ease(cause, now_ms),
            None => self.climb(signs, &second, now_ms),
        }
    }

    /// The kernel refused probes: what stood all the same, at its most, is what it bears.
    /// Where few lanes are asked for, fewer would take nothing away: it is not they.
    fn trouble(&mut self, stood: usize, demand: usize, now_ms: u64) -> Option<Decision> {
        if now_ms < self.calm_at {
            return None;
        }
        if demand < self.lanes / 2 {
            self.climb_at = now_ms + self.hold_ms;
            return None;
        }
        let bears = stood.max(self.lanes / 2);
        if self.below(bears) >= self.lanes {
            // Other shards' lanes still hold what they held before the last step.
            self.climb_at = now_ms + self.hold_ms;
            return None;
        }
        self.hold_ms = match self.bound {
            Some(bound) if bound.abs_diff(bears) <= bound / 4 => {
                (self.hold_ms * 2).min(HOLD_MS_MAX)
            }
            _ => HOLD_MS,
        };
        self.lower(bears, Cause::LocalErrors, CALM_MS, now_ms)
    }

    /// Whether the second was one too many of too much.
    fn strain(&mut self, second: &Second) -> Option<Cause> {
        let cause = match () {
            () if second.cpu_percent > self.rule.cpu_percent_max => Some(Cause::Cpu),
            () if second.lag_us > LAG_US_MAX => Some(Cause::Lag),
            () => None,
        };
        self.strained = match cause {
            Some(_) => self.strained.saturating_add(1),
            None => 0,
        };
        cause.filter(|_| self.strained >= STRAIN_SECONDS)
    }

    fn ease(&mut self, cause: Cause, now_ms: u64) -> Option<Decision> {
        if now_ms < self.calm_at {
            return None;
        }
        self.lower(self.lanes, cause, STRAIN_CALM_MS, now_ms)
    }

    /// To seven eighths of what the host bears.
    fn lower(&mut self, bears: usize, cause: Cause, calm_ms: u64, now_ms: u64) -> Option<Decision> {
        let lanes = self.below(bears);
        self.bound = Some(bears);
        self.calm_at = now_ms + calm_ms;
        self.climb_at = now_ms + self.hold_ms;
        (lanes < self.lanes).then(|| {
            self.lanes = lanes;
            Decision { lanes, cause }
        })
    }

    /// One step up, if there is anything to be had from it and the last step down has come into
    /// effect: lanes that hold a silent proxy go only when it is given up.
    fn climb(&mut self, signs: &Signs, second: &Second, now_ms: u64) -> Option<Decision> {
        let Rule {
            wish,
            unit,
            cpu_percent_max: cpu,
        } = self.rule;
        // So much less than too much that a step does not lead there.
        let relaxed = second.cpu_percent <= cpu - cpu / 8 && second.lag_us <= LAG_US_MAX / 2;
        // A quarter of the lanes may be kept for proxies that are known to be alive.
        let asked_for = second.demand.saturating_mul(10) >= self.lanes * 7;
        let in_effect = signs.in_flight <= self.lanes;
        if self.lanes >= wish || now_ms < self.climb_at || !(relaxed && asked_for && in_effect) {
            return None;
        }
        if self
            .bound
            .is_some_and(|bound| self.lanes > bound + bound / 8)
        {
            self.bound = None;
            self.hold_ms = HOLD_MS;
        }
        let step = self.bound.map_or(wish / 16, |bound| bound / 64);
        let step = (step / unit * unit).max(unit);
        self.lanes = (self.lanes + step).min(wish);
        let cause = match self.lanes == wish {
            true => Cause::Recovered,
            false => Cause::Raised,
        };
        Some(Decision {
            lanes: self.lanes,
            cause,
        })
    }

    /// Seven eighths of `lanes`, in whole units.
    fn below(&self, lanes: usize) -> usize {
        let unit = self.rule.unit;
        (lanes * 7 / 8 / unit * unit).clamp(self.floor(), self.rule.wish)
    }

    fn floor(&self) -> usize {
        FLOOR.next_multiple_of(self.rule.unit).min(self.rule.wish)
    }
}

#[cfg(test)]
mod tests;
