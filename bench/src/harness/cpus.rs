//! Which CPU is the farm's, and which are the program's.

use super::{Error, Result, system};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::num::ParseIntError;
use std::str::FromStr;

/// CPUs as one types them: `0,2-5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuList(pub Vec<usize>);

impl FromStr for CpuList {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<CpuList, String> {
        let number = |text: &str| {
            let error = |e: ParseIntError| format!("{text:?}: {e}");
            let cpu: usize = text.trim().parse().map_err(error)?;
            match cpu < CpuSet::MAX_CPU {
                true => Ok(cpu),
                false => Err(format!("{cpu}: there are {} at most", CpuSet::MAX_CPU)),
            }
        };
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            cpus.extend(number(first)?..=number(last)?);
        }
        Ok(CpuList(cpus))
    }
}

/// Who runs where. The harness itself shares the farm's CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpus {
    /// The farm's.
    pub farm: usize,
    /// The measured program's, at least one.
    pub program: Vec<usize>,
}

impl Cpus {
    /// The first CPU that this process may use is the farm's and the rest are the program's, or so
    /// for those of `choice`.
    ///
    /// # Errors
    /// Less than two of them, or one that this process may not use.
    pub fn of_this_host(choice: Option<&CpuList>) -> Result<Cpus> {
        let set = sched_getaffinity(None).map_err(|e| system("sched_getaffinity")(e.into()))?;
        let usable: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&n| set.is_set(n)).collect();
        Cpus::of(&usable, choice)
    }

    fn of(usable: &[usize], choice: Option<&CpuList>) -> Result<Cpus> {
        let chosen = choice.map_or(usable, |list| list.0.as_slice());
        if let Some(&missing) = chosen.iter().find(|cpu| !usable.contains(cpu)) {
            return Err(Error::NoSuchCpu(missing));
        }
        match chosen {
            [farm, program @ ..] if !program.is_empty() => Ok(Cpus {
                farm: *farm,
                program: program.to_vec(),
            }),
            few => Err(Error::TooFewCpus(few.len())),
        }
    }

    /// CPUs for a program with so many busy threads: its own ones, or all, the farm's too, if those
    /// are too few.
    pub fn for_threads(&self, threads: usize) -> Vec<usize> {
        match threads <= self.program.len() {
            true => self.program[..threads.max(1)].to_vec(),
            false => [&[self.farm], self.program.as_slice()].concat(),
        }
    }
}

/// This thread on other CPUs until it is dropped. What the thread spawns meanwhile inherits them.
#[derive(Debug)]
pub struct Pinned(CpuSet);

impl Pinned {
    /// Moves this thread to `cpus`.
    ///
    /// # Errors
    /// The system's refusal: a CPU that is not there.
    pub fn to(cpus: &[usize]) -> Result<Pinned> {
        let error = |e: rustix::io::Errno| system(format!("pinning to CPUs {cpus:?}"))(e.into());
        let before = sched_getaffinity(None).map_err(error)?;
        let mut set = CpuSet::new();
        cpus.iter().for_each(|&cpu| set.set(cpu));
        sched_setaffinity(None, &set).map_err(error)?;
        Ok(Pinned(before))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // It was allowed there before; if a CPU went away meanwhile the thread stays where it is.
        let _ = sched_setaffinity(None, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpus(usable: &[usize], choice: Option<&str>) -> Result<Cpus> {
        let list = choice.map(|text| text.parse().expect("a list"));
        Cpus::of(usable, list.as_ref())
    }

    #[test]
    fn the_first_cpu_is_the_farms() {
        let found = cpus(&[2, 3, 7], None).expect("three");
        assert_eq!((found.farm, found.program), (2, vec![3, 7]));
        let chosen = cpus(&[0, 1, 2, 3], Some("3,0-1")).expect("three");
        assert_eq!((chosen.farm, chosen.program), (3, vec![0, 1]));
    }

    #[test]
    fn one_cpu_is_too_few_and_one_that_is_not_there_is_named() {
        assert!(matches!(cpus(&[4], None), Err(Error::TooFewCpus(1))));
        assert!(matches!(
            cpus(&[0, 1], Some("0,9")),
            Err(Error::NoSuchCpu(9))
        ));
    }

    #[test]
    fn a_program_with_more_threads_than_cpus_gets_the_farms_too() {
        let two = cpus(&[0, 1], None).expect("two");
        assert_eq!(
            (two.for_threads(1), two.for_threads(2)),
            (vec![1], vec![0, 1])
        );
    }

    #[test]
    fn what_is_no_list_is_named() {
        let error = "0,x".parse::<CpuList>().expect_err("x is no number");
        assert!(error.starts_with("\"x\""), "{error}");
        assert!("99999".parse::<CpuList>().is_err());
    }

    #[test]
    fn a_thread_goes_back_to_where_it_was() {
        let of_this_thread = || {
            let set = sched_getaffinity(None).expect("affinity");
            (0..CpuSet::MAX_CPU)
                .filter(|&n| set.is_set(n))
                .collect::<Vec<_>>()
        };
        let before = of_this_thread();
        let pinned = Pinned::to(&before[..1]).expect("pinned");
        assert_eq!(of_this_thread(), before[..1]);
        drop(pinned);
        assert_eq!(of_this_thread(), before);
    }
}
