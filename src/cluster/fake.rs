//! A bus in memory and the nodes around it, on a simulated clock: several coordinators in one process,
//! and nothing of it random.

mod turns;

use super::{Deed, Logged, News, Node, NodeStart, Order};
use crate::config::{Cluster, Config, RedisPlace};
use crate::coordinator::simulation::EPOCH_MS;
use crate::coordinator::{Event, Now};
use crate::snapshot::{Pool, Published, Snapshot, Stat};
use crate::store::Image;
use proxy_shards::{ControlRecord, Job, Report, Timing, Verdict};
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Time between two looks at everything, in milliseconds.
const STEP_MS: u64 = 10;
/// How long a node leads that is not heard, in milliseconds.
pub(super) const LEASE_MS: u64 = 1_000;
/// Lanes of each node.
const LANES: usize = 20;

/// How a candidate's probe ends that begins at a time, and after how many milliseconds.
type Behaviour = Box<dyn FnMut(u32, u64) -> (Verdict, u64)>;

/// A job that a node has taken.
struct Probe {
    job: Job,
    token: u64,
    end_ms: u64,
    verdict: Verdict,
}

/// A node, its worker and its place on the bus.
pub(super) struct Member {
    pub(super) name: Box<str>,
    pub(super) node: Node,
    pub(super) published: Published,
    pub(super) images: Vec<Image>,
    /// The reload as which it fetches its sources, if it does.
    pub(super) fetches: Option<u64>,
    pub(super) reloads: usize,
    /// Generation and time of all that it published.
    pub(super) publications: Vec<(u64, u64)>,
    probes: Vec<Probe>,
    controls: Vec<ControlRecord>,
    /// Orders of a leader that wait until the bus can be reached.
    waiting: Vec<Order>,
    /// Number of the next line of the log that it reads; none before it has a checkpoint to go on from.
    position: Option<usize>,
    /// Cut off from the bus, or (`dead`) gone.
    pub(super) is_cut: bool,
    is_dead: bool,
    /// The bus has told it that it leads.
    leads: bool,
    /// When the bus last heard it.
    heard_ms: u64,
    idle_because: Option<Box<str>>,
}

/// Everything that nodes share, and the nodes.
pub(super) struct World {
    pub(super) now_ms: u64,
    pub(super) members: Vec<Member>,
    config: Arc<Config>,
    /// Place of the member that holds the lease, and its token.
    leader: Option<usize>,
    token: u64,
    jobs: VecDeque<Job>,
    /// That the leader has not read yet.
    reports: VecDeque<Report>,
    log: Vec<Logged>,
    /// Lines before the first that is left.
    trimmed: usize,
    checkpoint: Option<(Image, usize)>,
    behaviour: Behaviour,
    /// The list that every source delivers: candidates of these numbers.
    list: Rc<dyn Fn() -> Vec<u32>>,
    /// How often each candidate was probed to the end.
    pub(super) probed: HashMap<u32, usize>,
    /// Whether the targets answer without a proxy.
    pub(super) target: Rc<Cell<bool>>,
    /// What was published under each generation, by whichever node did first.
    told: HashMap<u64, String>,
}

/// All that readers see of a publication, whatever the order of the pool.
pub(super) fn told(pool: &Pool, stat: &Arc<Stat>) -> String {
    let row = |proxy: &crate::snapshot::Proxy| {
        let (targets, at) = (proxy.targets.bits(), proxy.last_check);
        let place = (targets, proxy.latency_ms, at, proxy.source);
        format!("{} {place:?}", proxy.candidate.url_by(proxy.protocol))
    };
    let mut rows: Vec<String> = pool.proxies().iter().map(row).collect();
    rows.sort();
    format!("{rows:#?} {stat:#?}")
}

impl World {
    /// Nodes of these names around an empty bus.
    pub(super) fn new(
        config: Config,
        names: &[&str],
        list: impl Fn() -> Vec<u32> + 'static,
    ) -> World {
        let mut world = World {
            now_ms: 0,
            members: Vec::new(),
            config: Arc::new(config),
            leader: None,
            token: 0,
            jobs: VecDeque::new(),
            reports: VecDeque::new(),
            log: Vec::new(),
            trimmed: 0,
            checkpoint: None,
            behaviour: Box::new(|_, _| (Verdict::Alive, 50)),
            list: Rc::new(list),
            probed: HashMap::new(),
            target: Rc::new(Cell::new(true)),
            told: HashMap::new(),
        };
        names
            .iter()
            .for_each(|name| world.join(name, Image::default()));
        world
    }

