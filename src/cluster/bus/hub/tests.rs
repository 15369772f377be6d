//! The hub alone: channels in, channels out, and no Redis.

use super::*;
use crate::cluster::bus::tests::redis::wait_for;
use crate::cluster::wire::Id;
use crate::ledger::Experience;
use crossbeam_channel::unbounded;
use proxy_shards::Protocols;
use std::convert::Infallible;
use std::thread;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

struct Bench {
    reign: Arc<Reign>,
    inner: Sender<Inner>,
    orders: Sender<Order>,
    news: Receiver<News>,
    jobs: Receiver<(u64, Vec<Job>)>,
    writes: Receiver<Write>,
    dropped: Arc<AtomicU64>,
    _stop: Sender<Infallible>,
}

fn bench() -> Bench {
    let (stop, stopped) = bounded(0);
    let (inner, inbox) = unbounded();
    let (orders, orders_from) = unbounded();
    let (news, news_from) = bounded(0);
    let (jobs, jobs_from) = unbounded();
    let (writes, writes_from) = unbounded();
    let (tasks, _) = unbounded();
    let (reign, dropped) = (Arc::<Reign>::default(), Arc::<AtomicU64>::default());
    let hub = Hub {
        reign: reign.clone(),
        news,
        inbox,
        orders: orders_from,
        jobs,
        writes,
        tasks,
        backlog: Arc::default(),
        dropped: dropped.clone(),
        finish: Stop(stopped),
    };
    thread::spawn(move || hub.run());
    Bench {
        reign,
        inner,
        orders,
        news: news_from,
        jobs: jobs_from,
        writes: writes_from,
        dropped,
        _stop: stop,
    }
}

impl Bench {
    fn next(&self) -> News {
        self.news.recv_timeout(LONG).expect("there is news")
    }

    fn rise(&self, token: u64, time: Duration) {
        self.reign
            .begin(token, Id::default(), Instant::now() + time);
        self.inner.send(Inner::CaughtUp(token)).unwrap();
    }

    /// It leads under `token`, and knows.
    fn lead(&self, token: u64, time: Duration) {
        self.rise(token, time);
        assert!(matches!(self.next(), News::Leads { token: t } if t == token));
    }
}

fn jobs(id: u64) -> Order {
    Order::Jobs(vec![Job {
        id,
        protocols: Protocols::ALL,
        address: "192.0.2.1:80".parse().unwrap(),
        credentials: None,
    }])
}

#[test]
fn orders_of_an_old_reign_never_pass_for_those_of_the_next() {
    let bench = bench();
    assert!(matches!(bench.next(), News::Follows { leader: None }));
    bench.lead(1, LONG);
    bench.orders.send(jobs(1)).unwrap();
    assert_eq!(bench.jobs.recv_timeout(LONG).unwrap().0, 1);
    // Deposed, and leading again, before the coordinator has heard of either.
    bench.reign.end(1);
    bench.inner.send(Inner::Wake).unwrap();
    bench.rise(2, LONG);
    bench.orders.send(jobs(2)).unwrap();
    bench
        .orders
        .send(Order::Checkpoint(Box::default()))
        .unwrap();
    assert!(matches!(bench.next(), News::Follows { .. }));
    assert!(matches!(bench.next(), News::Leads { token: 2 }));
    bench.orders.send(jobs(3)).unwrap();
    let (token, passed) = bench.jobs.recv_timeout(LONG).unwrap();
    assert_eq!((token, passed[0].id), (2, 3));
    assert_eq!(bench.dropped.load(Ordering::Relaxed), 2);
    assert!(matches!(
        bench.writes.recv_timeout(LONG).unwrap(),
        Write::Refused
    ));
}

#[test]
fn a_node_follows_by_its_own_clock_whatever_redis_does() {
    let bench = bench();
    bench.next();
    let began = Instant::now();
    bench.lead(1, Duration::from_millis(200));
    // Told ahead of everything that waits, and in place of what only a leader may hear.
    bench.inner.send(Inner::Led(1, News::Reload)).unwrap();
    while bench.reign.until().is_some() {
        thread::yield_now();
    }
    assert!(began.elapsed() >= Duration::from_millis(200));
    assert!(matches!(bench.next(), News::Follows { leader: None }));
    bench.orders.send(jobs(1)).unwrap();
    bench.inner.send(Inner::Leader(Some("b".into()))).unwrap();
    assert!(matches!(bench.next(), News::Follows { leader: Some(b) } if &*b == "b"));
    bench.inner.send(Inner::Led(1, News::Reload)).unwrap();
    bench
        .inner
        .send(Inner::News(News::Nodes(Vec::new())))
        .unwrap();
    assert!(
        matches!(bench.next(), News::Nodes(_)),
        "what was for the leader is dropped"
    );
    assert!(bench.jobs.is_empty());
}

#[test]
fn the_link_is_said_to_be_down_once_for_each_reason_and_up_once() {
    let bench = bench();
    bench.next();
    let link = |who, why: Option<&str>| {
        let why = why.map(Box::from);
        bench.inner.send(Inner::Link(who, why)).unwrap();
    };
    link(Who::Lease, Some("gone"));
    link(Who::Lease, Some("gone"));
    link(Who::Lease, Some("a password"));
    link(Who::Nodes, Some("gone too"));
    link(Who::Lease, None);
    link(Who::Nodes, None);
    assert!(matches!(bench.next(), News::Link(Some(why)) if &*why == "gone"));
    assert!(matches!(bench.next(), News::Link(Some(why)) if &*why == "a password"));
    assert!(matches!(bench.next(), News::Link(Some(why)) if &*why == "gone too"));
    assert!(matches!(bench.next(), News::Link(None)));
}

#[test]
fn words_that_nobody_writes_are_bounded() {
    let bench = bench();
    let word = || Word {
        host: "192.0.2.1".parse().unwrap(),
        port: 80,
        target: None,
        experience: Experience::Ok,
        client: 1,
    };
    for _ in 0..WORDS_MAX + 500 {
        bench.orders.send(Order::Heard(word())).unwrap();
    }
    wait_for("the rest is dropped", || {
        bench.dropped.load(Ordering::Relaxed) == 500
    });
    assert_eq!(bench.writes.len(), WORDS_MAX);
}
