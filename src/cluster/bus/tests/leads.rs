//! One leader at a time, and what it does under a lease that is over changes nothing.

use super::node::{Node, entry, image, judged, leader, published};
use super::redis::{PATIENCE, Redis, Way, wait_for};
use crate::cluster::Order;
use std::time::{Duration, Instant};

#[test]
fn one_of_three_nodes_leads_and_the_others_know_which() {
    let redis = Redis::start();
    let nodes = ["a", "b", "c"].map(|name| Node::start(redis.address(), name, 500));
    let first = leader(&nodes);
    let name = ["a", "b", "c"][first];
    for (place, node) in nodes.iter().enumerate() {
        if place != first {
            let knows = |h: &super::node::Heard| h.leader.as_deref() == Some(name);
            wait_for("the others know", || node.heard(knows));
            assert_eq!(node.token(), None);
        }
    }
    wait_for("all know all", || {
        nodes
            .iter()
            .all(|node| node.heard(|heard| heard.nodes.len() == 3))
    });
    nodes.into_iter().for_each(Node::stop);
}

#[test]
fn a_leader_that_stops_gives_the_lease_back_at_once() {
    let redis = Redis::start();
    let first = Node::start(redis.address(), "a", 20_000);
    wait_for("it leads", || first.token().is_some());
    let before = first.token().unwrap();
    first.stop();
    let held: Option<String> = redis.ask(&["GET", "test:leader"]);
    assert_eq!(held, None, "it would have been held for 20 s");
    let next = Node::start(redis.address(), "b", 20_000);
    wait_for("the next leads", || next.token().is_some());
    assert!(next.token().unwrap() > before);
    next.stop();
}

#[test]
fn followers_know_what_was_logged_and_what_was_saved() {
    let redis = Redis::start();
    let nodes = ["a", "b"].map(|name| Node::start(redis.address(), name, 1_000));
    let at = leader(&nodes);
    let (leads, follows) = (&nodes[at], &nodes[1 - at]);
    leads.order(Order::Checkpoint(image(1..3_000, 1)));
    assert_eq!(leads.saved(), Ok(7));
    leads.order(Order::Log(vec![judged(5, 9), judged(6, 9), published(1)]));
    wait_for("the log is followed", || {
        follows.heard(|heard| heard.generation == 1)
    });
    let (known, five) = follows.heard(|heard| (heard.ledger.len(), heard.ledger[&5]));
    assert_eq!((known, five), (2_999, 9));
    leads.order(Order::Log(vec![judged(4_000, 2), published(2)]));
    leads.order(Order::Log(vec![
        crate::cluster::Logged::Forgotten(entry(6, 0).candidate),
        published(3),
    ]));
    wait_for("it goes on", || {
        follows.heard(|heard| heard.generation == 3)
    });
    follows.heard(|heard| {
        assert_eq!((heard.ledger.len(), heard.checkpoints), (2_999, 1));
        assert!(!heard.ledger.contains_key(&6) && heard.ledger[&4_000] == 2);
    });
    let late = Node::start(redis.address(), "c", 1_000);
    wait_for("one that comes later knows it too", || {
        late.heard(|heard| heard.generation == 3 && heard.ledger.len() == 2_999)
    });
    nodes.into_iter().for_each(Node::stop);
    late.stop();
}

#[test]
fn a_log_with_a_gap_is_made_good_by_the_next_checkpoint() {
    let redis = Redis::start();
    let way = Way::to(redis.address());
    let leads = Node::start(redis.address(), "a", 5_000);
    wait_for("it leads", || leads.token().is_some());
    leads.order(Order::Checkpoint(image(1..10, 1)));
    let follows = Node::start(way.address(), "b", 5_000);
    wait_for("it has the first", || {
        follows.heard(|heard| heard.checkpoints == 1)
    });
    way.freeze(true);
    for n in 1..=5 {
        leads.order(Order::Log(vec![judged(20 + n, 1), published(n.into())]));
    }
    wait_for("all is logged", || {
        redis.ask::<u64>(&["XLEN", "test:log"]) == 5
    });
    // As it goes if the log is longer than it may be.
    let trimmed: u64 = redis.ask(&["XTRIM", "test:log", "MAXLEN", "=", "2"]);
    assert_eq!(trimmed, 3);
    way.freeze(false);
    leads.order(Order::Log(vec![published(6)]));
    wait_for("it could see the gap", || {
        redis.ask::<u64>(&["XLEN", "test:log"]) == 3
    });
    // The first may have been on its way when the way was closed.
    let generation = follows.heard(|heard| heard.generation);
    assert!(
        generation <= 1,
        "what is behind a gap is not followed: {generation}"
    );
    leads.order(Order::Checkpoint(image(1..40, 3)));
    leads.order(Order::Log(vec![published(7)]));
    wait_for("it goes on from the next", || {
        follows.heard(|heard| heard.generation == 7)
    });
    follows.heard(|heard| assert!(heard.ledger.len() == 39 && heard.checkpoints >= 2));
    leads.stop();
    follows.stop();
}

#[test]
fn a_large_checkpoint_is_read_as_a_whole_while_it_is_replaced_and_logged_beside() {
    let redis = Redis::start();
    let leads = Node::start(redis.address(), "a", 3_000);
    wait_for("it leads", || leads.token().is_some());
    // Some 170 chunks each, all of whose entries have the number of their checkpoint.
    for n in 1..=3 {
        leads.order(Order::Checkpoint(image(1..50_000, n)));
        leads.order(Order::Log(vec![published(n.into())]));
    }
    let follows = Node::start(redis.address(), "b", 3_000);
    wait_for("it follows to the end", || {
        follows.heard(|heard| heard.generation == 3)
    });
    follows.heard(|heard| {
        assert_eq!(heard.ledger.len(), 49_999);
        let first = heard.ledger[&1];
        assert!(
            heard.ledger.values().all(|&number| number == first),
            "a mixture"
        );
    });
    for _ in 0..3 {
        assert_eq!(leads.saved(), Ok(7));
    }
    let images = redis.ask::<Vec<String>>(&["KEYS", "test:checkpoint:*"]);
    assert_eq!(images.len(), 1, "the old ones are gone");
    assert!(
        redis.ask::<i64>(&["PTTL", &images[0]]) < 0,
        "and this one stays"
    );
    leads.stop();
    follows.stop();
}

