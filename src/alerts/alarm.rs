//! What an operator can be told of: the closed list of alarms, and which a webhook wants.

/// Something that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// Fewer proxies are alive than `alerts.alive_below`.
    AliveBelow,
    /// A target does not answer without a proxy, or the snapshot is stale, whatever the reason.
    JudgeDown,
    /// A source failed `alerts.source_failures` times in a row.
    SourceDead,
    /// The last save of the ledger failed.
    StoreFailing,
}

impl Alarm {
    /// Every alarm.
    pub const ALL: [Alarm; 4] = [
        Alarm::AliveBelow,
        Alarm::JudgeDown,
        Alarm::SourceDead,
        Alarm::StoreFailing,
    ];

    /// The one word for it in JSON, metrics, logs and the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Alarm::AliveBelow => "alive_below",
            Alarm::JudgeDown => "judge_down",
            Alarm::SourceDead => "source_dead",
            Alarm::StoreFailing => "store_failing",
        }
    }

    /// How long it must last before it is told, and be over before that is told, in milliseconds.
    /// What counts failures in a row has waited already.
    pub(super) const fn hold_ms(self) -> u64 {
        match self {
            Alarm::AliveBelow | Alarm::JudgeDown => 10_000,
            Alarm::SourceDead | Alarm::StoreFailing => 0,
        }
    }
}

/// Whether something became wrong, or well again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is wrong.
    Firing,
    /// It is well again.
    Resolved,
}

impl Turn {
    /// The one word for it in JSON and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Turn::Firing => "firing",
            Turn::Resolved => "resolved",
        }
    }
}

/// What stands in the list of a webhook for the end of alarms.
pub const RECOVERED: &str = "recovered";

/// The words that a webhook may list.
pub const WORDS: [&str; Alarm::ALL.len() + 1] = [
    Alarm::AliveBelow.label(),
    Alarm::JudgeDown.label(),
    Alarm::SourceDead.label(),
    Alarm::StoreFailing.label(),
    RECOVERED,
];

/// What a webhook is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    begins: [bool; Alarm::ALL.len()],
    ends: [bool; Alarm::ALL.len()],
}

impl Wanted {
    /// Those of these words; of an empty list all. `None` if one of them is none of [`WORDS`].
    ///
    /// `recovered` adds the ends of the alarms beside it, and alone those of all.
    pub fn of(words: &[&str]) -> Option<Wanted> {
        if words.iter().any(|word| !WORDS.contains(word)) {
            return None;
        }
        let named = Alarm::ALL.map(|alarm| words.contains(&alarm.label()));
        let (none, all) = ([false; Alarm::ALL.len()], [true; Alarm::ALL.len()]);
        let (begins, ends) = match (named.contains(&true), words.contains(&RECOVERED)) {
            (true, true) => (named, named),
            (true, false) => (named, none),
            (false, true) => (none, all),
            (false, false) => (all, all),
        };
        Some(Wanted { begins, ends })
    }

    /// Whether it wants this.
    pub fn has(&self, alarm: Alarm, turn: Turn) -> bool {
        match turn {
            Turn::Firing => self.begins[alarm as usize],
            Turn::Resolved => self.ends[alarm as usize],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_told_what_it_lists_and_without_a_list_all() {
        let of = |words: &[&str]| {
            let wanted = Wanted::of(words).unwrap();
            let has = |turn| Alarm::ALL.map(|alarm| wanted.has(alarm, turn));
            (has(Turn::Firing), has(Turn::Resolved))
        };
        let (none, all) = ([false; 4], [true; 4]);
        assert_eq!(of(&[]), (all, all));
        assert_eq!(of(&["recovered"]), (none, all));
        let judge = [false, true, false, false];
        assert_eq!(of(&["judge_down"]), (judge, none));
        assert_eq!(of(&["recovered", "judge_down"]), (judge, judge));
        assert_eq!(Wanted::of(&["judge_down", "judge"]), None);
    }
}
