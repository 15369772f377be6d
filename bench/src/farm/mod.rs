//! The farm: one thread that plays thousands of proxies on `127.x.y.z`, each as its address says.
//!
//! A behaviour is a row of a table (`table.rs`): what the proxy speaks, how its handshake goes and
//! what it does then; what a checker must find follows from the row (`verdicts.rs`). A port is
//! listened on for all of `127.0.0.0/8`; which behaviour answers is read from the address that was
//! connected to (`address.rs`). Where the kernel itself must behave differently there is another
//! port (`doors.rs`). What is said is decided without sockets (`play.rs`, `proxy.rs`, `socks.rs`,
//! `target.rs`) and carried out by a connection (`connection.rs`), in as many layers of TLS as it
//! takes (`stream.rs`, `tls.rs`), that the loop gives its turns (`event_loop.rs`). There is nobody
//! behind a proxy: it plays the target too, in its place.

mod aim;
mod behaviour;
mod table;
mod verdicts;

mod address;
mod answers;
mod judge;
mod play;
mod proxy;
mod request;
mod socks;
mod target;

mod connection;
mod counters;
mod doors;
mod event_loop;
mod lists;
mod living;
mod stream;
mod timers;
mod tls;
mod window;
mod wire;

pub use address::PROXIES_PER_BEHAVIOUR;
pub use aim::{Aim, Listing};
pub use answers::{TARGET_BODY, TARGET_BODY_SHA256, TARGET_NAME};
pub use behaviour::Behaviour;
pub use counters::{Counts, Handshakes};
pub use judge::JUDGE_SECRET;
pub use window::Window;

/// An [`Aim`], as those call it who only expect an answer.
pub type Expect = Aim;

use doors::{Doors, Ports};
use event_loop::EventLoop;
use play::Reach;
use rustix::event::EventfdFlags;
use rustix::process::{Resource, getrlimit};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::Duration;
use table::Door;
use tls::Identities;

/// How long a `late` proxy thinks.
pub const LATE: Duration = Duration::from_millis(1500);

/// How a farm is set up.
#[derive(Clone, Copy, Debug)]
pub struct FarmOptions {
    /// The first of six consecutive ports; 0: any that are free.
    pub port: u16,
    /// How many connections are accepted at a time, half of them on the port of those
    /// that are mute or drip; more wait in the kernel's queues, as `silent` ones do always: 65 000 of those can
    /// stand at once where `net.core.somaxconn` is 4096. By default half the soft limit of
    /// descriptors.
    pub connections_max: usize,
    /// How many tickets each TLS handshake gives; without any no session can be resumed.
    pub tickets: usize,
}

impl Default for FarmOptions {
    fn default() -> FarmOptions {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        FarmOptions {
            port: 0,
            connections_max: usize::try_from(descriptors / 2).map_or(32_768, |n| n.min(32_768)),
            tickets: 2,
        }
    }
}

/// What the farm's thread and its owner both see.
#[derive(Debug)]
struct Shared {
    counters: counters::Counters,
    lists: lists::Lists,
    living: living::Living,
    identities: Identities,
    target_is_down: AtomicBool,
}

impl Shared {
    fn target(&self) -> Reach {
        match self.target_is_down.load(Relaxed) {
            true => Reach::Down,
            false => Reach::Up,
        }
    }
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
    /// A port that is taken, no descriptors, or no randomness for the certificates.
    pub fn start(options: FarmOptions) -> io::Result<Farm> {
        let (doors, ports) = Doors::open(options.port, options.connections_max)?;
        let stop = Arc::new(rustix::event::eventfd(0, EventfdFlags::CLOEXEC)?);
        let shared = Arc::new(Shared {
            counters: counters::Counters::default(),
            lists: lists::Lists::default(),
            living: living::Living::default(),
            identities: Identities::new(options.tickets)?,
            target_is_down: AtomicBool::new(false),
        });
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
        self.proxy_in(behaviour, number, Listing::Schemed)
    }

    /// The same in either kind of list: `user:pass@127.4.0.17:4000`.
    ///
    /// # Panics
    /// If `number` is not below [`PROXIES_PER_BEHAVIOUR`].
    pub fn proxy_in(&self, behaviour: Behaviour, number: u32, listing: Listing) -> String {
        let (ip, port) = (self.address(behaviour, number), self.port(behaviour.door()));
        format!("{}{ip}:{port}", behaviour.prefix(listing))
    }

    /// The address of the proxy `number` of `behaviour`, which is also the one that its target sees.
    ///
    /// # Panics
    /// If `number` is not below [`PROXIES_PER_BEHAVIOUR`].
    pub fn address(&self, behaviour: Behaviour, number: u32) -> Ipv4Addr {
        address::of(behaviour, number)
    }

    /// A proxy on IPv6 that forwards, if this host has IPv6.
    pub fn proxy_v6(&self) -> Option<String> {
        let port = self.port(Door::Open);
        self.ports.ipv6.then(|| format!("http://[::1]:{port}"))
    }

    /// `count` proxies that take turns through `behaviours`: the same for the same arguments.
    ///
    /// # Panics
    /// If these behaviours have not so many, see [`Window::most`].
    pub fn mix(&self, count: usize, behaviours: &[Behaviour]) -> Vec<(String, Behaviour)> {
        let proxy = |(behaviour, number)| (self.proxy(behaviour, number), behaviour);
        window(count, behaviours).proxies().map(proxy).collect()
    }

    /// The URL of the target itself, which answers without a proxy too.
    pub fn target(&self, aim: Aim) -> String {
        let port = self.port(Door::Target);
        format!("{}://127.0.0.1:{port}{}", aim.scheme(), aim.path())
    }

    /// Takes the target away, and brings it back. While it is down whoever asks it is reset, and
    /// proxies that need it say what they say when theirs cannot be reached.
    pub fn set_target(&self, up: bool) {
        self.shared.target_is_down.store(!up, Relaxed);
    }

    /// The certificate in PEM of the authority that signed the target's.
    pub fn ca_pem(&self) -> &str {
        self.shared.identities.ca_pem()
    }

    /// The TLS handshakes so far.
    pub fn handshakes(&self) -> Handshakes {
        self.shared.counters.handshakes()
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

    /// From now on only the proxies of the window live: all others reset whoever comes. Those who
    /// are here already are served.
    pub fn keep_only(&self, window: &Window) {
        let address = |(behaviour, number)| self.address(behaviour, number);
        self.shared
            .living
            .set(window.proxies().map(address).collect());
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

/// The first `count` proxies of `behaviours`.
///
/// # Panics
/// If there are not so many.
pub(crate) fn window(count: usize, behaviours: &[Behaviour]) -> Window {
    let window = Window::first(count, behaviours);
    window.unwrap_or_else(|| panic!("{count}: these behaviours have not so many proxies"))
}

impl Drop for Farm {
    fn drop(&mut self) {
        // Whoever wants to know of a failure of the thread calls `Farm::stop`.
        self.end().ok();
    }
}
