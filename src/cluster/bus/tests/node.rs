//! A node for tests: a bus, someone who reads its news as a coordinator does, and a worker that ends
//! what it is told to.

use super::redis::{cluster, wait_for};
use crate::cluster::bus::policy::fingerprint;
use crate::cluster::bus::{self, Handle};
use crate::cluster::jobs::take::Taken;
use crate::cluster::wire::Id;
use crate::cluster::worker::end::{Credit, Part, Said, Task, WorkerStat};
use crate::cluster::{Form, Logged, News, NodeStat, Order, Publication};
use crate::config::Cluster;
use crate::ledger::Entry;
use crate::store::keeper::Kept;
use crate::store::{Asked, Image};
use crossbeam_channel::{Receiver, Sender, unbounded};
use proxy_shards::policy::PolicyOptions;
use proxy_shards::{Job, ProbePolicy, Protocols, Record, Verdict};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What one node has heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// The reign that lasts, and those that are over.
    pub(super) leads: Option<(u64, Instant)>,
    pub(super) reigns: Vec<(u64, Instant, Instant)>,
    pub(super) leader: Option<Box<str>>,
    /// Candidates as the log and the checkpoint have them: failures by port.
    pub(super) ledger: HashMap<u16, u32>,
    pub(super) checkpoints: usize,
    pub(super) generation: u64,
    /// How often each job was reported, under each token.
    pub(super) reported: HashMap<(u64, u64), u32>,
    pub(super) down: Option<Box<str>>,
    pub(super) downs: Vec<Box<str>>,
    pub(super) nodes: Vec<NodeStat>,
    pub(super) reloads: u32,
    pub(super) words: u32,
}

pub(super) struct Node {
    pub(super) orders: Sender<Order>,
    pub(super) heard: Arc<Mutex<Heard>>,
    kept: Receiver<Kept>,
    pub(super) work: Work,
    pub(super) handle: Handle,
    pub(super) stat: Arc<WorkerStat>,
    reader: JoinHandle<()>,
}

/// A worker by hand.
pub(super) struct Work {
    tasks: Receiver<Task>,
    said: Sender<Said>,
    pub(super) credit: Arc<Credit>,
    received: u64,
    has: HashMap<Id, Taken>,
}

pub(super) fn policy(url: &str) -> ProbePolicy {
    ProbePolicy::new(PolicyOptions {
        targets: vec![url.into()],
        ..PolicyOptions::default()
    })
    .unwrap()
}

pub(super) fn form() -> Form {
    Form {
        encode: |publication| {
            let mut bytes = publication.generation.to_le_bytes().to_vec();
            bytes.push(publication.stale.into());
            bytes
        },
        decode: |bytes| {
            let (generation, stale) = bytes.split_first_chunk::<8>()?;
            Some(Publication {
                generation: u64::from_le_bytes(*generation),
                at_ms: 4,
                stat: Arc::default(),
                stale: *stale.first()? != 0,
            })
        },
    }
}