    /// From now on the proxies behave like this.
    pub(super) fn behave(&mut self, behaviour: impl FnMut(u32, u64) -> (Verdict, u64) + 'static) {
        self.behaviour = Box::new(behaviour);
    }

    /// A node starts, which knows this.
    pub(super) fn join(&mut self, name: &str, restored: Image) {
        let now = self.now();
        let cluster = Cluster {
            redis: RedisPlace::new("127.0.0.1:1", None, None).unwrap(),
            node: name.into(),
            prefix: "test".into(),
            lease: Duration::from_millis(LEASE_MS),
        };
        let start = NodeStart {
            config: self.config.clone(),
            cluster,
            restored,
            seed: self.members.len() as u64,
        };
        let place = self.members.len();
        self.members.push(Member {
            name: name.into(),
            node: Node::new(start, now),
            published: Published::empty(now.system()),
            images: Vec::new(),
            fetches: None,
            reloads: 0,
            publications: Vec::new(),
            probes: Vec::new(),
            controls: Vec::new(),
            waiting: Vec::new(),
            position: None,
            is_cut: false,
            is_dead: false,
            leads: false,
            heard_ms: self.now_ms,
            idle_because: None,
        });
        let deeds = self.members[place].node.begin(now);
        self.perform(place, deeds);
        self.catch_up(place);
    }

    /// The member of that name.
    pub(super) fn member(&mut self, name: &str) -> &mut Member {
        let place = self.place(name);
        &mut self.members[place]
    }

    /// What readers of that node see.
    pub(super) fn snapshot(&self, name: &str) -> Arc<Snapshot> {
        self.members[self.place(name)].published.load()
    }

    fn place(&self, name: &str) -> usize {
        let place = self
            .members
            .iter()
            .position(|m| *m.name == *name && !m.is_dead);
        place.unwrap_or_else(|| panic!("there is no node {name}"))
    }

    /// The name of the node that leads.
    pub(super) fn leader(&self) -> Option<&str> {
        self.leader.map(|place| &*self.members[place].name)
    }

    /// The node ends without a word.
    pub(super) fn kill(&mut self, name: &str) {
        let place = self.place(name);
        self.members[place].is_dead = true;
        let taken = std::mem::take(&mut self.members[place].probes).into_iter();
        let token = self.token;
        let claimed = taken.filter(|probe| probe.token == token);
        self.jobs.extend(claimed.map(|probe| probe.job));
    }

    /// The node hears nobody from now on, or everybody again.
    pub(super) fn cut(&mut self, name: &str, is_cut: bool) {
        let place = self.place(name);
        self.members[place].is_cut = is_cut;
        let why = is_cut.then(|| Box::from("connection refused"));
        self.tell(place, News::Link(why));
        if !is_cut && self.members[place].leads {
            let waiting = std::mem::take(&mut self.members[place].waiting);
            waiting
                .into_iter()
                .for_each(|order| self.order(place, order));
        } else if !is_cut {
            self.catch_up(place);
            let leader = self.leader.filter(|leader| *leader != place);
            let leader = leader.map(|leader| self.members[leader].name.clone());
            self.tell(place, News::Follows { leader });
        }
    }

    /// The bus loses all that it had.
    pub(super) fn flush(&mut self) {
        self.jobs.clear();
        self.reports.clear();
        self.trimmed += self.log.len();
        self.log.clear();
        self.checkpoint = None;
        if let Some(place) = self.leader.take() {
            self.depose(place);
        }
    }

    /// The log up to the last checkpoint is gone; how many lines that were.
    pub(super) fn trim(&mut self) -> usize {
        let until = self
            .checkpoint
            .as_ref()
            .map_or(0, |(_, position)| *position);
        let gone = until.saturating_sub(self.trimmed);
        self.log.drain(..gone);
        self.trimmed += gone;
        gone
    }

