//! `serve`: starts the threads, waits for the signal to stop, and ends them in good order.

mod error;
mod kept;
mod liveness;
mod node;
mod notify;
mod place;
mod reload;
mod starting;
mod stored;

#[cfg(test)]
mod tests;

pub use error::ServeError;

use crate::alerts;
use crate::allocator;
use crate::api::{self, ApiState, Settings, Voices};
use crate::config::{Config, ConfigError, Problem, Warning, with_stand_ins};
use crate::coordinator::{self, Event, Outlets};
use crate::io::Plan;
use crate::logging;
use crate::metrics::Metrics;
use crate::operator::Door;
use crate::shutdown::{self, Order};
use crate::snapshot::{Published, Snapshot};
use crate::store::Image;
use crate::store::backup::Backups;
use crate::store::keeper;
use crate::traces;
use crossbeam_channel::{Receiver, Sender, bounded, select, tick, unbounded};
use liveness::Liveness;
use notify::Notify;
use place::Place;
use proxy_shards::{Engine, EngineOptions, Tuning, preflight};
use reload::Reloader;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{mpsc, oneshot, watch};

/// How it ends, for its help.
pub const STATUS: &str = "\
Exit status: 0 SIGTERM or Ctrl-C ended it in good order; 1 it could not start, a part of it died, or what \
it knew at its end could not be saved; \
2 wrong usage; 130 a second Ctrl-C ended it at once; 143 a second SIGTERM did.";

/// Longest time from the signal to the end of the process.
const STOP_WITHIN: Duration = Duration::from_millis(4_500);
/// How often it is seen that every thread still lives.
const ROLL_CALL: Duration = Duration::from_secs(1);
/// Memory that is free goes back to the kernel this often.
const GIVE_BACK_EVERY: Duration = Duration::from_secs(60);
/// Connections that wait to be accepted.
const BACKLOG: i32 = 4_096;
/// Reload requests that wait to be read.
const REQUESTS_MAX: usize = 16;

/// Runs the service until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps it from starting, or a thread that died.
pub fn run(config_path: Option<&Path>) -> Result<(), ServeError> {
    let place = Place::find(config_path);
    let (config, warnings) = place.load()?;
    let _flush = logging::FlushAtEnd;
    logging::init(&config.logging)?;
    logging::log_panics();
    let _traces = traces::EndOfTraces;
    traces::begin(config.logging.otlp.as_ref(), &node_of(&config))?;
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    place.announce(&config);
    let plan = reload::plan(config)?;
    let (orders_to, orders) = unbounded();
    let (start, is_over) = starting::begin(STOP_WITHIN);
    let _signals = shutdown::listen(move |order| match order {
        Order::Exit(status) => {
            logging::flush();
            std::process::exit(status)
        }
        order => {
            if order == Order::Stop {
                start.must_be_over_soon();
            }
            // The receiver lives as long as the service.
            let _ = orders_to.send(order);
        }
    })
    .map_err(thread_error("signals"))?;
    let service = Service::start(place, plan)?;
    drop(is_over);
    service.run(&orders)
}

/// The configuration that [`run`] would start with.
///
/// # Errors
/// It cannot be read, or does not validate.
pub fn configured(config_path: Option<&Path>) -> Result<Config, ConfigError> {
    let (config, _warnings) = Place::find(config_path).load()?;
    Ok(config)
}

/// The same where each secret that is not set has something that stands in for it.
///
/// # Errors
/// It cannot be read, or does not validate even so.
pub fn configured_without_secrets(config_path: Option<&Path>) -> Result<Config, ConfigError> {
    let env = with_stand_ins(&place::environment);
    let (config, _warnings) = Place::find(config_path).load_with(&env)?;
    Ok(config)
}

/// What is wrong with the configuration that [`run`] would start with, and what is odd about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// Where it is from.
    pub place: String,
    /// With any of these the service does not start.
    pub problems: Vec<Problem>,
    /// With these it does.
    pub warnings: Vec<Warning>,
}

/// Looks for them; `without_secrets`: where no secret is set something stands in for it.
pub fn examined(config_path: Option<&Path>, without_secrets: bool) -> Findings {
    let stand_ins = with_stand_ins(&place::environment);
    let env: &dyn Fn(&str) -> Option<String> = match without_secrets {
        true => &stand_ins,
        false => &place::environment,
    };
    let place = Place::find(config_path);
    let (problems, warnings) = match place.file() {
        Some(path) => Config::examine(path, env),
        None => Default::default(),
    };
    Findings {
        place: place.to_string(),
        problems,
        warnings,
    }
}

/// Where [`run`] would listen, whatever else is wrong with the configuration.
///
/// # Errors
/// It cannot be read, or `api.addr` is wrong.
pub fn listens_at(config_path: Option<&Path>) -> Result<SocketAddr, ConfigError> {
    Place::find(config_path).api_addr()
}

