//! `unique`, and proxies that a target turns away.

use super::*;

/// Five rows on three hosts; by their exits they are two.
fn server() -> Server {
    let server = Server::start();
    let mut listed = proxies(&[
        "http://1.1.1.1:80",
        "socks5://1.1.1.1:1080",
        "http://2.2.2.2:80",
        "http://3.3.3.3:80",
        "http://3.3.3.3:81",
    ]);
    let exits = ["9.9.9.9", "9.9.9.9", "9.9.9.9", "8.8.8.8", "9.9.9.9"];
    for (proxy, exit) in listed.iter_mut().zip(exits) {
        let (ip, anonymity) = (exit.parse().unwrap(), Anonymity::Elite);
        proxy.exit = Some(Exit { ip, anonymity });
    }
    server.publish(listed, Stat::default());
    server
}

#[test]
fn all_that_is_unique_is_the_first_of_each_in_the_order_of_the_pool() {
    let server = server();
    for _ in 0..3 {
        let by_host = server.get("/get-proxy?all=1&unique=ip");
        assert_eq!(by_host.lines(), ["1.1.1.1:80", "2.2.2.2:80", "3.3.3.3:80"]);
        let by_exit = server.get("/get-proxy?all=1&unique=exit");
        assert_eq!(by_exit.lines(), ["1.1.1.1:80", "3.3.3.3:80"]);
    }
    let filtered = server.get("/get-proxy?all=1&unique=ip&protocol=socks5");
    assert_eq!(filtered.lines(), ["1.1.1.1:1080"], "filters go first");
}

#[test]
fn a_limit_counts_what_is_unique_and_each_has_its_turn() {
    let server = server();
    let mut first = HashSet::new();
    for _ in 0..150 {
        let reply = server.get("/get-proxy?limit=3&unique=ip");
        let lines = reply.lines();
        let hosts: HashSet<&str> = lines.iter().map(|l| l.split(':').next().unwrap()).collect();
        assert_eq!((lines.len(), hosts.len()), (3, 3));
        first.extend(lines.into_iter().map(String::from));
    }
    assert_eq!(first.len(), 5, "each is missed with a chance of 4 in 5");
    let exits = server.get("/get-proxy?limit=50&unique=exit&format=json");
    assert_eq!(exits.json()["proxies"].as_array().unwrap().len(), 2);
}

#[test]
fn of_a_large_pool_a_sample_is_unique_too() {
    let server = Server::start();
    let mut listed = many(200);
    listed.extend(many(200).into_iter().map(|mut proxy| {
        proxy.candidate.port = 81;
        proxy
    }));
    server.publish(listed, Stat::default());
    let reply = server.get("/get-proxy?limit=300&unique=ip");
    let lines = reply.lines();
    let hosts: HashSet<&str> = lines.iter().map(|l| l.split(':').next().unwrap()).collect();
    assert_eq!((lines.len(), hosts.len()), (200, 200));
}

#[test]
fn unique_is_exit_or_ip_and_a_bad_one_is_told_before_the_limit() {
    let server = server();
    let words = "Invalid unique parameter. Must be one of: exit, ip";
    for unique in ["host", "IP", "1", "exit,ip"] {
        let reply = server.get(&format!("/get-proxy?unique={unique}&limit=bad"));
        reply.is_refusal(400, words);
    }
    assert_eq!(server.get("/get-proxy?unique=&all=1").lines().len(), 5);
}

#[test]
fn a_lease_takes_only_what_is_unique() {
    let server = server();
    let mut listed = server.snapshots.load().pool.proxies().to_vec();
    listed.push(proxies(&["http://3.3.3.3:82"]).remove(0));
    server.publish(listed, Stat::default());
    let leased = server.get("/get-proxy?limit=5&unique=ip&lease=30s");
    assert_eq!(leased.lines().len(), 3);
}

#[test]
fn a_target_passes_over_what_it_turns_away_unless_nothing_else_is_left() {
    let server = super::filters::with_targets();
    let publish = |banned: &[&str]| {
        let snapshot = server.snapshots.load();
        let mut listed = snapshot.pool.proxies().to_vec();
        for proxy in &mut listed {
            let is_banned = banned.contains(&&*proxy.candidate.address().to_string());
            let shop = Targets::first(1);
            proxy.banned_at = if is_banned { shop } else { Targets::NONE };
        }
        server.publish(listed, (*snapshot.stat).clone());
    };
    let ask = |query: &str| server.get(&format!("/get-proxy?all=1&{query}"));
    publish(&["1.1.1.1:80"]);
    assert_eq!(ask("target=shop").lines(), ["2.2.2.2:1080"]);
    let other = ask("target=a+b");
    assert_eq!(other.lines(), ["2.2.2.2:1080", "3.3.3.3:3128"]);
    assert_eq!(
        ask("").lines().len(),
        3,
        "without a target nobody is passed over"
    );
    publish(&["1.1.1.1:80", "2.2.2.2:1080"]);
    assert_eq!(ask("target=shop").lines(), ["1.1.1.1:80", "2.2.2.2:1080"]);
}

#[test]
fn lies_about_most_proxies_leave_none_of_them_out() {
    let server = super::filters::with_targets();
    let snapshot = server.snapshots.load();
    let template = snapshot.pool.proxies()[0].clone();
    let ask = |banned: usize| {
        let listed = crate::api::testing::many(9).into_iter().enumerate();
        let listed = listed.map(|(at, proxy)| crate::snapshot::Proxy {
            targets: template.targets,
            banned_at: match at < banned {
                true => Targets::first(1),
                false => Targets::NONE,
            },
            ..proxy
        });
        server.publish(listed.collect(), (*snapshot.stat).clone());
        server.get("/get-proxy?all=1&target=shop").lines().len()
    };
    assert_eq!([0, 1, 4, 5, 8, 9].map(ask), [9, 8, 5, 9, 9, 9]);
}

#[test]
fn where_all_that_are_welcome_are_leased_those_that_were_turned_away_are_left() {
    let server = super::filters::with_targets();
    let snapshot = server.snapshots.load();
    let mut listed = snapshot.pool.proxies().to_vec();
    listed[0].banned_at = Targets::first(1);
    server.publish(listed, (*snapshot.stat).clone());
    let leased = server.get("/get-proxy?target=shop&lease=30s");
    assert_eq!(leased.lines(), ["2.2.2.2:1080"]);
    for query in [
        "target=shop",
        "target=shop&limit=20",
        "target=shop&unique=ip",
    ] {
        let reply = server.get(&format!("/get-proxy?{query}"));
        assert_eq!(reply.lines(), ["1.1.1.1:80"], "{query}");
    }
}