#[test]
fn the_next_leader_knows_all_that_was_logged_before_it_leads() {
    let redis = Redis::start();
    let ways = [0, 1].map(|_| Way::to(redis.address()));
    let nodes = [0, 1].map(|n| Node::start(ways[n].address(), ["a", "b"][n], 500));
    let at = leader(&nodes);
    nodes[at].order(Order::Checkpoint(image(1..100, 1)));
    assert_eq!(nodes[at].saved(), Ok(7));
    for n in 1..200 {
        nodes[at].order(Order::Log(vec![judged(200, n), published(n.into())]));
    }
    let logged = || redis.ask::<u64>(&["XLEN", "test:log"]) == 199;
    wait_for("all is logged", logged);
    ways[at].cut(true);
    wait_for("the other leads", || nodes[1 - at].token().is_some());
    nodes[1 - at].heard(|heard| assert_eq!((heard.generation, heard.ledger[&200]), (199, 199)));
}

#[test]
fn what_a_deposed_leader_orders_changes_nothing() {
    let redis = Redis::start();
    let ways = [0, 1].map(|_| Way::to(redis.address()));
    let nodes = [0, 1].map(|n| Node::start(ways[n].address(), ["a", "b"][n], 500));
    let at = leader(&nodes);
    let token = nodes[at].token().unwrap();
    nodes[at].order(Order::Checkpoint(image(1..10, 1)));
    assert_eq!(nodes[at].saved(), Ok(7));
    // So that every thread has its connection.
    nodes[at].order(Order::Jobs(super::node::jobs(0..1)));
    wait_for("it is handed out", || {
        redis.ask::<u64>(&["XLEN", "test:jobs"]) == 1
    });
    ways[at].freeze(true);
    // Said while it still believes that it leads: stuck on the way, and carried out much later.
    nodes[at].order(Order::Log(vec![judged(1, 66), published(66)]));
    nodes[at].order(Order::Jobs(super::node::jobs(0..10)));
    nodes[at].order(Order::Checkpoint(image(1..10, 66)));
    wait_for("the other leads", || nodes[1 - at].token().is_some());
    assert!(nodes[1 - at].token().unwrap() > token);
    wait_for("the first knows that it does not", || {
        nodes[at].token().is_none()
    });
    nodes[at].order(Order::Log(vec![judged(2, 66), published(67)]));
    ways[at].freeze(false);
    nodes[1 - at].order(Order::Log(vec![judged(3, 5), published(2)]));
    assert!(nodes[at].saved().is_err());
    wait_for("the first follows", || {
        nodes[at].heard(|heard| heard.generation == 2)
    });
    nodes[at].heard(|heard| {
        assert_eq!(
            (heard.ledger[&1], heard.ledger[&2], heard.ledger[&3]),
            (1, 1, 5)
        );
    });
    assert_eq!(redis.ask::<u64>(&["XLEN", "test:jobs"]), 0);
    assert!(nodes[at].handle.dropped() > 0);
}

/// Random pauses and cuts of the ways of three nodes; no two reigns ever overlap.
#[test]
fn there_is_never_more_than_one_leader() {
    let seed = fastrand::u64(..);
    let mut rng = fastrand::Rng::with_seed(seed);
    let redis = Redis::start();
    let ways = [0, 1, 2].map(|_| Way::to(redis.address()));
    let nodes = [0, 1, 2].map(|n| Node::start(ways[n].address(), ["a", "b", "c"][n], 1_000));
    let count = |node: &Node| node.heard(|heard| heard.reigns.len());
    let until = Instant::now() + PATIENCE;
    while nodes.iter().map(count).sum::<usize>() < 6 && Instant::now() < until {
        let leads = nodes.iter().position(|node| node.token().is_some());
        // Mostly who leads: trouble of the others deposes nobody.
        let at = leads.filter(|_| rng.u8(..4) > 0).unwrap_or(rng.usize(..3));
        let way = &ways[at];
        match rng.u8(..3) {
            0 => way.freeze(true),
            1 => way.cut(true),
            _ => way.delay(rng.u64(50..300)),
        }
        let pause = Instant::now() + Duration::from_millis(rng.u64(200..1_400));
        wait_for("some time passes", || Instant::now() >= pause);
        way.freeze(false);
        way.cut(false);
        way.delay(0);
    }
    leader(&nodes);
    let mut reigns = Vec::new();
    for node in &nodes {
        node.heard(|heard| {
            reigns.extend(heard.reigns.iter().copied());
            let lasts = heard
                .leads
                .map(|(token, since)| (token, since, Instant::now()));
            reigns.extend(lasts);
        });
    }
    reigns.sort_by_key(|&(token, ..)| token);
    assert!(reigns.len() > 2, "nothing happened; seed {seed}");
    for pair in reigns.windows(2) {
        let ((one, _, end), (other, start, _)) = (pair[0], pair[1]);
        assert!(one < other, "two reigns of one token; seed {seed}");
        assert!(
            end <= start,
            "{one} and {other} both led for {:?}; seed {seed}",
            end - start
        );
    }
}
