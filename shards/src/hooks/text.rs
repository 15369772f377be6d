//! Faults as text, to be handed to another process.

use super::{Faults, Operation, Place};
use std::fmt;
use std::str::FromStr;

/// A line that says no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither `seed N`, `error OPERATION ERRNO PERMILLE` nor `panic PLACE PERMILLE MOST`"
)]
pub struct NoFault(String);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        for (operation, errno, permille) in &self.errors {
            writeln!(f, "error {} {errno} {permille}", operation.label())?;
        }
        for (place, permille, most) in &self.panics {
            writeln!(f, "panic {} {permille} {most}", place.label())?;
        }
        Ok(())
    }
}

impl FromStr for Faults {
    type Err = NoFault;

    fn from_str(text: &str) -> Result<Faults, NoFault> {
        let mut faults = Faults::default();
        for line in text.lines() {
            take(line, &mut faults).ok_or_else(|| NoFault(line.to_owned()))?;
        }
        Ok(faults)
    }
}

fn take(line: &str, faults: &mut Faults) -> Option<()> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["seed", seed] => faults.seed = seed.parse().ok()?,
        ["error", operation, errno, permille] => {
            let mut all = Operation::ALL.into_iter();
            let operation = all.find(|known| known.label() == operation)?;
            let error = (operation, errno.parse().ok()?, permille.parse().ok()?);
            faults.errors.push(error);
        }
        ["panic", place, permille, most] => {
            let place = Place::ALL
                .into_iter()
                .find(|known| known.label() == place)?;
            let panic = (place, permille.parse().ok()?, most.parse().ok()?);
            faults.panics.push(panic);
        }
        _ => return None,
    }
    Some(())
}
