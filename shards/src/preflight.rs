//! What this host allows: kernel, io_uring, memlock, descriptors; else a message that says what to
//! raise.

use io_uring::{IoUring, squeue};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;

/// The oldest kernel that has all the ring needs (IORING_SETUP_DEFER_TASKRUN).
const KERNEL_MIN: (u32, u32) = (6, 1);

/// Why shards cannot run here; the text says what to change.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// The kernel is too old.
    #[error("this is Linux {found}; the probe engine needs {}.{} or newer (io_uring with deferred task work)", KERNEL_MIN.0, KERNEL_MIN.1)]
    Kernel {
        /// Its release, as `uname -r` prints it.
        found: String,
    },
    /// io_uring is switched off or filtered.
    #[error(
        "io_uring is forbidden here ({0}): set `sysctl kernel.io_uring_disabled=0`; in a container allow io_uring_setup, io_uring_enter and io_uring_register in its seccomp profile"
    )]
    Forbidden(io::Error),
    /// Settings that the kernel does not take.
    #[error(
        "io_uring declines these settings ({0}): its queues and buffers are powers of two of at most 32768, its completions of at most 65536 (io_uring_setup(2))"
    )]
    Settings(io::Error),
    /// Too little memory may be locked.
    #[error(
        "the locked-memory limit is {soft_kib} KiB; each executor asks for at least {min} KiB: raise LimitMEMLOCK (systemd) or memlock (limits.conf) to 64M",
        min = MEMLOCK_MIN / 1024
    )]
    Memlock {
        /// The soft RLIMIT_MEMLOCK, in KiB.
        soft_kib: u64,
    },
    /// io_uring has no memory to lock.
    #[error(
        "io_uring has no memory ({error}): the locked-memory limit is {memlock}; raise LimitMEMLOCK (systemd) or memlock (limits.conf) to 64M, or wait until a process that just ended has given its share back"
    )]
    Memory {
        /// What the kernel said.
        error: io::Error,
        /// The soft RLIMIT_MEMLOCK, for people.
        memlock: String,
    },
    /// Too few descriptors.
    #[error(
        "the descriptor limit is {soft} (hard {hard}); the process needs {NOFILE_MIN}, and 10 more for each shard: raise LimitNOFILE (systemd) or nofile (limits.conf)"
    )]
    Descriptors {
        /// The soft RLIMIT_NOFILE.
        soft: u64,
        /// The hard one.
        hard: u64,
    },
}

/// Fewer descriptors than this leave nothing for probes.
const NOFILE_MIN: u64 = 64;

/// What glommio asks for, in bytes, whoever runs it.
const MEMLOCK_MIN: u64 = 512 * 1024;

/// The soft and hard RLIMIT_NOFILE, `u64::MAX` for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nofile {
    /// What counts.
    pub soft: u64,
    /// What it may be raised to.
    pub hard: u64,
}

/// Raises the soft descriptor limit to the hard one and says what it is now.
pub fn raise_nofile() -> Nofile {
    let now = raise(Resource::Nofile);
    Nofile {
        soft: now.current.unwrap_or(u64::MAX),
        hard: now.maximum.unwrap_or(u64::MAX),
    }
}

fn raise(resource: Resource) -> Rlimit {
    let Rlimit { maximum, .. } = getrlimit(resource);
    // Raising up to the hard limit is always allowed (setrlimit(2)); if not, the old one counts.
    let _ = setrlimit(
        resource,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
    getrlimit(resource)
}

/// Whether shards can run here; raises the soft limit of locked memory to the hard one.
///
/// # Errors
/// The first thing that is missing, with its remedy.
pub fn check(nofile: Nofile) -> Result<(), PreflightError> {
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    if kernel_version(&release).is_some_and(|version| version < KERNEL_MIN) {
        return Err(PreflightError::Kernel { found: release });
    }
    if nofile.soft < NOFILE_MIN {
        return Err(PreflightError::Descriptors {
            soft: nofile.soft,
            hard: nofile.hard,
        });
    }
    if let Some(soft) = raise(Resource::Memlock)
        .current
        .filter(|&soft| soft < MEMLOCK_MIN)
    {
        return Err(PreflightError::Memlock {
            soft_kib: soft / 1024,
        });
    }
    try_ring().map_err(explain)
}

/// Makes each of the three system calls once: where one is filtered, glommio panics.
fn try_ring() -> io::Result<()> {
    let ring = IoUring::<squeue::Entry>::builder()
        .setup_single_issuer()
        .setup_coop_taskrun()
        .setup_defer_taskrun()
        .build(8)?;
    ring.submitter().register_files_sparse(1)?;
    ring.submit().map(drop)
}

/// Turns an error of ring set-up into a remedy.
pub(crate) fn explain(error: io::Error) -> PreflightError {
    match error.raw_os_error() {
        Some(libc::ENOMEM) => {
            let memlock = getrlimit(Resource::Memlock).current;
            let memlock = memlock.map_or("unlimited".to_owned(), |bytes| {
                format!("{} KiB", bytes / 1024)
            });
            PreflightError::Memory { error, memlock }
        }
        Some(libc::EMFILE | libc::ENFILE) => {
            let limit = getrlimit(Resource::Nofile);
            let value = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
            PreflightError::Descriptors {
                soft: value(limit.current),
                hard: value(limit.maximum),
            }
        }
        Some(libc::EINVAL) => PreflightError::Settings(error),
        _ => PreflightError::Forbidden(error),
    }
}

fn kernel_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::without_syscall;

    #[test]
    fn kernel_releases_of_distributions_are_read() {
        for (release, version) in [
            ("6.18.44-fc", (6, 18)),
            ("6.1.0-13-amd64", (6, 1)),
            ("5.15.0", (5, 15)),
            ("6.8-rc1", (6, 8)),
        ] {
            assert_eq!(kernel_version(release), Some(version), "{release}");
        }
        assert_eq!(kernel_version("weird"), None);
    }

    #[test]
    fn too_few_descriptors_are_refused_with_a_remedy() {
        let refused = check(Nofile { soft: 10, hard: 20 })
            .unwrap_err()
            .to_string();
        assert!(refused.contains("LimitNOFILE"), "{refused}");
    }

    #[test]
    fn a_filter_on_any_call_of_io_uring_is_found_before_the_start() {
        for call in [
            libc::SYS_io_uring_setup,
            libc::SYS_io_uring_enter,
            libc::SYS_io_uring_register,
        ] {
            let refused = without_syscall(call, || check(raise_nofile()));
            let text = refused.unwrap_err().to_string();
            assert!(text.contains("seccomp"), "{call}: {text}");
        }
    }

    #[test]
    fn every_error_of_the_ring_names_what_to_raise() {
        for (errno, word) in [
            (libc::ENOMEM, "LimitMEMLOCK"),
            (libc::EPERM, "seccomp"),
            (libc::EMFILE, "LimitNOFILE"),
            (libc::EINVAL, "powers of two"),
        ] {
            let text = explain(io::Error::from_raw_os_error(errno)).to_string();
            assert!(text.contains(word), "{text}");
        }
    }
}
