//! What tests have go wrong in a shard: errors of the kernel, and panics. Only builds for tests have it.
//!
//! Errors are put in where completions are read, so that everything above is the real code. A test
//! that has the engine in its own process calls `Engine::spoil`; one that runs the binary names a
//! file by [`FILE`], whose text is followed. A line of it is one of
//!
//! - `seed 7`: of what is random, in each shard with its number,
//! - `error connect 99 500`: the errno of so many of a thousand operations,
//! - `panic record 20 2`: in so many of a thousand passages of a place, so often at most in a shard.

mod text;

use crate::engine::Pulse;
use crate::verdict::Stage;
use fastrand::Rng;
use std::cell::RefCell;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{env, fs, io, thread};

/// The environment variable that names the file of faults.
pub const FILE: &str = "PROXY_CHECKER_TEST_FAULTS";

/// The extension of the file beside it, which gets the text once all shards were told.
pub const SEEN: &str = "seen";

/// What every panic says: words that are more than one line, and colour the terminal of who reads them raw.
pub const WORDS: &str = "as a test asked\r\n2026-01-01T00:00:00Z ERROR forged: \u{1b}[31m\u{0}";

/// How often the file is looked at.
const FOLLOW_EVERY: Duration = Duration::from_millis(5);

/// What is asked of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Make a socket.
    Socket,
    /// Connect it.
    Connect,
    /// Send the request.
    Send,
    /// Receive the answer. `ENOBUFS` is had from the kernel itself: buffers are withheld from it.
    Receive,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Operation; 4] = [
        Operation::Socket,
        Operation::Connect,
        Operation::Send,
        Operation::Receive,
    ];

    /// The one word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Operation::Socket => "socket",
            Operation::Connect => "connect",
            Operation::Send => "send",
            Operation::Receive => "receive",
        }
    }
}

/// Where a shard can panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a probe, before its socket.
    Begin,
    /// In a probe, when its connection stands.
    Connected,
    /// In a probe, over what the peer said in its handshake.
    Handshake,
    /// In a probe, over the target's answer.
    Verification,
    /// In a lane, behind its probe.
    Lane,
    /// In the book of jobs, while one ends.
    Record,
    /// In the ring, over a completion.
    Ring,
}

impl Place {
    /// Every place, in declaration order.
    pub const ALL: [Place; 7] = [
        Place::Begin,
        Place::Connected,
        Place::Handshake,
        Place::Verification,
        Place::Lane,
        Place::Record,
        Place::Ring,
    ];

    /// The one word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Place::Begin => "begin",
            Place::Connected => "connected",
            Place::Handshake => "handshake",
            Place::Verification => "verification",
            Place::Lane => "lane",
            Place::Record => "record",
            Place::Ring => "ring",
        }
    }

    /// Whether a panic there ends one probe, and not the executor.
    pub const fn is_in_probe(self) -> bool {
        (self as u8) < Place::Lane as u8
    }

    /// Where what the peer says in `stage` is taken in.
    pub(crate) const fn hearing(stage: Stage) -> Place {
        match stage {
            Stage::Connect => Place::Connected,
            Stage::Handshake | Stage::Tls => Place::Handshake,
            Stage::Response => Place::Verification,
        }
    }
}

/// How often something goes wrong, in a thousand times.
pub const ALWAYS: u32 = 1_000;

/// What goes wrong from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Of what is random.
    pub seed: u64,
    /// Operations that end with an errno, and how many of a thousand do.
    pub errors: Vec<(Operation, i32, u32)>,
    /// Places that panic, at how many of a thousand passages, and how often at most in each shard.
    pub panics: Vec<(Place, u32, u32)>,
}

/// Panics so far, by place, in this process.
static PANICS: [AtomicU64; Place::ALL.len()] = [const { AtomicU64::new(0) }; Place::ALL.len()];

thread_local! {
    /// Of the shard on this thread, whatever becomes of its executor.
    static IN_FORCE: RefCell<Option<(Faults, Rng)>> = const { RefCell::new(None) };
}

/// How often this process panicked at `place`.
pub fn panics(place: Place) -> u64 {
    PANICS[place as usize].load(Ordering::Relaxed)
}

/// These faults, and no others, are made by the shard of this thread.
pub(crate) fn set(faults: Faults, shard: usize) {
    let random = Rng::with_seed(faults.seed ^ (shard as u64) << 32);
    IN_FORCE.set(Some((faults, random)));
}

/// Panics, if it is to.
pub(crate) fn panic_at(place: Place) {
    let due = |(faults, random): &mut (Faults, Rng)| {
        let mut panics = faults.panics.iter_mut();
        let (_, permille, left) = panics.find(|(at, _, left)| *at == place && *left > 0)?;
        (random.u32(0..ALWAYS) < *permille).then(|| *left -= 1)
    };
    let due = IN_FORCE.with_borrow_mut(|in_force| in_force.as_mut().and_then(due));
    // A second panic on the way of the first ends the process.
    if due.is_some() && !thread::panicking() {
        PANICS[place as usize].fetch_add(1, Ordering::Relaxed);
        panic!("{WORDS} at {}", place.label());
    }
}

/// The errno that `operation` is to end with, if any.
pub(crate) fn error_of(operation: Operation) -> Option<i32> {
    IN_FORCE.with_borrow_mut(|in_force| {
        let (faults, random) = in_force.as_mut()?;
        let mut errors = faults.errors.iter();
        let (_, errno, permille) = errors.find(|&&error| {
            let (of, errno, _) = error;
            of == operation && !is_dry(of, errno)
        })?;
        (random.u32(0..ALWAYS) < *permille).then_some(*errno)
    })
}

/// Whether the kernel is to find no buffer for what arrives.
pub(crate) fn withholds_buffers() -> bool {
    IN_FORCE.with_borrow(|in_force| {
        let mut errors = in_force.iter().flat_map(|(faults, _)| &faults.errors);
        errors.any(|&(of, errno, _)| is_dry(of, errno))
    })
}

fn is_dry(operation: Operation, errno: i32) -> bool {
    operation == Operation::Receive && errno == libc::ENOBUFS
}

/// Has the shards make the faults of the file that the environment names, if it names one.
pub(crate) fn follow(shards: Pulse) -> io::Result<()> {
    let Some(path) = env::var_os(FILE).map(PathBuf::from) else {
        return Ok(());
    };
    let file = path.file_name().map(OsStr::to_string_lossy);
    tracing::warn!(
        ?file,
        "this build is for tests: it makes the faults of a file"
    );
    let followed = move || {
        let mut known = String::new();
        loop {
            // Without a descriptor, and before the file is there, what is known stays.
            let text = fs::read_to_string(&path).unwrap_or_else(|_| known.clone());
            if text != known {
                shards.spoil(&text.parse().expect("faults are written as `hooks` says"));
                // For who waits until they are made; not without a descriptor.
                let _ = fs::write(path.with_extension(SEEN), &text);
                known = text;
            }
            thread::sleep(FOLLOW_EVERY);
        }
    };
    let thread = thread::Builder::new().name("faults".into());
    thread.spawn(followed).map(drop)
}

#[cfg(test)]
mod tests;
