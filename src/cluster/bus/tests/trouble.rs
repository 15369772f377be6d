//! Redis is slow, restarted, flushed, away, or does not let us in.

use super::node::{Node, image, jobs, judged, leader, published};
use super::redis::{Redis, Way, cluster, wait_for};
use crate::cluster::Order;

/// Leads, saves, logs, hands out jobs and has them reported; so all of the bus works. A reign that ends
/// meanwhile, as on a host that is short of CPU it may, has the next one do it.
fn all_works(nodes: &mut [Node], generation: u64) {
    wait_for("a reign in which all works", || {
        let at = leader(nodes);
        let token = nodes[at].token();
        nodes[at].order(Order::Checkpoint(image(1..50, 1)));
        nodes[at].order(Order::Log(vec![judged(1, 2), published(generation)]));
        nodes[at].order(Order::Jobs(jobs(0..200)));
        let mut is_done = false;
        wait_for("each job is reported once, and all follow", || {
            is_done = work(nodes, at, token, generation);
            is_done || nodes[at].token() != token
        });
        is_done
    });
    let up = |node: &Node| node.heard(|heard| heard.down.is_none());
    wait_for("nobody complains", || nodes.iter().all(up));
}

/// Has them work; whether the leader has heard of each of its 200 jobs, once, and all others of what it
/// published.
fn work(nodes: &mut [Node], at: usize, token: Option<u64>, generation: u64) -> bool {
    for node in nodes.iter_mut() {
        node.work.take(100);
        node.work.report(|_| true);
    }
    let all = nodes[at].heard(|heard| {
        let own = heard
            .reported
            .iter()
            .filter(|((t, _), _)| Some(*t) == token);
        own.filter(|(_, times)| **times == 1).count() == 200
    });
    let follows = |(place, node): (usize, &Node)| {
        place == at || node.heard(|heard| heard.generation == generation)
    };
    all && nodes.iter().enumerate().all(follows)
}

fn two(redis: &Redis) -> Vec<Node> {
    ["a", "b"]
        .map(|name| Node::start(redis.address(), name, 1_000))
        .into()
}

/// Whoever leads is deposed, and somebody leads anew.
fn another_reign(nodes: &[Node], before: u64) {
    wait_for("somebody leads anew", || {
        let tokens = nodes.iter().filter_map(Node::token);
        tokens.into_iter().any(|token| token > before)
            && nodes.iter().all(|node| node.token() != Some(before))
    });
}

/// Many times: a deposed leader still waits for reports in that moment, and they are the next leader's.
#[test]
fn a_flushed_redis_costs_a_reign_and_nothing_else() {
    let redis = Redis::start();
    let mut nodes = two(&redis);
    for generation in 1..=8 {
        all_works(&mut nodes, generation);
        let at = leader(&nodes);
        let before = nodes[at].token().unwrap();
        nodes[at].order(Order::Jobs(jobs(1_000..1_100)));
        redis.ask::<String>(&["FLUSHALL"]);
        another_reign(&nodes, before);
        let kept = nodes[1 - at].heard(|heard| heard.ledger.len());
        assert_eq!(kept, 49, "what is known stays known");
    }
    nodes.into_iter().for_each(Node::stop);
}

#[test]
fn a_restarted_redis_that_knows_nothing_any_more_costs_no_more() {
    let mut redis = Redis::start();
    let mut nodes = two(&redis);
    all_works(&mut nodes, 1);
    let before = nodes[leader(&nodes)].token().unwrap();
    redis.restart();
    another_reign(&nodes, before);
    all_works(&mut nodes, 2);
    nodes.into_iter().for_each(Node::stop);
}

/// Its checkpoint would replace what the others know.
#[test]
fn a_new_node_that_knows_nothing_does_not_lead_where_others_know_more() {
    let redis = Redis::start();
    let way = Way::to(redis.address());
    let knows = Node::start(way.address(), "a", 1_000);
    wait_for("it leads", || knows.token().is_some());
    way.freeze(true);
    wait_for("it leads no longer", || knows.token().is_none());
    redis.ask::<String>(&["FLUSHALL"]);
    let new = Node::start(redis.address(), "b", 1_000);
    wait_for("the new one is there", || {
        redis.ask::<u64>(&["HEXISTS", "test:nodes", "b"]) == 1
    });
    way.freeze(false);
    wait_for("who knows leads", || knows.token().is_some());
    new.heard(|heard| assert!(heard.leads.is_none() && heard.reigns.is_empty()));
    [knows, new].into_iter().for_each(Node::stop);
}

#[test]
fn of_nodes_that_all_start_anew_the_one_leads_whose_store_is_the_newest() {
    let redis = Redis::start();
    let nodes: Vec<Node> = [("a", 0), ("b", 1_000), ("c", 2_000), ("d", 0)]
        .map(|(name, saved_at_ms)| {
            let cluster = cluster(redis.address(), name, 1_000);
            Node::knowing(&cluster, "http://a.test/", saved_at_ms)
        })
        .into();
    assert_eq!(leader(&nodes), 2);
    nodes.into_iter().for_each(Node::stop);
}

