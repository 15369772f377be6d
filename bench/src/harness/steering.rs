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

/// How many packets may wait for the CPU to which they are steered. With the kernel's 1000 a burst of
/// some thousand SYNs is dropped there (the second column of `/proc/net/softnet_stat`) and sent again
/// a second later, which a network card with queues of its own would not do.
const BACKLOG: &str = "/proc/sys/net/core/netdev_max_backlog";
const BACKLOG_MIN: u64 = 100_000;

/// The settings while they are held; what was there before comes back when this is dropped, and on
/// SIGINT and SIGTERM. Other harnesses on this host wait for it.
#[derive(Debug)]
pub struct Held {
    // In this order: the lock goes last.
    _undone: Vec<Undone>,
    _locked: Option<File>,
}

/// Sets the steering of loopback.
///
/// # Errors
/// A setting that cannot be written, which [`obstacle`] says beforehand.
pub fn hold(steering: Steering, cpus: &Cpus) -> Result<Held> {
    let (setting, backlog) = (Path::new(SETTING), Path::new(BACKLOG));
    match steering {
        Steering::Off if can_be_set().is_some() && is_off() => Ok(Held {
            _undone: Vec::new(),
            _locked: None,
        }),
        Steering::Off => hold_in(setting, &mask(&[]), None),
        Steering::ToFarm => hold_in(setting, &mask(&[cpus.farm]), Some(backlog)),
    }
}

/// Why the steering cannot be as wanted, in words for the reader of a table; `None` if it can.
pub fn obstacle(steering: Steering) -> Option<String> {
    match steering {
        Steering::Off if is_off() => None,
        Steering::Off | Steering::ToFarm => can_be_set(),
    }
}

/// Why the setting cannot be written; `None` if it can.
pub fn can_be_set() -> Option<String> {
    let opened = OpenOptions::new().write(true).open(SETTING);
    opened.err().map(|e| format!("{SETTING}: {e}; be root"))
}

/// What is set now, as the kernel writes it; `None` if it cannot be read.
pub fn current() -> Option<String> {
    let text = std::fs::read_to_string(SETTING).ok()?;
    Some(text.trim().to_owned())
}

/// A kernel without the setting does not steer.
fn is_off() -> bool {
    current().is_none_or(|mask| mask.chars().all(|c| matches!(c, '0' | ',')))
}

fn hold_in(path: &Path, mask: &str, backlog: Option<&Path>) -> Result<Held> {
    let mut options = OpenOptions::new();
    let locked = options
        .read(true)
        .write(true)
        .open(path)
        .map_err(at(path))?;
    flock(&locked, FlockOperation::LockExclusive)
        .map_err(|e| system(format!("locking {}", path.display()))(e.into()))?;
    let mut undone = vec![set(path, mask)?];
    if let Some(backlog) = backlog {
        let text = std::fs::read_to_string(backlog).map_err(at(backlog))?;
        if text
            .trim()
            .parse()
            .is_ok_and(|packets: u64| packets < BACKLOG_MIN)
        {
            undone.push(set(backlog, &BACKLOG_MIN.to_string())?);
        }
    }
    Ok(Held {
        _undone: undone,
        _locked: Some(locked),
    })
}

fn set(path: &Path, text: &str) -> Result<Undone> {
    let before = std::fs::read_to_string(path).map_err(at(path))?;
    let place = PathBuf::from(path);
    let undone = Undone::later(move || {
        // There is nobody left to tell; the setting is the kernel's and was writable just before.
        let _ = std::fs::write(place, before);
    });
    std::fs::write(path, text).map_err(at(path))?;
    Ok(undone)
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
        let folder = tempfile::tempdir().expect("a folder");
        let (setting, backlog) = (
            folder.path().join("rps_cpus"),
            folder.path().join("backlog"),
        );
        std::fs::write(&setting, "3\n").expect("written");
        std::fs::write(&backlog, "1000\n").expect("written");
        let read = || [&setting, &backlog].map(|path| std::fs::read_to_string(path).expect("read"));
        let held = hold_in(&setting, &mask(&[0]), Some(&backlog)).expect("held");
        assert_eq!(read(), ["00000001", "100000"]);
        drop(held);
        assert_eq!(read(), ["3\n", "1000\n"]);
        let _held = hold_in(&setting, &mask(&[]), None).expect("held");
        assert_eq!(read(), ["00000000", "1000\n"]);
    }

    #[test]
    fn a_backlog_that_is_long_enough_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (setting, backlog) = (
            folder.path().join("rps_cpus"),
            folder.path().join("backlog"),
        );
        std::fs::write(&setting, "0\n").expect("written");
        std::fs::write(&backlog, "300000\n").expect("written");
        let _held = hold_in(&setting, &mask(&[0]), Some(&backlog)).expect("held");
        assert_eq!(std::fs::read_to_string(&backlog).expect("read"), "300000\n");
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let error = hold_in(Path::new("/nowhere/rps_cpus"), "0", None).expect_err("no such file");
        assert!(
            error.to_string().starts_with("/nowhere/rps_cpus: "),
            "{error}"
        );
    }
}
