//! Whose CPU does the receiver's half of TCP on loopback (receive packet steering of `lo`).
//!
//! On loopback the sender's CPU also does the receiver's work, as no network card would have it.
//! Steered, the farm's CPU does the receiving for both, and what is left to the program is its own.

use super::cpus::Cpus;
use super::interrupt::Undone;
use super::{Result, at, system};
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

const SETTING: &str = "/sys/class/net/lo/queues/rx-0/rps_cpus";

/// Who receives on loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Steering {
    /// The CPU that sent.
    Off,
    /// The farm's CPU.
    ToFarm,
}

impl Steering {
    /// The one word for it in tables.
    pub const fn label(self) -> &'static str {
        match self {
            Steering::Off => "not steered",
            Steering::ToFarm => "steered",
        }
    }
}

/// The setting while it is held; what was there before comes back when this is dropped, and on
/// SIGINT and SIGTERM. Other harnesses on this host wait for it.
#[derive(Debug)]
pub struct Held {
    _undone: Undone,
    _locked: File,
}

/// Sets the steering of loopback.
///
/// # Errors
/// A setting that cannot be written (be root), which [`can_be_set`] says beforehand.
pub fn hold(steering: Steering, cpus: &Cpus) -> Result<Held> {
    let mask = match steering {
        Steering::Off => mask(&[]),
        Steering::ToFarm => mask(&[cpus.farm]),
    };
    hold_in(Path::new(SETTING), &mask)
}

/// Why the setting cannot be written, in words for the reader of a table; `None` if it can.
pub fn can_be_set() -> Option<String> {
    let opened = OpenOptions::new().write(true).open(SETTING);
    opened.err().map(|e| format!("{SETTING}: {e}; be root"))
}

/// What is set now, as the kernel writes it; `None` if it cannot be read.
pub fn current() -> Option<String> {
    let text = std::fs::read_to_string(SETTING).ok()?;
    Some(text.trim().to_owned())
}

fn hold_in(path: &Path, mask: &str) -> Result<Held> {
    let locked = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(at(path))?;
    flock(&locked, FlockOperation::LockExclusive)
        .map_err(|e| system(format!("locking {}", path.display()))(e.into()))?;
    let before = std::fs::read_to_string(path).map_err(at(path))?;
    let place = PathBuf::from(path);
    let undone = Undone::later(move || {
        // There is nobody left to tell; the setting is the kernel's and was writable just before.
        let _ = std::fs::write(place, before);
    });
    std::fs::write(path, mask).map_err(at(path))?;
    Ok(Held {
        _undone: undone,
        _locked: locked,
    })
}

/// A set of CPUs as sysfs has it: hexadecimal words of 32 bits, the highest first.
fn mask(cpus: &[usize]) -> String {
    let words = cpus.iter().map(|cpu| cpu / 32 + 1).max().unwrap_or(1);
    let mut bits = vec![0u32; words];
    cpus.iter()
        .for_each(|cpu| bits[cpu / 32] |= 1 << (cpu % 32));
    let words: Vec<String> = bits
        .iter()
        .rev()
        .map(|word| format!("{word:08x}"))
        .collect();
    words.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_is_a_bit_of_the_mask() {
        assert_eq!(mask(&[]), "00000000");
        assert_eq!(mask(&[0]), "00000001");
        assert_eq!(mask(&[5, 33]), "00000002,00000020");
    }

    #[test]
    fn what_was_set_before_comes_back() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "3\n").expect("written");
        let held = hold_in(file.path(), &mask(&[0])).expect("held");
        let read = || std::fs::read_to_string(file.path()).expect("read");
        assert_eq!(read(), "00000001");
        drop(held);
        assert_eq!(read(), "3\n");
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let error = hold_in(Path::new("/nowhere/rps_cpus"), "0").expect_err("no such file");
        assert!(
            error.to_string().starts_with("/nowhere/rps_cpus: "),
            "{error}"
        );
    }
}