/// The running threads.
struct Service {
    /// Where the API listens.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests bind port 0 and ask"))]
    address: SocketAddr,
    events: Sender<Event>,
    requests: mpsc::Sender<api::ReloadRequest>,
    stop: watch::Sender<bool>,
    /// Disconnected when the coordinator has ended.
    coordinator_lives: Receiver<()>,
    liveness: Liveness,
    gave_back: Instant,
    notify: Notify,
    published: Arc<Published>,
    /// Whether saves fail.
    metrics: Arc<Metrics>,
    threads: Vec<(&'static str, JoinHandle<()>)>,
}

impl Service {
    fn start(place: Place, plan: Plan) -> Result<Service, ServeError> {
        Service::start_over(place, plan, node::connect)
    }

    /// The same, over another bus if it is one of several nodes.
    fn start_over(place: Place, plan: Plan, connect: node::Connect) -> Result<Service, ServeError> {
        let config = plan.config.clone();
        let metrics = Arc::new(Metrics::new()?);
        let (listener, address) = listen(config.api.addr)?;
        let (store, restored) = stored::open(&config, &metrics)?;
        let operator = Door::of(&config.storage.backend);
        let engine = start_engine(&config)?;

        let published = Arc::new(Published::empty(SystemTime::now()));
        let (events, events_from) = unbounded();
        let (images, images_from) = unbounded();
        let (lookups, lookups_from) = mpsc::unbounded_channel();
        let (requests, requests_from) = mpsc::channel(REQUESTS_MAX);
        let (settings, settings_from) = watch::channel(Arc::new(Settings::from(&*config)));
        let (stop, _) = watch::channel(false);

        let backups = config.storage.backup.clone().map(Backups::new);
        if let Some(last_s) = backups.as_ref().and_then(Backups::last_s) {
            metrics.backed_up(SystemTime::UNIX_EPOCH + Duration::from_secs(last_s));
        }
        let keeper = keeper::spawn(store, backups, images_from, kept::told(&metrics, &events))
            .map_err(thread_error("store"))?;
        if metrics.storage_is_failing() {
            // A store that could not be opened is opened by a save, though nothing may be found that would
            // have one made.
            let (ask, _) = oneshot::channel();
            let _ = events.send(Event::Save(ask));
        }
        let outlets = Outlets {
            published: published.clone(),
            lookups,
            images,
        };
        let pulse = engine.pulse();
        let (leads, leads_seen) = watch::channel(config.cluster.is_none().then_some(1));
        let (coordinator, coordinator_lives) = match config.cluster.clone() {
            None => coordinate(engine, &config, restored, events_from, outlets)?,
            Some(cluster) => {
                let told = Box::new(kept::shared(&events));
                let link = connect(&cluster, engine, &config, &restored, told)?;
                let start = node::Start {
                    config: config.clone(),
                    cluster,
                    restored,
                    events: events_from,
                    outlets,
                    reload: requests.clone(),
                    leads,
                };
                node::coordinate(link, start)?
            }
        };
        let state = ApiState {
            snapshots: published.clone(),
            settings: settings_from,
            metrics: metrics.clone(),
            reload: requests.clone(),
            questions: events.clone(),
            cursor: Arc::new(AtomicUsize::new(0)),
            voices: match &config.cluster {
                None => Voices::random(),
                Some(cluster) => Voices::of_cluster(cluster),
            },
        };
        let (api, api_runtime) =
            api::spawn(listener, state, stopped(&stop)).map_err(thread_error("api"))?;
        let (rules, rules_from) = watch::channel(config.alerts.clone());
        let alerts = alerts::Start {
            rules: rules_from,
            published: published.clone(),
            metrics: metrics.clone(),
            node: node_of(&config),
        };
        let start = crate::io::Start {
            watched: place.file().map(Path::to_owned),
            reload: Arc::new(Reloader::new(
                place,
                config,
                settings,
                metrics.clone(),
                rules,
            )),
            plan,
            allowed: |config, ip| config.aggregator.addresses.allows(ip),
            requests: requests_from,
            lookups: lookups_from,
            events: events.clone(),
            operator,
            leads: leads_seen,
        };
        let watch = move || alerts::watch(alerts.clone());
        let io = crate::io::spawn(start, watch, stopped(&stop)).map_err(thread_error("io"))?;
        let threads = vec![
            ("coordinator", coordinator),
            ("store", keeper),
            ("api", api),
            ("io", io),
        ];
        Ok(Service {
            liveness: Liveness::of(&pulse, &events, &api_runtime),
            gave_back: Instant::now(),
            notify: Notify::new(),
            published,
            metrics,
            address,
            events,
            requests,
            stop,
            coordinator_lives,
            threads,
        })
    }

