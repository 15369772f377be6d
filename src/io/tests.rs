use super::*;
use crate::coordinator::simulation::{candidate, config, list, number};
use crossbeam_channel::{Receiver, unbounded};
use std::collections::VecDeque;
use std::fs;
use std::net::IpAddr;
use std::sync::Mutex;
use tokio::sync::{Notify, oneshot, watch};

const PATIENCE: Duration = Duration::from_secs(20);

/// A reload whose configurations are given in advance.
#[derive(Default)]
struct Script {
    plans: Mutex<VecDeque<Result<Plan, String>>>,
    accepted: Mutex<usize>,
    applied: Mutex<Vec<u64>>,
    refused: Mutex<Vec<String>>,
}

impl Reload for Script {
    fn read(&self) -> Result<Plan, String> {
        let next = self.plans.lock().unwrap().pop_front();
        next.unwrap_or_else(|| Err("nothing more is planned".to_owned()))
    }
    fn accepted(&self, _: &Plan) -> Vec<&'static str> {
        *self.accepted.lock().unwrap() += 1;
        vec!["api.addr"]
    }
    fn applied(&self, id: u64, _: &Plan) {
        self.applied.lock().unwrap().push(id);
    }
    fn refused(&self, why: &str) {
        self.refused.lock().unwrap().push(why.to_owned());
    }
}