    /// One of a node's own events.
    pub(super) fn event(&mut self, name: &str, event: Event) {
        let place = self.place(name);
        let now = self.now();
        let deeds = self.members[place].node.handle(event, now);
        self.perform(place, deeds);
    }

    /// The node takes no jobs, for this reason.
    pub(super) fn idle(&mut self, name: &str, why: Option<&str>) {
        self.member(name).idle_because = why.map(Box::from);
        self.say_nodes();
    }

    pub(super) fn now(&self) -> Now {
        Now {
            clock_ms: self.now_ms,
            unix_ms: EPOCH_MS + self.now_ms,
        }
    }

    fn tell(&mut self, place: usize, news: News) {
        let now = self.now();
        let deeds = self.members[place].node.hear(news, now);
        self.perform(place, deeds);
    }

    fn perform(&mut self, place: usize, deeds: Vec<Deed>) {
        let mut lookups = Vec::new();
        for deed in deeds {
            match deed {
                Deed::Order(order) => self.order(place, order),
                Deed::Publish {
                    generation,
                    at_ms,
                    pool,
                    stat,
                    stale,
                } => {
                    let at = Now {
                        unix_ms: at_ms,
                        ..Now::default()
                    }
                    .system();
                    if generation > 1 {
                        let now = told(&pool, &stat);
                        let said = self.told.entry(generation).or_insert_with(|| now.clone());
                        let name = &self.members[place].name;
                        assert_eq!(*said, now, "{name} says otherwise as {generation}");
                    }
                    let member = &mut self.members[place];
                    member
                        .published
                        .publish_as(generation, pool, stat, at, stale);
                    member.publications.push((generation, self.now_ms));
                    assert_eq!(member.published.load().generation, generation);
                }
                Deed::Stale(reason, since_ms) => {
                    let since = Now {
                        unix_ms: since_ms,
                        ..Now::default()
                    }
                    .system();
                    self.members[place].published.amend(|snapshot| {
                        Arc::make_mut(&mut snapshot.stat).stale = Some((reason, since));
                        snapshot.stale = true;
                    });
                }
                Deed::Show(stat) => {
                    let published = &self.members[place].published;
                    published.amend(|snapshot| snapshot.cluster = Some(stat));
                }
                Deed::Lookup(lookup) => lookups.push(lookup),
                Deed::Save(image) => self.members[place].images.push(image),
                Deed::Configure(_) => {}
                Deed::Fetch(reload) => self.members[place].fetches = reload,
                Deed::Reload => self.members[place].reloads += 1,
            }
        }
        for lookup in lookups {
            let purpose = lookup.purpose;
            let ip = Some([192, 0, 2, 1].into());
            let now = self.now();
            let deeds = self.members[place]
                .node
                .handle(Event::Resolved { purpose, ip }, now);
            self.perform(place, deeds);
        }
    }

    fn order(&mut self, place: usize, order: Order) {
        let leads = self.members[place].leads;
        match order {
            Order::Control(job) => {
                let verdict = match self.target.get() {
                    true => Verdict::Alive,
                    false => Verdict::ConnectTimeout,
                };
                self.members[place].controls.push(ControlRecord {
                    id: job.id,
                    target: job.target,
                    verdict,
                    timing: Timing::default(),
                    learnt: None,
                    own: None,
                });
            }
            Order::Reload | Order::Heard(_) if self.members[place].is_cut => {}
            Order::Reload => {
                if let Some(leader) = self.leader {
                    self.tell(leader, News::Reload);
                }
            }
            Order::Heard(word) => {
                if let Some(leader) = self.leader {
                    self.tell(leader, News::Heard(word));
                }
            }
            // Refused: another token holds.
            Order::Jobs(_) | Order::Log(_) | Order::Checkpoint(_) if !leads => {}
            order if self.members[place].is_cut => self.members[place].waiting.push(order),
            Order::Jobs(jobs) => self.jobs.extend(jobs),
            Order::Log(lines) => self.log.extend(lines),
            Order::Checkpoint(image) => {
                self.checkpoint = Some((*image, self.trimmed + self.log.len()));
            }
        }
    }
}