    /// Obeys the signals until one says stop, or a thread dies.
    ///
    /// # Errors
    /// A thread died, or what was known at the end was not saved.
    fn run(mut self, orders: &Receiver<Order>) -> Result<(), ServeError> {
        self.notify.ready();
        // Not the time since the last order: reloads without pause would keep it from ever coming.
        let seconds = tick(ROLL_CALL);
        let died = loop {
            select! {
                recv(orders) -> order => match order {
                    // A full channel means that a reload waits already: this one is merged into it.
                    Ok(Order::Reload) => drop(self.requests.try_send(api::ReloadRequest { reply: None })),
                    _ => break None,
                },
                recv(self.coordinator_lives) -> _ => break Some("coordinator"),
                recv(seconds) -> _ => {
                    self.tell_manager();
                    self.give_memory_back();
                    let dead = self.threads.iter().find(|(_, thread)| thread.is_finished());
                    if let Some(&(name, _)) = dead {
                        break Some(name);
                    }
                }
            }
        };
        if let Some(thread) = died {
            tracing::error!(thread, "a thread ended by itself, and the service with it");
        }
        let saved = self.end();
        match died {
            Some(name) => Err(ServeError::Died(name)),
            None => saved,
        }
    }

    /// Once a minute: under churn free pages would gather in the heaps of all threads.
    fn give_memory_back(&mut self) {
        let now = Instant::now();
        if now.saturating_duration_since(self.gave_back) >= GIVE_BACK_EVERY {
            self.gave_back = now;
            allocator::give_back();
        }
    }

    /// Feeds the watchdog if all answer, and says what is going on.
    fn tell_manager(&mut self) {
        let now = Instant::now();
        if self.liveness.look(now) {
            self.notify.alive();
        }
        self.notify.status(now, || status(&self.published.load()));
    }

    /// Ends the threads in good order; what does not end in time ends with the process.
    ///
    /// # Errors
    /// What is known was not saved.
    fn end(self) -> Result<(), ServeError> {
        tracing::info!("stopping");
        self.notify.stopping();
        let deadline = Instant::now() + STOP_WITHIN;
        // Receivers that are gone have ended already.
        let _ = self.events.send(Event::Stop);
        self.stop.send_replace(true);
        let mut late = false;
        for (name, thread) in self.threads {
            while !thread.is_finished() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(5));
            }
            if !thread.is_finished() {
                // The coordinator has the last image made, and the store saves it.
                late |= matches!(name, "coordinator" | "store");
                tracing::warn!(
                    thread = name,
                    "did not end in time; the process ends without it"
                );
            }
        }
        if late {
            return Err(ServeError::Unsaved("the save was not done in time"));
        }
        if self.metrics.storage_is_failing() {
            return Err(ServeError::Unsaved(
                "the log says above why the save failed",
            ));
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// The name of this node: in a cluster its own, else that of the host.
fn node_of(config: &Config) -> Box<str> {
    let node = config.cluster.as_ref().map(|cluster| cluster.node.clone());
    node.unwrap_or_else(alerts::host_name)
}

/// One line for `systemctl status`.
fn status(snapshot: &Snapshot) -> String {
    let (stat, alive) = (&snapshot.stat, snapshot.pool.proxies().len());
    let sweep = &stat.sweep;
    let stale = if snapshot.stale { ", stale" } else { "" };
    format!(
        "{alive} alive of {} candidates{stale}; sweep {}: {} of {} checked",
        stat.total_scraped, sweep.id, sweep.done, sweep.total
    )
}

fn listen(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |error| ServeError::Listen { addr, error };
    let listener = TcpListener::bind(addr).map_err(failed)?;
    // The 128 of the standard library are full after one burst, and who comes then waits for a
    // second to try again. The kernel lowers it to net.core.somaxconn.
    rustix::net::listen(&listener, BACKLOG).map_err(|error| failed(error.into()))?;
    let bound = listener.local_addr().unwrap_or(addr);
    Ok((listener, bound))
}

fn start_engine(config: &Config) -> Result<Engine, ServeError> {
    let checker = &config.checker;
    let options = EngineOptions {
        shards: checker.shards,
        lanes: checker.concurrency,
        tuning: Tuning::default(),
    };
    Ok(Engine::start(options, checker.policy.clone())?)
}

fn coordinate(
    engine: Engine,
    config: &Arc<Config>,
    restored: Image,
    events: Receiver<Event>,
    outlets: Outlets,
) -> Result<(JoinHandle<()>, Receiver<()>), ServeError> {
    let start = coordinator::Start {
        config: config.clone(),
        shards: engine.shards(),
        lanes_per_shard: engine.lanes_per_shard(),
        descriptors: preflight::raise_nofile().soft,
        restored,
        seed: fastrand::u64(..),
    };
    let (alive, lives) = bounded(1);
    let thread = thread::Builder::new().name("coordinator".into());
    let thread = thread.spawn(move || {
        // `alive` is dropped when the thread ends. Whoever started it waits, or is gone.
        let begun = || {
            let _ = alive.send(());
        };
        coordinator::run(engine, start, &events, &outlets, begun);
    });
    let thread = thread.map_err(thread_error("coordinator"))?;
    // The API opens only now, so that no answer is older than what was restored.
    lives.recv().map_err(|_| ServeError::Died("coordinator"))?;
    Ok((thread, lives))
}

/// Ready when the service stops.
fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + 'static {
    let mut stop = stop.subscribe();
    async move {
        // An error says that the service is gone, which is a stop too.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

fn thread_error(name: &'static str) -> impl FnOnce(io::Error) -> ServeError {
    move |error| ServeError::Thread { name, error }
}