/// The thread and everything around it.
struct Bench {
    script: Arc<Script>,
    events: Receiver<Event>,
    requests: mpsc::Sender<ReloadRequest>,
    lookups: mpsc::UnboundedSender<Lookup>,
    leads: watch::Sender<Option<u64>>,
    stop: Option<watch::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bench {
    fn start(plan: Plan, watched: Option<PathBuf>) -> Bench {
        Bench::of_node(plan, watched, Some(1))
    }

    /// One of several, which leads or does not.
    fn of_node(plan: Plan, watched: Option<PathBuf>, leads: Option<u64>) -> Bench {
        let (leads, leads_seen) = watch::channel(leads);
        let script = Arc::new(Script::default());
        let (events_to, events) = unbounded();
        let (requests, requests_from) = mpsc::channel(8);
        let (lookups, lookups_from) = mpsc::unbounded_channel();
        let (stop, mut stopped) = watch::channel(());
        let start = Start {
            operator: None,
            plan,
            reload: script.clone(),
            watched,
            allowed: |_, ip| !ip.is_loopback(),
            requests: requests_from,
            lookups: lookups_from,
            events: events_to,
            leads: leads_seen,
        };
        let shutdown = async move { drop(stopped.changed().await) };
        Bench {
            script,
            events,
            requests,
            lookups,
            leads,
            stop: Some(stop),
            thread: Some(spawn(start, || async {}, shutdown).unwrap()),
        }
    }

    fn event(&self) -> Event {
        self.events
            .recv_timeout(PATIENCE)
            .expect("an event in time")
    }

    /// The next event, as `list 1/0: 3`, `error 1/0: text` or `configure 2: urls`.
    fn said(&self) -> String {
        match self.event() {
            Event::Source {
                reload,
                source,
                outcome: Ok(Fetched::List(list)),
            } => {
                let first = list.candidates.get(0).unwrap().host.ip().map_or(0, number);
                format!("list {reload}/{source}: {first}")
            }
            Event::Source {
                reload,
                source,
                outcome: Err(error),
            } => format!("error {reload}/{source}: {error}"),
            Event::Configure { reload, config } => {
                let urls = config.aggregator.sources.iter().map(|s| &*s.url);
                format!("configure {reload}: {}", urls.collect::<Vec<_>>().join(" "))
            }
            other => format!("{other:?}"),
        }
    }

    fn plan(&self, next: Result<Plan, String>) {
        self.script.plans.lock().unwrap().push_back(next);
    }

    fn reload(&self) -> Result<u64, String> {
        let (reply, outcome) = oneshot::channel();
        let request = ReloadRequest { reply: Some(reply) };
        self.requests.blocking_send(request).unwrap();
        let accepted = outcome.blocking_recv().unwrap()?;
        assert_eq!(accepted.needs_restart, ["api.addr"]);
        Ok(accepted.id)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Sources that deliver a list of one candidate, the number of the source; `slow` does so only once
/// notified, `broken` fails.
fn plan(names: &[&str], notify: &Arc<Notify>) -> Plan {
    let notify = notify.clone();
    let fetch: FetchAll = Arc::new(move |sources, to| {
        let notify = notify.clone();
        Box::pin(async move {
            let named = |name| sources.iter().position(|s: &Source| &*s.url == name);
            for (place, source) in (0u32..).zip(&sources) {
                let outcome = match &*source.url {
                    "slow" | "silent" => continue,
                    "broken" => Err("404".into()),
                    _ => Ok(Fetched::List(list([place]))),
                };
                to.send((place as usize, outcome)).await.unwrap();
            }
            if let Some(place) = named("slow") {
                notify.notified().await;
                let list = Fetched::List(list([9]));
                to.send((place, Ok(list))).await.unwrap();
            }
        })
    });
    Plan {
        config: Arc::new(config(names)),
        fetch,
    }
}

#[test]
fn each_list_is_handed_on_as_soon_as_it_is_there() {
    let notify = Arc::new(Notify::new());
    let bench = Bench::start(plan(&["slow", "a", "broken"], &notify), None);
    assert_eq!(bench.said(), "list 1/1: 1");
    assert_eq!(bench.said(), "error 1/2: 404");
    notify.notify_one();
    assert_eq!(bench.said(), "list 1/0: 9");
}

#[test]
fn a_configuration_that_does_not_validate_changes_nothing() {
    let bench = Bench::start(plan(&["a"], &Arc::default()), None);
    assert_eq!(bench.said(), "list 1/0: 0");
    bench.plan(Err("config.json: it is broken".to_owned()));
    assert_eq!(bench.reload(), Err("config.json: it is broken".to_owned()));
    assert_eq!(bench.script.refused.lock().unwrap().len(), 1);
    assert_eq!(bench.script.applied.lock().unwrap().len(), 0);
    bench.plan(Ok(plan(&["b", "a"], &Arc::default())));
    assert_eq!(bench.reload(), Ok(2));
    assert_eq!(bench.said(), "configure 2: b a");
    assert_eq!(bench.said(), "list 2/0: 0");
}

#[test]
fn reloads_are_merged_into_the_one_that_waits_and_the_last_configuration_holds() {
    let notify = Arc::new(Notify::new());
    let bench = Bench::start(plan(&["slow"], &notify), None);
    for name in ["a", "b", "c"] {
        bench.plan(Ok(plan(&[name], &notify)));
        assert_eq!(bench.reload(), Ok(2));
    }
    assert!(bench.events.is_empty(), "the first still runs");
    // What waits for no list, such as keys, does not wait for the first either.
    assert_eq!(*bench.script.accepted.lock().unwrap(), 3);
    notify.notify_one();
    assert_eq!(bench.said(), "list 1/0: 9");
    assert_eq!(bench.said(), "configure 2: c");
    assert_eq!(bench.said(), "list 2/0: 0");
    bench.plan(Ok(plan(&["d"], &notify)));
    assert_eq!(bench.reload(), Ok(3));
    assert_eq!(bench.said(), "configure 3: d");
    assert_eq!(*bench.script.applied.lock().unwrap(), [2, 3]);
}

#[test]
fn the_sources_are_fetched_again_at_every_interval_without_a_reload() {
    let mut plan = plan(&["a"], &Arc::default());
    let mut quick = Config::clone(&plan.config);
    quick.aggregator.interval = Duration::from_millis(20);
    plan.config = Arc::new(quick);
    let bench = Bench::start(plan, None);
    for _ in 0..5 {
        assert_eq!(bench.said(), "list 1/0: 0");
    }
}

#[test]
fn a_source_that_is_slow_is_waited_for_while_the_others_are_fetched_again() {
    let notify = Arc::new(Notify::new());
    let mut first = plan(&["slow", "a"], &notify);
    let mut quick = Config::clone(&first.config);
    quick.aggregator.interval = Duration::from_millis(20);
    first.config = Arc::new(quick);
    let bench = Bench::start(first, None);
    assert_eq!(bench.said(), "list 1/1: 1");
    for _ in 0..3 {
        assert_eq!(
            bench.said(),
            "list 1/1: 0",
            "alone, so the first of its round"
        );
    }
    notify.notify_one();
    let came = (0..1_000).any(|_| bench.said() == "list 1/0: 9");
    assert!(came, "the slow one is heard of too");
}

#[test]
fn a_reload_does_not_wait_for_a_fetch_that_the_interval_began() {
    let notify = Arc::new(Notify::new());
    let mut first = plan(&["slow"], &notify);
    let mut quick = Config::clone(&first.config);
    quick.aggregator.interval = Duration::from_millis(20);
    first.config = Arc::new(quick);
    let bench = Bench::start(first, None);
    notify.notify_one();
    assert_eq!(bench.said(), "list 1/0: 9");
    // From here on only the interval fetches, and nobody notifies it. Whether it has begun or not,
    // the reload goes first.
    bench.plan(Ok(plan(&["b"], &notify)));
    assert_eq!(bench.reload(), Ok(2));
    assert_eq!(bench.said(), "configure 2: b");
    assert_eq!(bench.said(), "list 2/0: 0");
}

#[test]
fn a_source_that_the_fetch_forgot_has_failed_and_does_not_hold_up_the_next_reload() {
    let bench = Bench::start(plan(&["a", "silent"], &Arc::default()), None);
    assert_eq!(bench.said(), "list 1/0: 0");
    assert!(
        bench
            .said()
            .starts_with("error 1/1: the fetch ended by itself")
    );
    bench.plan(Ok(plan(&["b"], &Arc::default())));
    assert_eq!(bench.reload(), Ok(2));
    assert_eq!(bench.said(), "configure 2: b");
}

#[test]
fn a_node_that_follows_reloads_and_fetches_nothing_until_it_leads() {
    let notify = Arc::new(Notify::new());
    let bench = Bench::of_node(plan(&["a"], &notify), None, None);
    for (name, id) in [("b", 2), ("c", 3)] {
        bench.plan(Ok(plan(&[name], &notify)));
        assert_eq!(bench.reload(), Ok(id));
        assert_eq!(bench.said(), format!("configure {id}: {name}"));
    }
    assert!(bench.events.is_empty());
    bench.leads.send_replace(Some(7));
    assert_eq!(
        bench.said(),
        "list 7/0: 0",
        "as the reload of the leader before"
    );
    bench.plan(Ok(plan(&["slow"], &notify)));
    assert_eq!(bench.reload(), Ok(8));
    assert_eq!(bench.said(), "configure 8: slow");
    // Deposed while it fetches: the reload is over, and the next one does not wait.
    bench.leads.send_replace(None);
    bench.plan(Ok(plan(&["d"], &notify)));
    assert_eq!(bench.reload(), Ok(9));
    assert_eq!(bench.said(), "configure 9: d");
    assert!(bench.events.is_empty());
}

#[test]
fn a_changed_file_is_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, "{}").unwrap();
    let bench = Bench::start(plan(&["a"], &Arc::default()), Some(path.clone()));
    assert_eq!(bench.said(), "list 1/0: 0");
    bench.plan(Ok(plan(&["b"], &Arc::default())));
    fs::write(&path, "{ }").unwrap();
    assert_eq!(bench.said(), "configure 2: b");
}

#[test]
fn names_are_looked_up_and_only_a_target_may_be_where_no_proxy_is_dialled() {
    let bench = Bench::start(plan(&[], &Arc::default()), None);
    let target = Purpose::Target { id: 5, turn: 0 };
    for (purpose, name, expected) in [
        (Purpose::Proxy(5), "9.0.0.77", candidate(77).host.ip()),
        (Purpose::Proxy(6), "127.0.0.1", None),
        (target, "127.0.0.1", Some([127, 0, 0, 1].into())),
    ] {
        let name = name.into();
        bench.lookups.send(Lookup { purpose, name }).unwrap();
        let Event::Resolved {
            purpose: answered,
            ip,
        } = bench.event()
        else {
            panic!("not an answer");
        };
        assert_eq!((answered, ip), (purpose, expected as Option<IpAddr>));
    }
}
