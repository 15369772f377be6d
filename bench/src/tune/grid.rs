//! Which settings are tried: one knob at a time around a base, or the whole product. Pure.

use super::knob::Knob;
use super::settings::Settings;
use std::fmt;
use std::str::FromStr;

/// Most settings of a product: with two seconds a run and five rounds, three quarters of an hour.
pub const PRODUCT_MAX: usize = 256;

/// One knob at one value: `nap=100`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which knob.
    pub knob: Knob,
    /// As it is typed, and as [`Knob::of`] has it.
    pub value: String,
}

impl Setting {
    fn new(knob: Knob, text: &str) -> Result<Setting, String> {
        let mut settings = Settings::default();
        let turned = knob.set(&mut settings, text.trim());
        turned.map_err(|why| format!("{knob}: {why}"))?;
        Ok(Setting {
            knob,
            value: knob.of(&settings),
        })
    }

    /// Turns the knob.
    pub fn apply(&self, settings: &mut Settings) {
        let turned = self.knob.set(settings, &self.value);
        debug_assert!(turned.is_ok(), "the value was taken before");
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.knob, self.value)
    }
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Setting, String> {
        let (knob, value) = text.split_once('=').ok_or("KNOB=VALUE")?;
        Setting::new(knob.parse()?, value)
    }
}

/// A knob and the values to be tried: `nap=0,100,400`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis(pub Vec<Setting>);

impl FromStr for Axis {
    type Err = String;

    fn from_str(text: &str) -> Result<Axis, String> {
        let (knob, values) = text.split_once('=').ok_or("KNOB=VALUE,VALUE…")?;
        let knob: Knob = knob.parse()?;
        let settings = values.split(',').map(|value| Setting::new(knob, value));
        settings.collect::<Result<_, _>>().map(Axis)
    }
}

/// Settings that run against the base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// In what they differ from it, at least in one knob.
    pub changes: Vec<Setting>,
    /// All of them.
    pub settings: Settings,
}

impl Trial {
    /// The base with `changes`, of which those that change nothing are left out; `None` if that are
    /// all.
    pub fn of(base: &Settings, changes: impl IntoIterator<Item = Setting>) -> Option<Trial> {
        let changes = changes.into_iter();
        let changes: Vec<_> = changes.filter(|s| s.knob.of(base) != s.value).collect();
        let mut settings = *base;
        changes
            .iter()
            .for_each(|change| change.apply(&mut settings));
        (!changes.is_empty()).then_some(Trial { changes, settings })
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.changes.iter().map(Setting::to_string).collect();
        f.write_str(&words.join(" "))
    }
}

/// Every knob with the values that are tried of themselves.
pub fn usual_axes() -> Vec<Axis> {
    let setting = |knob, value: &&str| Setting {
        knob,
        value: (*value).to_owned(),
    };
    let axis = |knob: Knob| Axis(knob.trials().iter().map(|v| setting(knob, v)).collect());
    Knob::ALL.map(axis).into()
}

/// One knob at a time, the others as in `base`.
pub fn one_at_a_time(base: &Settings, axes: &[Axis]) -> Vec<Trial> {
    let settings = axes.iter().flat_map(|Axis(settings)| settings);
    unique(settings.filter_map(|setting| Trial::of(base, [setting.clone()])))
}

/// Every combination of a value of each axis, but for the base itself.
///
/// # Errors
/// No axis, or more than [`PRODUCT_MAX`] combinations.
pub fn product(base: &Settings, axes: &[Axis]) -> Result<Vec<Trial>, String> {
    let sizes = axes.iter().map(|Axis(settings)| settings.len());
    let size = sizes.fold(1, usize::saturating_mul);
    if axes.is_empty() || size > PRODUCT_MAX {
        return Err(format!(
            "--full: name the knobs with --grid, up to {PRODUCT_MAX} combinations"
        ));
    }
    let mut all: Vec<Vec<Setting>> = vec![Vec::new()];
    for Axis(settings) in axes {
        let with = |before: &Vec<Setting>| {
            let before = before.clone();
            settings
                .iter()
                .map(move |s| [&before[..], std::slice::from_ref(s)].concat())
        };
        all = all.iter().flat_map(with).collect();
    }
    Ok(unique(all.into_iter().filter_map(|c| Trial::of(base, c))))
}

/// Each settings once.
fn unique(trials: impl Iterator<Item = Trial>) -> Vec<Trial> {
    let mut found: Vec<Trial> = Vec::new();
    for trial in trials {
        if found.iter().all(|other| other.settings != trial.settings) {
            found.push(trial);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(texts: &[&str]) -> Vec<Axis> {
        let axis = |text: &&str| text.parse().expect("an axis");
        texts.iter().map(axis).collect()
    }

    fn names(trials: &[Trial]) -> Vec<String> {
        trials.iter().map(Trial::to_string).collect()
    }

    #[test]
    fn one_knob_is_turned_at_a_time_and_the_base_is_not_tried_against_itself() {
        let base = Settings::default();
        let trials = one_at_a_time(&base, &axes(&["nap=0,200,400", "buffers=64,1024"]));
        assert_eq!(names(&trials), ["nap=0", "nap=400", "buffers=64"]);
        let mut base = base;
        Knob::Nap.set(&mut base, "0").expect("a value");
        let trials = one_at_a_time(&base, &axes(&["nap=0,200"]));
        assert_eq!(names(&trials), ["nap=200"], "around another base");
    }

    #[test]
    fn a_product_has_every_combination_once() {
        let grid = axes(&["nap=0,200", "buffers=64,1024", "nap_few=16"]);
        let trials = product(&Settings::default(), &grid).expect("four");
        assert_eq!(names(&trials), ["nap=0 buffers=64", "nap=0", "buffers=64"]);
        let twice = axes(&["nap=0,0,00"]);
        let trials = product(&Settings::default(), &twice).expect("one");
        assert_eq!(names(&trials), ["nap=0"]);
    }

    #[test]
    fn a_product_that_would_take_for_ever_is_declined() {
        let numbers: Vec<_> = (1..=17).map(|n| n.to_string()).collect();
        let axis = |knob: &str| format!("{knob}={}", numbers.join(","));
        let (one, two) = (axis("nap"), axis("linger"));
        assert!(product(&Settings::default(), &axes(&[&one, &two])).is_err());
        assert!(product(&Settings::default(), &[]).is_err());
    }

    #[test]
    fn the_usual_axes_try_every_knob() {
        let trials = one_at_a_time(&Settings::default(), &usual_axes());
        for knob in Knob::ALL {
            let of_it = trials.iter().filter(|trial| trial.changes[0].knob == knob);
            assert_eq!(of_it.count(), knob.trials().len(), "{knob}");
        }
    }

    #[test]
    fn what_is_no_axis_is_declined_with_the_reason() {
        for (text, word) in [("nap", "KNOB="), ("naps=1", "no knob"), ("nap=x", "nap: ")] {
            let error = text.parse::<Axis>().expect_err("no axis");
            assert!(error.contains(word), "{error}");
        }
    }
}
