//! Jobs: each is reported exactly once, whoever dies meanwhile.

use super::node::{Node, jobs, leader};
use super::redis::{Redis, Way, cluster, wait_for};
use crate::cluster::{Order, Word};
use crate::ledger::Experience;
use std::time::Instant;

/// Has the nodes work until the leader has heard of `count` jobs; each only once.
fn work_until_all_are_reported(nodes: &mut [Node], leads: usize, count: usize) {
    let token = nodes[leads].token().unwrap();
    wait_for("every job is reported", || {
        for node in nodes.iter_mut() {
            node.work.take(300);
            node.work.report(|_| true);
        }
        nodes[leads].heard(|heard| heard.reported.keys().filter(|(t, _)| *t == token).count())
            == count
    });
    nodes[leads].heard(|heard| assert!(heard.reported.values().all(|&times| times == 1)));
}

#[test]
fn jobs_are_shared_and_each_is_reported_once() {
    let redis = Redis::start();
    let mut nodes = ["a", "b", "c"].map(|name| Node::start(redis.address(), name, 1_000));
    let leads = leader(&nodes);
    nodes[leads].order(Order::Jobs(jobs(0..5_000)));
    let mut shares = [0; 3];
    wait_for("all have some", || {
        for (node, share) in nodes.iter_mut().zip(&mut shares) {
            node.work.take(300);
            *share = node.work.has();
        }
        shares.iter().all(|&share| share > 0)
    });
    assert!(
        shares.iter().all(|&share| share <= 5),
        "no more than there is room for: {shares:?}"
    );
    work_until_all_are_reported(&mut nodes, leads, 5_000);
    wait_for("nothing is left in Redis", || {
        let left = ["test:jobs", "test:reports"].map(|key| redis.ask::<u64>(&["XLEN", key]));
        left == [0, 0] && redis.ask::<u64>(&["HLEN", "test:done"]) == 0
    });
    nodes.into_iter().for_each(Node::stop);
}

#[test]
fn jobs_of_a_dead_worker_are_done_by_another_and_none_twice() {
    let redis = Redis::start();
    let ways = [0, 1].map(|_| Way::to(redis.address()));
    let mut nodes = [0, 1].map(|n| Node::start(ways[n].address(), ["a", "b"][n], 500));
    let leads = leader(&nodes);
    nodes[leads].order(Order::Jobs(jobs(0..640)));
    let dead = 1 - leads;
    wait_for("it takes all", || {
        nodes[dead].work.take(640);
        nodes[dead].work.has() == 10
    });
    // Some of each entry are reported before it dies.
    nodes[dead].work.report(|place| place % 3 == 0);
    wait_for("those are heard of", || {
        nodes[leads].heard(|heard| heard.reported.len() == 220)
    });
    ways[dead].freeze(true);
    let died = Instant::now();
    // What it reports now is late: it comes when another has its jobs.
    nodes[dead].work.report(|place| place % 3 == 1);
    let nodes = &mut nodes;
    wait_for("the other has done the rest", || {
        nodes[leads].work.take(640);
        nodes[leads].work.report(|_| true);
        nodes[leads].heard(|heard| heard.reported.len() == 640)
    });
    // A lease, and a second for those who look.
    assert!(died.elapsed().as_millis() < 1_500, "{:?}", died.elapsed());
    ways[dead].freeze(false);
    wait_for("the dead one learns that it has nothing", || {
        nodes[dead].work.take(0);
        nodes[dead].work.has() == 0
    });
    nodes[leads].heard(|heard| assert!(heard.reported.values().all(|&times| times == 1)));
    assert_eq!(redis.ask::<u64>(&["XLEN", "test:jobs"]), 0);
}

