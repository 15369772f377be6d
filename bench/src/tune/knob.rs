//! The knobs that can be turned: what each is, which values are tried, and what puts one in force.

use super::settings::Settings;
use proxy_shards::{TaskRun, Tuning};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// Something that can be turned. Closed set: each is also the word on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Knob {
    /// Entries of the submission queue.
    Submissions,
    /// Entries of the completion queue.
    Completions,
    /// Sockets that a ring may have.
    Slots,
    /// Receive buffers of a ring.
    Buffers,
    /// Bytes in each.
    BufferBytes,
    /// How long completions are let gather.
    Nap,
    /// From how many operations in the kernel on.
    NapCrowd,
    /// Until there are so many completions.
    NapFew,
    /// How long the shard blocks in its ring before it goes to sleep.
    Linger,
    /// Who decides when the kernel's work is done.
    TaskRun,
    /// Whether each shard stays on one CPU.
    Pinned,
    /// Probes at once.
    Lanes,
    /// Shards.
    Shards,
    /// Jobs handed over at once.
    Batch,
}

impl Knob {
    /// Every knob.
    pub const ALL: [Knob; 14] = [
        Knob::Submissions,
        Knob::Completions,
        Knob::Slots,
        Knob::Buffers,
        Knob::BufferBytes,
        Knob::Nap,
        Knob::NapCrowd,
        Knob::NapFew,
        Knob::Linger,
        Knob::TaskRun,
        Knob::Pinned,
        Knob::Lanes,
        Knob::Shards,
        Knob::Batch,
    ];

    /// The one word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Knob::Submissions => "submissions",
            Knob::Completions => "completions",
            Knob::Slots => "slots",
            Knob::Buffers => "buffers",
            Knob::BufferBytes => "buffer_bytes",
            Knob::Nap => "nap",
            Knob::NapCrowd => "nap_crowd",
            Knob::NapFew => "nap_few",
            Knob::Linger => "linger",
            Knob::TaskRun => "task_run",
            Knob::Pinned => "pinned",
            Knob::Lanes => "lanes",
            Knob::Shards => "shards",
            Knob::Batch => "batch",
        }
    }

    /// What it is, with its unit and the values that it takes.
    pub const fn meaning(self) -> &'static str {
        match self {
            Knob::Submissions => "entries of the submission queue, a power of two",
            Knob::Completions => "entries of the completion queue; auto: by the lanes",
            Knob::Slots => "sockets of a ring, 8 more than lanes; all: RLIMIT_NOFILE",
            Knob::Buffers => "receive buffers of a ring, a power of two",
            Knob::BufferBytes => "bytes in each of them",
            Knob::Nap => "microseconds that completions are let gather; 0: never",
            Knob::NapCrowd => "operations in the kernel from which on that is done",
            Knob::NapFew => "completions that end it",
            Knob::Linger => "microseconds that a shard blocks in its ring before it sleeps",
            Knob::TaskRun => "deferred, cooperative, interrupting",
            Knob::Pinned => "on: each shard stays on one CPU; off",
            Knob::Lanes => "probes at once, all shards together",
            Knob::Shards => "shards",
            Knob::Batch => "most jobs handed to a shard at once",
        }
    }

    /// The values that are tried unless others are asked for.
    pub const fn trials(self) -> &'static [&'static str] {
        match self {
            Knob::Submissions => &["256", "4096"],
            Knob::Completions => &["2048", "4096", "65536"],
            Knob::Slots => &["4008", "8192"],
            Knob::Buffers => &["64", "256", "4096"],
            Knob::BufferBytes => &["512", "1024", "4096", "16384"],
            Knob::Nap => &["0", "50", "100", "400", "1000"],
            Knob::NapCrowd => &["64", "1024"],
            Knob::NapFew => &["4", "64"],
            Knob::Linger => &["200", "10000"],
            Knob::TaskRun => &["cooperative", "interrupting"],
            Knob::Pinned => &["off"],
            Knob::Lanes => &["1000", "10000", "19000"],
            Knob::Shards => &["2"],
            Knob::Batch => &["500", "8000"],
        }
    }

    /// Its value in `settings`, as it is typed.
    pub fn of(self, settings: &Settings) -> String {
        let tuning = &settings.tuning;
        let (least, most) = (tuning.completions_min, tuning.completions_max);
        match self {
            Knob::Submissions => tuning.submissions.to_string(),
            Knob::Completions if least == most => most.to_string(),
            Knob::Completions => "auto".into(),
            Knob::Slots => tuning.slots_max.map_or("all".into(), |n| n.to_string()),
            Knob::Buffers => tuning.buffers.to_string(),
            Knob::BufferBytes => tuning.buffer_bytes.to_string(),
            Knob::Nap => tuning.nap.as_micros().to_string(),
            Knob::NapCrowd => tuning.nap_crowd.to_string(),
            Knob::NapFew => tuning.nap_few.to_string(),
            Knob::Linger => tuning.linger.as_micros().to_string(),
            Knob::TaskRun => tuning.task_run.label().into(),
            Knob::Pinned if tuning.pinned => "on".into(),
            Knob::Pinned => "off".into(),
            Knob::Lanes => settings.lanes.to_string(),
            Knob::Shards => settings.shards.to_string(),
            Knob::Batch => settings.batch.to_string(),
        }
    }

    /// Turns it.
    ///
    /// # Errors
    /// Not a value of this knob. Whether the kernel takes it shows at the start of a run.
    pub fn set(self, settings: &mut Settings, text: &str) -> Result<(), String> {
        let tuning = &mut settings.tuning;
        match self {
            Knob::Submissions => tuning.submissions = number(text)?,
            Knob::Completions => {
                let auto = || (text == "auto").then(Tuning::default);
                let auto = auto().map(|t| (t.completions_min, t.completions_max));
                let exactly = |n| (n, n);
                (tuning.completions_min, tuning.completions_max) =
                    auto.map_or_else(|| number(text).map(exactly), Ok)?;
            }
            Knob::Slots if text == "all" => tuning.slots_max = None,
            Knob::Slots => tuning.slots_max = Some(number::<NonZeroU32>(text)?),
            Knob::Buffers => tuning.buffers = number(text)?,
            Knob::BufferBytes => tuning.buffer_bytes = number::<u32>(text)? as usize,
            Knob::Nap => tuning.nap = Duration::from_micros(number(text)?),
            Knob::NapCrowd => tuning.nap_crowd = number(text)?,
            Knob::NapFew => tuning.nap_few = number(text)?,
            Knob::Linger => tuning.linger = Duration::from_micros(number(text)?),
            Knob::TaskRun => {
                let way = TaskRun::from_label(text);
                tuning.task_run = way.ok_or_else(|| format!("one of: {}", self.meaning()))?;
            }
            Knob::Pinned => {
                let of_word = |word| [("on", true), ("off", false)].into_iter().find(word);
                let found = of_word(|(word, _): &(&str, bool)| *word == text);
                tuning.pinned = found.ok_or("on or off")?.1;
            }
            Knob::Lanes => settings.lanes = number(text)?,
            Knob::Shards => settings.shards = number(text)?,
            Knob::Batch => settings.batch = number(text)?,
        }
        Ok(())
    }

    /// The line that makes `value` the default, and the file where it stands.
    pub fn in_force(self, value: &str) -> String {
        let line = match self {
            Knob::Completions => {
                format!("completions_min: {value}, completions_max: {value},")
            }
            Knob::Slots => format!("slots_max: NonZeroU32::new({value}),"),
            Knob::Nap | Knob::Linger => format!("{self}: Duration::from_micros({value}),"),
            Knob::TaskRun => {
                let way = TaskRun::from_label(value);
                way.map_or_else(String::new, |way| format!("task_run: TaskRun::{way:?},"))
            }
            Knob::Pinned => format!("pinned: {},", value == "on"),
            Knob::Lanes => {
                return format!("\"concurrency_total\": {value}, in checker of config.json");
            }
            Knob::Shards => return format!("\"shards\": {value}, in checker of config.json"),
            Knob::Batch => return format!("\"batch_size\": {value}, in checker of config.json"),
            Knob::Submissions
            | Knob::Buffers
            | Knob::BufferBytes
            | Knob::NapCrowd
            | Knob::NapFew => format!("{self}: {value},"),
        };
        format!("{line} in shards/src/tuning.rs")
    }
}