/// The lease is still there, but the last second is not: jobs that nobody can ever report.
#[test]
fn a_redis_that_lost_what_was_written_last_costs_a_reign_and_no_job() {
    let mut redis = Redis::start();
    // Long, so that it is not over by itself.
    let mut nodes = vec![Node::start(redis.address(), "a", 20_000)];
    wait_for("it leads", || nodes[0].token().is_some());
    let before = nodes[0].token().unwrap();
    redis.ask::<String>(&["SAVE"]);
    nodes[0].order(Order::Jobs(jobs(1_000..1_100)));
    wait_for("they are handed out", || {
        redis.ask::<u64>(&["XLEN", "test:jobs"]) > 0
    });
    redis.restart_as_saved();
    assert_eq!(redis.ask::<u64>(&["EXISTS", "test:leader"]), 1);
    another_reign(&nodes, before);
    all_works(&mut nodes, 1);
    nodes.into_iter().for_each(Node::stop);
}

#[test]
fn a_redis_that_cannot_be_reached_is_said_once_and_found_again() {
    let redis = Redis::start();
    let way = Way::to(redis.address());
    let mut nodes: Vec<Node> = ["a", "b"]
        .map(|n| Node::start(way.address(), n, 1_000))
        .into();
    all_works(&mut nodes, 1);
    let before = nodes[leader(&nodes)].token().unwrap();
    for (freeze, generation) in [(true, 2), (false, 3)] {
        let at = leader(&nodes);
        if freeze {
            way.freeze(true)
        } else {
            way.cut(true)
        }
        wait_for("all say so, and nobody leads", || {
            nodes
                .iter()
                .all(|n| n.token().is_none() && n.heard(|h| h.down.is_some()))
        });
        // Orders to nobody: none of them is kept for later.
        nodes[at].order(Order::Jobs(jobs(5_000..5_100)));
        nodes[at].order(Order::Log(vec![judged(9, 99), published(99)]));
        if freeze {
            way.freeze(false)
        } else {
            way.cut(false)
        }
        all_works(&mut nodes, generation);
    }
    assert!(nodes[leader(&nodes)].token().unwrap() > before);
    for node in &nodes {
        node.heard(|heard| {
            assert!(heard.ledger.get(&9) != Some(&99));
            assert!(heard.reported.keys().all(|(_, id)| *id < 5_000));
        });
    }
    nodes.into_iter().for_each(Node::stop);
}

#[test]
fn a_slow_redis_works_slowly() {
    let redis = Redis::start();
    let way = Way::to(redis.address());
    way.delay(40);
    let mut nodes: Vec<Node> = ["a", "b"]
        .map(|n| Node::start(way.address(), n, 2_000))
        .into();
    all_works(&mut nodes, 1);
    nodes.into_iter().for_each(Node::stop);
}

#[test]
fn a_wrong_password_is_said_and_tried_on() {
    let redis = Redis::with_password("right");
    let mut cluster = cluster(redis.address(), "a", 1_000);
    cluster.redis.password = Some("wrong".into());
    let node = Node::of(&cluster, "http://a.test/");
    let why = || node.heard(|heard| heard.downs.first().cloned());
    wait_for("it says so", || why().is_some());
    let why = why().unwrap();
    assert!(
        why.contains("give the user and password") && !why.contains("wrong\""),
        "{why}"
    );
    redis.ask::<String>(&["CONFIG", "SET", "requirepass", "wrong"]);
    wait_for("it gets in as soon as it is right", || {
        node.token().is_some()
    });
    node.stop();
}

#[test]
fn a_redis_without_memory_is_said_with_a_remedy() {
    let redis = Redis::start();
    redis.ask::<String>(&["CONFIG", "SET", "maxmemory", "1"]);
    let node = Node::start(redis.address(), "a", 1_000);
    let said = || node.heard(|h| h.downs.first().is_some_and(|why| why.contains("maxmemory")));
    wait_for("it says so", said);
    assert_eq!(node.token(), None);
    redis.ask::<String>(&["CONFIG", "SET", "maxmemory", "0"]);
    wait_for("it leads as soon as there is room", || {
        node.token().is_some()
    });
    node.stop();
}

#[test]
fn a_leader_that_cannot_write_for_a_lease_leads_no_longer() {
    let redis = Redis::start();
    let node = Node::start(redis.address(), "a", 1_000);
    wait_for("it leads", || node.token().is_some());
    redis.ask::<String>(&["CONFIG", "SET", "maxmemory", "1"]);
    node.order(Order::Log(vec![judged(1, 1), published(1)]));
    wait_for("it follows, though its lease could be renewed", || {
        node.token().is_none()
    });
    redis.ask::<String>(&["CONFIG", "SET", "maxmemory", "0"]);
    wait_for("it leads as soon as there is room", || {
        node.token().is_some()
    });
    node.stop();
}
