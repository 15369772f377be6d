//! The machine that figures are from.

use super::cpus::Cpus;
use super::steering;
use rustix::process::{Resource, getrlimit};
use serde::Serialize;
use std::fmt;
use std::fs;

/// What must be known of a machine before its figures are compared with another's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// Model of the CPU.
    pub cpu: String,
    /// CPUs that this process may use.
    pub cpus: usize,
    /// The farm's, and the harness's.
    pub cpu_of_farm: usize,
    /// The measured program's.
    pub cpus_of_program: Vec<usize>,
    /// The frequency governor of the program's first CPU, if the machine tells.
    pub governor: Option<String>,
    /// All memory, in MiB.
    pub memory_mib: u64,
    /// Release of the kernel.
    pub kernel: String,
    /// RLIMIT_NOFILE, soft; `None`: without end.
    pub nofile: Option<u64>,
    /// Load average of the last minute before the first run.
    pub load_at_start: f64,
    /// `rps_cpus` of loopback before the first run, as found.
    pub steering_at_start: Option<String>,
    /// `release` or `debug`: only a release build's figures mean anything.
    pub build: &'static str,
}

impl Machine {
    /// The machine as it is now.
    pub fn now(cpus: &Cpus) -> Machine {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let first = cpus.program.first().copied().unwrap_or(cpus.farm);
        let governor = format!("/sys/devices/system/cpu/cpu{first}/cpufreq/scaling_governor");
        let governor = fs::read_to_string(governor).ok();
        let load = read("/proc/loadavg");
        Machine {
            cpu: value(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".into()),
            cpus: std::thread::available_parallelism()
                .map_or(1, usize::from)
                .max(cpus.program.len() + 1),
            cpu_of_farm: cpus.farm,
            cpus_of_program: cpus.program.clone(),
            governor: governor.map(|text| text.trim().to_owned()),
            memory_mib: memory_kib(&read("/proc/meminfo")) / 1024,
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
            nofile: getrlimit(Resource::Nofile).current,
            load_at_start: load
                .split(' ')
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or(0.0),
            steering_at_start: steering::current(),
            build: match cfg!(debug_assertions) {
                true => "debug",
                false => "release",
            },
        }
    }
}

/// The first line `key : value`.
fn value(text: &str, key: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':')
        .map(|(_, value)| value.trim().to_owned())
}

fn memory_kib(meminfo: &str) -> u64 {
    let total = value(meminfo, "MemTotal").unwrap_or_default();
    total
        .split(' ')
        .next()
        .and_then(|kib| kib.parse().ok())
        .unwrap_or(0)
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine {
            cpu,
            cpus,
            memory_mib,
            kernel,
            ..
        } = self;
        write!(f, "{cpu}, {cpus} CPUs")?;
        if let Some(governor) = &self.governor {
            write!(f, " ({governor})")?;
        }
        writeln!(f, ", {memory_mib} MiB, Linux {kernel}")?;
        let nofile = self.nofile.map_or("unlimited".into(), |n| n.to_string());
        let (farm, program) = (self.cpu_of_farm, &self.cpus_of_program);
        write!(f, "farm on CPU {farm}, program on {program:?}, ")?;
        writeln!(
            f,
            "RLIMIT_NOFILE {nofile}, load {:.2} at the start",
            self.load_at_start
        )?;
        match self.build {
            "debug" => writeln!(f, "A DEBUG BUILD: its figures mean nothing."),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_of_this_machine_are_found() {
        let cpus = Cpus {
            farm: 0,
            program: vec![1],
        };
        let machine = Machine::now(&cpus);
        assert!(
            machine.memory_mib > 0 && !machine.kernel.is_empty(),
            "{machine:?}"
        );
        assert!(
            machine
                .to_string()
                .contains("farm on CPU 0, program on [1]"),
            "{machine}"
        );
    }

    #[test]
    fn a_value_stands_behind_its_colon() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2: 0\nmodel name\t: Other\n";
        assert_eq!(
            value(text, "model name").as_deref(),
            Some("Some CPU @ 2: 0")
        );
        assert_eq!(memory_kib("MemTotal:        8000 kB\n"), 8000);
        assert_eq!(memory_kib(""), 0);
    }
}