impl Node {
    /// How the next checkpoint ended.
    pub(super) fn saved(&self) -> Result<u64, String> {
        match self.kept.recv().unwrap() {
            Kept::Saved(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn start(address: SocketAddr, name: &str, lease_ms: u64) -> Node {
        Node::of(&cluster(address, name, lease_ms), "http://a.test/")
    }

    pub(super) fn of(cluster: &Cluster, target: &str) -> Node {
        Node::knowing(cluster, target, 0)
    }

    /// One that restored what was saved then, in milliseconds since the Unix epoch.
    pub(super) fn knowing(cluster: &Cluster, target: &str, saved_at_ms: u64) -> Node {
        let (tell, kept) = unbounded();
        let tell = move |how| drop(tell.send(how));
        let bus = bus::start(cluster, form(), &policy(target), saved_at_ms, tell).unwrap();
        let heard = Arc::<Mutex<Heard>>::default();
        let (shared, news) = (heard.clone(), bus.news);
        let reader = thread::spawn(move || {
            for news in news {
                hear(&mut shared.lock().unwrap(), news);
            }
        });
        Node {
            orders: bus.orders,
            heard,
            kept,
            stat: bus.worker.stat.clone(),
            work: Work {
                tasks: bus.worker.tasks,
                said: bus.worker.said,
                credit: bus.worker.credit,
                received: 0,
                has: HashMap::new(),
            },
            handle: bus.handle,
            reader,
        }
    }

    pub(super) fn heard<T>(&self, of: impl FnOnce(&Heard) -> T) -> T {
        of(&self.heard.lock().unwrap())
    }

    pub(super) fn token(&self) -> Option<u64> {
        self.heard(|heard| heard.leads.map(|(token, _)| token))
    }

    pub(super) fn order(&self, order: Order) {
        self.orders.send(order).unwrap();
    }

    /// Ends it in good order.
    pub(super) fn stop(self) {
        // Whoever orders may still hold its end.
        let orders = self.orders.clone();
        drop(self.work);
        self.handle.stop(Duration::from_secs(2));
        drop(orders);
        self.reader.join().unwrap();
    }
}

fn hear(heard: &mut Heard, news: News) {
    let now = Instant::now();
    match news {
        News::Checkpoint(image) => {
            assert_eq!(heard.leads, None, "a leader is told nothing of the log");
            heard.checkpoints += 1;
            let known = |entry: Entry| (entry.candidate.port, entry.failures);
            heard.ledger = image.entries.iter().map(known).collect();
        }
        News::Log(lines) => {
            assert_eq!(heard.leads, None, "a leader is told nothing of the log");
            lines.into_iter().for_each(|line| apply(heard, line));
        }
        News::Leads { token } => {
            assert_eq!(heard.leads, None);
            heard.leads = Some((token, now));
        }
        News::Follows { leader } => {
            if let Some((token, since)) = heard.leads.take() {
                heard.reigns.push((token, since, now));
            }
            heard.leader = leader;
        }
        News::Report(report) => {
            let (token, _) = heard.leads.expect("only a leader is told of reports");
            for record in &report.records {
                *heard.reported.entry((token, record.id)).or_default() += 1;
            }
        }
        News::Nodes(nodes) => heard.nodes = nodes,
        News::Link(why) => {
            assert_ne!(heard.down, why, "said once, for each reason");
            heard.downs.extend(why.clone());
            heard.down = why;
        }
        News::Reload => heard.reloads += 1,
        News::Heard(_) => heard.words += 1,
    }
}

fn apply(heard: &mut Heard, line: Logged) {
    match line {
        Logged::Judged { entry, .. } => {
            heard.ledger.insert(entry.candidate.port, entry.failures);
        }
        Logged::Forgotten(candidate) => drop(heard.ledger.remove(&candidate.port)),
        Logged::Published(publication) => heard.generation = publication.generation,
    }
}

impl Work {
    /// Allows so many jobs to be there at once, and takes what has come.
    pub(super) fn take(&mut self, room: u64) {
        while let Ok(task) = self.tasks.try_recv() {
            match task {
                Task::Taken(taken) => {
                    self.received += taken.jobs.len() as u64;
                    self.has.insert(taken.id, taken);
                }
                Task::Lost(lost) => lost.iter().for_each(|id| drop(self.has.remove(id))),
                Task::Void(token) => self.has.retain(|id, _| id.token != token),
                Task::Control(_) => {}
            }
        }
        let has: usize = self.has.values().map(|taken| taken.jobs.len()).sum();
        self.credit
            .allow(self.received, room.saturating_sub(has as u64));
    }

    pub(super) fn has(&self) -> usize {
        self.has.len()
    }

    /// Whether all that it has is to be probed by this policy.
    pub(super) fn suits(&self, policy: &ProbePolicy) -> bool {
        let own = fingerprint(policy);
        self.has.values().all(|taken| taken.policy == own)
    }

    /// Reports the jobs of every entry for whose places `which` holds.
    pub(super) fn report(&mut self, which: impl Fn(usize) -> bool) {
        let mut parts = Vec::new();
        for taken in self.has.values_mut() {
            let is_new = |place: &usize| taken.done & 1 << place == 0 && which(*place);
            let places: Vec<usize> = (0..taken.jobs.len()).filter(is_new).collect();
            let bits = places.iter().fold(0, |bits, place| bits | 1 << place);
            taken.done |= bits;
            let record = |&place: &usize| Record::unprobed(taken.jobs[place].id, Verdict::Refused);
            parts.push(Part {
                id: taken.id,
                bits,
                is_last: taken.done.count_ones() as usize == taken.jobs.len(),
                records: places.iter().map(record).collect(),
            });
        }
        let last: HashSet<Id> = parts.iter().filter(|p| p.is_last).map(|p| p.id).collect();
        self.has.retain(|id, _| !last.contains(id));
        parts.retain(|part| !part.records.is_empty());
        parts.sort_by_key(|part| part.id);
        if !parts.is_empty() {
            let head = Default::default();
            self.said.send(Said { head, parts }).unwrap();
        }
    }
}

/// The one of `nodes` that leads, as soon as one does.
pub(super) fn leader(nodes: &[Node]) -> usize {
    let mut place = None;
    wait_for("a node leads", || {
        place = nodes.iter().position(|node| node.token().is_some());
        place.is_some()
    });
    place.unwrap()
}

pub(super) fn jobs(ids: std::ops::Range<u64>) -> Vec<Job> {
    let job = |id: u64| Job {
        id,
        protocols: Protocols::ALL,
        address: SocketAddr::from(([192, 0, 2, 1], 1 + id as u16)),
        credentials: None,
    };
    ids.map(job).collect()
}

pub(super) fn entry(port: u16, failures: u32) -> Entry {
    let candidate = format!("http://192.0.2.1:{port}").parse().unwrap();
    Entry {
        failures,
        ..Entry::new(candidate)
    }
}

pub(super) fn judged(port: u16, failures: u32) -> Logged {
    let entry = Box::new(entry(port, failures));
    Logged::Judged {
        entry,
        source: None,
    }
}

pub(super) fn published(generation: u64) -> Logged {
    Logged::Published(Arc::new(Publication {
        generation,
        at_ms: 1,
        stat: Arc::default(),
        stale: false,
    }))
}

pub(super) fn image(ports: std::ops::Range<u16>, failures: u32) -> Box<Image> {
    Box::new(Image {
        saved_at_ms: 7,
        asked: Asked {
            since_ms: 6,
            ..Asked::default()
        },
        targets: vec!["default".into()],
        entries: ports.map(|port| entry(port, failures)).collect(),
    })
}
