//! Faults of the old service that show only when the whole of it runs.

use crate::stage::{Place, Reply, farm, list};
use crate::support::{PATIENCE, eventually};
use proxy_bench::farm::{Aim, Behaviour};
use serde_json::json;

#[test]
fn a_login_page_is_not_an_alive_proxy() {
    let farm = farm();
    let mix = [
        (3, Behaviour::OwnPage),
        (3, Behaviour::Redirects),
        (1, Behaviour::Forwards),
    ];
    let url = farm.serve_list(&list(&farm, &mix));
    let service = Place::new(&[&url]).serve();
    service.wait_until_checked(7);
    let works = farm.proxy(Behaviour::Forwards, 0);
    assert_eq!(service.get("/get-proxy?all=1&format=url").lines(), [works]);
}

#[test]
fn a_target_that_fails_does_not_empty_the_pool() {
    let farm = farm();
    let url = farm.serve_list(&list(&farm, &[(8, Behaviour::Forwards)]));
    let mut place = Place::new(&[&url]);
    place.config["aggregator"]["interval_seconds"] = json!(1);
    place.config["checker"]["test_url"] = json!(farm.target(Aim::NoContent));
    place.config["checker"]["control_probe"] = json!(true);
    place.config["checker"]["control_interval_seconds"] = json!(1);
    let service = place.serve();
    service.wait_until_checked(8);
    farm.set_target(false);
    let held = eventually(PATIENCE, "the snapshot is held", || {
        let reply = service.get("/get-proxy?all=1");
        assert_eq!(reply.lines().len(), 8, "{reply:?}");
        (reply.header("x-snapshot-stale") == Some("true")).then_some(reply)
    });
    let reason = held.header("x-snapshot-stale-reason");
    assert_eq!(reason, Some("target_unreachable"));
    // Longer than an interval and a round of control probes: nobody leaves meanwhile.
    let tried = farm.target_counts().accepted;
    eventually(PATIENCE, "the target was tried twice more", || {
        assert_eq!(service.get("/get-proxy?all=1").lines().len(), 8);
        (farm.target_counts().accepted >= tried + 2).then_some(())
    });
    farm.set_target(true);
    eventually(PATIENCE, "the snapshot is fresh again", || {
        let reply = service.get("/get-proxy?all=1");
        assert_eq!(reply.lines().len(), 8, "{reply:?}");
        reply.header("x-snapshot-stale").is_none().then_some(())
    });
}

#[test]
fn reloads_are_merged() {
    let service = Place::new(&[]).serve();
    let address = &*service.address;
    let ids = std::thread::scope(|scope| {
        let ask = || Reply::to(address, "POST", "/reload", "");
        let askers: Vec<_> = (0..50).map(|_| scope.spawn(ask)).collect();
        let replies = askers.into_iter().map(|asker| asker.join().unwrap());
        let id = |reply: Reply| {
            assert_eq!(reply.status, 200, "{reply:?}");
            reply.json()["reload_id"].as_u64().unwrap()
        };
        replies.map(id).collect::<Vec<u64>>()
    });
    let (first, last) = (ids.iter().min().unwrap(), ids.iter().max().unwrap());
    assert!(
        last - first < 49,
        "fifty at once were fifty reloads: {ids:?}"
    );
}

#[test]
fn a_list_is_read_whole_and_nonsense_is_not() {
    let farm = farm();
    let [first, second, third] = [0, 1, 2].map(|n| farm.proxy(Behaviour::Forwards, n));
    let login = farm.proxy(Behaviour::ForwardsAuth, 0);
    let long = "x ".repeat(100_000);
    let text = format!(
        "{first} {second}, {login}\n999.1.1.1:99999\n256.0.0.1:80\n1.2.3.4:0\n{long}{third}\n"
    );
    let service = Place::new(&[&farm.serve_list(&text)]).serve();
    service.wait_until_checked(4);
    let reply = service.get("/get-proxy?all=1&format=url");
    let mut served = reply.lines();
    let mut expected = [&*first, &*second, &*third, &*login];
    served.sort_unstable();
    expected.sort_unstable();
    assert_eq!(served, expected);
}

#[test]
fn private_addresses_are_not_dialled() {
    let farm = farm();
    let path_of_list = list(&farm, &[(5, Behaviour::Forwards)]);
    let mut place = Place::new(&[]);
    let file = place.path("list.txt");
    // Beside them one that may be dialled, so that there is a sweep to wait for.
    std::fs::write(&file, path_of_list + "http://127.77.0.1:9\n").unwrap();
    place.config["aggregator"] = json!({
        "sources": [{"url": file, "type": "http", "enabled": true}],
        "allow_networks": ["127.77.0.0/16"],
    });
    let service = place.serve();
    service.wait_until_checked(1);
    assert_eq!(farm.counts(Behaviour::Forwards).accepted, 0);
}

#[test]
fn every_check_has_a_connection_of_its_own() {
    let farm = farm();
    let url = farm.serve_list(&list(&farm, &[(4, Behaviour::Forwards)]));
    let mut place = Place::new(&[&url]);
    place.config["aggregator"]["interval_seconds"] = json!(1);
    let _service = place.serve();
    let counts = eventually(PATIENCE, "each was checked three times", || {
        let counts = farm.counts(Behaviour::Forwards);
        (counts.served >= 12).then_some(counts)
    });
    assert!(counts.accepted >= counts.served, "{counts:?}");
}
