//! The farm: one thread that plays thousands of proxies on `127.x.y.z`, each as its address says.
//!
//! A port is listened on for all of `127.0.0.0/8`; which behaviour answers is read from the address
//! that was connected to (`address.rs`). Where the kernel itself must behave differently there is
//! another port (`doors.rs`). What is said is decided without sockets (`play.rs`, `socks.rs`) and
//! carried out by a connection (`connection.rs`) that the loop gives its turns (`event_loop.rs`).

mod address;
mod answers;
mod behaviour;
mod connection;
mod counters;
mod doors;
mod event_loop;
mod lists;
mod play;
mod request;
mod socks;
mod timers;
mod wire;

pub use address::PROXIES_PER_BEHAVIOUR;
pub use answers::{TARGET_BODY, TARGET_BODY_SHA256};
pub use behaviour::{Behaviour, Expect};
pub use counters::Counts;

use behaviour::Door;
use doors::{Doors, Ports};
use event_loop::EventLoop;
use rustix::event::EventfdFlags;
use rustix::process::{Resource, getrlimit};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a `late` proxy thinks.
pub const LATE: Duration = Duration::from_millis(1500);

/// How a farm is set up.
#[derive(Clone, Copy, Debug)]
pub struct FarmOptions {
    /// The first of five consecutive ports; 0: any that are free.
    pub port: u16,
    /// How many connections are accepted at a time, half of them on the port of `mute` and
    /// `drips`; more wait in the kernel's queues, as `silent` ones do always: 65 000 of those can
    /// stand at once where `net.core.somaxconn` is 4096. By default half the soft limit of
    /// descriptors.
    pub connections_max: usize,
}

impl Default for FarmOptions {
    fn default() -> FarmOptions {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        FarmOptions {
            port: 0,
            connections_max: usize::try_from(descriptors / 2).map_or(32_768, |n| n.min(32_768)),
        }
    }
}

/// What the farm's thread and its owner both see.
#[derive(Debug, Default)]
struct Shared {
    counters: counters::Counters,
    lists: lists::Lists,
}

/// A running farm. Dropping it ends the thread and closes every socket.
#[derive(Debug)]
pub struct Farm {
    ports: Ports,
    shared: Arc<Shared>,
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Farm {
    /// Opens the ports and starts the thread; what is returned serves already.
    ///
    /// # Errors
    /// A port that is taken, or no descriptors.
    pub fn start(options: FarmOptions) -> io::Result<Farm> {
        let (doors, ports) = Doors::open(options.port, options.connections_max)?;
        let stop = Arc::new(rustix::event::eventfd(0, EventfdFlags::CLOEXEC)?);
        let shared = Arc::new(Shared::default());
        let event_loop = EventLoop::new(doors.listeners, stop.as_fd(), Arc::clone(&shared))?;
        let (kept, stop_of_thread) = (doors.kept, Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("farm".into())
            .spawn(move || {
                let _open_until_the_end = (kept, stop_of_thread);
                event_loop.run()
            })?;
        Ok(Farm {
            ports,
            shared,
            stop,
            thread: Some(thread),
        })
    }

    /// The proxy `number` of `behaviour` as a list has it: `http://127.4.0.17:4000`.
    ///
    /// # Panics
    /// If `number` is not below [`PROXIES_PER_BEHAVIOUR`].
    pub fn proxy(&self, behaviour: Behaviour, number: u32) -> String {
        let ip = address::of(behaviour, number);
        let port = self.port(behaviour.door());
        format!("{}{ip}:{port}", behaviour.listed_as())
    }

    /// A proxy on IPv6 that forwards, if this host has IPv6.
    pub fn proxy_v6(&self) -> Option<String> {
        let port = self.port(Door::Open);
        self.ports.ipv6.then(|| format!("http://[::1]:{port}"))
    }

    /// `count` proxies that take turns through `behaviours`: the same for the same arguments.
    ///
    /// # Panics
    /// If `behaviours` is empty, or `count` more than [`PROXIES_PER_BEHAVIOUR`] of each.
    pub fn mix(&self, count: usize, behaviours: &[Behaviour]) -> Vec<(String, Behaviour)> {
        let proxy = |index: usize| {
            let behaviour = behaviours[index % behaviours.len()];
            let number = u32::try_from(index / behaviours.len()).unwrap_or(u32::MAX);
            (self.proxy(behaviour, number), behaviour)
        };
        (0..count).map(proxy).collect()
    }

    /// The URL of the target itself, without a proxy, that answers as `expect` says.
    pub fn target(&self, expect: Expect) -> String {
        let port = self.port(Door::Open);
        let path = match expect {
            Expect::NoContent => "generate_204",
            Expect::KnownBody => "page",
        };
        format!("http://127.0.0.1:{port}/{path}")
    }

    /// Serves `text` as a list of proxies; its URL.
    pub fn serve_list(&self, text: &str) -> String {
        let (port, number) = (self.port(Door::Open), self.shared.lists.add(text));
        format!("http://127.0.0.1:{port}/lists/{number}")
    }

    /// Serves another text at the URL of a list.
    ///
    /// # Panics
    /// If [`Farm::serve_list`] did not give this URL.
    pub fn set_list(&self, url: &str, text: &str) {
        let number = url.rsplit('/').next().and_then(|n| n.parse().ok());
        let known = number.is_some_and(|number| self.shared.lists.set(number, text));
        assert!(known, "{url}: not a list of this farm");
    }

    /// What the proxies of `behaviour` have done so far.
    pub fn counts(&self, behaviour: Behaviour) -> Counts {
        self.shared.counters.read(Some(behaviour))
    }

    /// What the target, asked without a proxy, and the lists have done so far.
    pub fn target_counts(&self) -> Counts {
        self.shared.counters.read(None)
    }

    /// How many accepted connections are open now.
    pub fn connections(&self) -> usize {
        self.shared.counters.open.load(Relaxed)
    }

    /// The ports of the farm.
    pub fn ports(&self) -> &[u16] {
        &self.ports.by_door
    }

    /// Ends the farm, as dropping it does, and says how its thread fared.
    ///
    /// # Errors
    /// What ended the thread before its time.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        rustix::io::write(&*self.stop, &1u64.to_ne_bytes())?;
        let panicked = |_| Err(io::Error::other("the farm's thread panicked"));
        thread.join().unwrap_or_else(panicked)
    }

    fn port(&self, door: Door) -> u16 {
        self.ports.by_door[door as usize]
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        // Whoever wants to know of a failure of the thread calls `Farm::stop`.
        self.end().ok();
    }
}