#[test]
fn a_new_leader_drops_the_jobs_of_the_old_one() {
    let redis = Redis::start();
    let ways = [0, 1].map(|_| Way::to(redis.address()));
    let mut nodes = [0, 1].map(|n| Node::start(ways[n].address(), ["a", "b"][n], 500));
    let old = leader(&nodes);
    let new = 1 - old;
    nodes[old].order(Order::Jobs(jobs(0..640)));
    wait_for("it has some", || {
        nodes[new].work.take(100);
        nodes[new].work.has() > 0
    });
    ways[old].cut(true);
    wait_for("the other leads", || nodes[new].token().is_some());
    nodes[new].work.report(|_| true);
    nodes[new].order(Order::Jobs(jobs(10_000..10_100)));
    let nodes = &mut nodes;
    wait_for("only the new ones are reported", || {
        nodes[new].work.take(100);
        nodes[new].work.report(|_| true);
        nodes[new].heard(|heard| heard.reported.len() == 100)
    });
    nodes[new].heard(|heard| {
        assert!(
            heard
                .reported
                .iter()
                .all(|((_, id), &times)| *id >= 10_000 && times == 1)
        );
    });
}

#[test]
fn a_node_that_probes_otherwise_takes_no_jobs_and_says_why() {
    let redis = Redis::start();
    let mut leads = Node::start(redis.address(), "a", 1_000);
    wait_for("it leads", || leads.token().is_some());
    let other = cluster(redis.address(), "b", 1_000);
    let mut other = Node::of(&other, "http://other.test/");
    let idle = |node: &Node| node.stat.get().idle_because.is_some();
    wait_for("it says so", || {
        other.work.take(100);
        idle(&other)
    });
    leads.order(Order::Jobs(jobs(0..100)));
    wait_for("the leader's own worker has them", || {
        leads.work.take(100);
        leads.work.has() == 2
    });
    let own = super::node::policy("http://a.test/");
    assert!(!idle(&leads) && leads.work.suits(&own));
    let said = |heard: &super::node::Heard| heard.nodes.iter().any(|n| n.idle_because.is_some());
    wait_for("all know why", || leads.heard(said));
    other
        .handle
        .set_policy(&super::node::policy("http://a.test/"));
    leads.order(Order::Jobs(jobs(100..200)));
    wait_for("it takes jobs as soon as it probes alike", || {
        other.work.take(100);
        other.work.has() > 0 && !idle(&other)
    });
    leads.stop();
    other.stop();
}

#[test]
fn the_leader_hears_what_is_said_on_another_node() {
    let redis = Redis::start();
    let nodes = ["a", "b"].map(|name| Node::start(redis.address(), name, 1_000));
    let leads = leader(&nodes);
    for node in &nodes {
        node.order(Order::Reload);
        node.order(Order::Heard(Word {
            host: "192.0.2.1".parse().unwrap(),
            port: 80,
            target: None,
            experience: Experience::Ok,
            client: 1,
        }));
    }
    wait_for("it hears of both", || {
        nodes[leads].heard(|heard| (heard.reloads, heard.words) == (2, 2))
    });
    nodes[1 - leads].heard(|heard| assert_eq!((heard.reloads, heard.words), (0, 0)));
    nodes.into_iter().for_each(Node::stop);
}

#[test]
fn of_two_nodes_of_one_name_the_later_takes_no_jobs_until_the_other_is_gone() {
    let redis = Redis::start();
    let mut first = Node::start(redis.address(), "a", 1_000);
    wait_for("it leads", || first.token().is_some());
    let mut second = Node::start(redis.address(), "a", 1_000);
    let idle = |node: &Node| node.stat.get().idle_because;
    wait_for("the later one says so", || {
        idle(&second).is_some_and(|why| why.contains("cluster.node"))
    });
    first.order(Order::Jobs(jobs(0..640)));
    let (first_node, second_node) = (&mut first, &mut second);
    wait_for("the first does all", || {
        second_node.work.take(640);
        first_node.work.take(64);
        first_node.work.report(|_| true);
        first_node.heard(|heard| heard.reported.len() == 640)
    });
    assert_eq!((second.work.has(), idle(&first)), (0, None));
    first.stop();
    wait_for("its name is its own", || idle(&second).is_none());
    second.stop();
}