fn number<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{text:?}: {error}"))
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl FromStr for Knob {
    type Err = String;

    fn from_str(text: &str) -> Result<Knob, String> {
        let found = Knob::ALL.into_iter().find(|knob| knob.label() == text);
        found.ok_or_else(|| {
            let line = |knob: &Knob| format!("\n  {:<14} {}", knob.label(), knob.meaning());
            let known: String = Knob::ALL.iter().map(line).collect();
            format!("{text:?} is no knob; these are:{known}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_knob_is_turned_to_its_trials_and_back() {
        let usual = Settings::default();
        for knob in Knob::ALL {
            assert_eq!(knob.label().parse(), Ok(knob));
            assert!(!knob.trials().is_empty(), "{knob}");
            for value in knob.trials() {
                let mut settings = usual;
                knob.set(&mut settings, value).expect("a value of it");
                assert_eq!(knob.of(&settings), *value, "{knob}");
                assert_ne!(settings, usual, "{knob}={value} is what is there already");
                assert_eq!(
                    settings.arguments(),
                    ["--set".to_owned(), format!("{knob}={value}")]
                );
                knob.set(&mut settings, &knob.of(&usual)).expect("back");
                assert_eq!(settings, usual, "{knob}");
            }
        }
    }

    #[test]
    fn what_is_no_value_of_a_knob_is_declined() {
        let mut settings = Settings::default();
        for (knob, text) in [
            (Knob::Nap, "-1"),
            (Knob::Buffers, "65536"),
            (Knob::Lanes, "0"),
            (Knob::Pinned, "yes"),
            (Knob::TaskRun, "sometimes"),
        ] {
            assert!(knob.set(&mut settings, text).is_err(), "{knob}={text}");
        }
        assert_eq!(settings, Settings::default());
        let error = "naps".parse::<Knob>().expect_err("no such knob");
        assert!(error.contains("nap_crowd"), "{error}");
    }

    #[test]
    fn what_puts_a_value_in_force_is_a_line_of_the_right_file() {
        let line = |knob: Knob, value| knob.in_force(value);
        assert_eq!(
            line(Knob::TaskRun, "cooperative"),
            "task_run: TaskRun::Cooperative, in shards/src/tuning.rs"
        );
        assert_eq!(
            line(Knob::NapFew, "4"),
            "nap_few: 4, in shards/src/tuning.rs"
        );
        assert_eq!(
            line(Knob::Batch, "500"),
            "\"batch_size\": 500, in checker of config.json"
        );
    }
}
