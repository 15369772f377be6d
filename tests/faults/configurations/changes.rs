//! A configuration that asks for something else: each key does what docs/configuration.md says of it, at
//! once or after a restart, and no verdict is lost.

use super::{Mix, alive, farm, goes_by, reloaded, sample, source, sources, stage, tells_the_truth};
use crate::stage::{Service, Stage};
use crate::support::{PATIENCE, eventually};
use crate::{times, turn};
use proxy_bench::farm::{Behaviour, Farm};
use serde_json::{Value, json};

/// Lanes of a large machine.
const MANY: u64 = 19_000;
/// Lanes of a careful one.
const FEW: u64 = 10;

/// Those that answer, those that do not, and those that keep a lane for as long as they may.
fn mixed(farm: &Farm, count: usize) -> Mix {
    let behaviours = [
        Behaviour::Forwards,
        Behaviour::Late,
        Behaviour::Refuses,
        Behaviour::Socks5,
        Behaviour::Silent,
        Behaviour::OwnPage,
    ];
    farm.mix(count, &behaviours)
}

/// Puts this into the configuration and reloads; what the API says of it.
fn change(stage: &mut Stage, service: &Service, place: &str, value: Value) -> Value {
    *stage.config.pointer_mut(place).unwrap() = value;
    stage.write();
    reloaded(service)
}

/// Lanes in force, both shards together.
fn lanes(service: &Service) -> u64 {
    let lanes = |shard| sample(service, &format!("proxychecker_lanes{{shard=\"{shard}\"}}"));
    lanes(0) + lanes(1)
}

#[test]
fn lanes_go_and_come_back_in_the_middle_of_a_sweep_and_no_verdict_is_lost() {
    let _turn = turn();
    let farm = farm();
    let mix = mixed(&farm, times(300, 3_000));
    let mut stage = stage(&mix);
    stage.config["checker"]["concurrency_total"] = json!(MANY);
    let service = stage.start();
    tells_the_truth(&service, &mix);
    let granted = lanes(&service);
    for _ in 0..times(2, 6) {
        for (wanted, in_force) in [(FEW, FEW), (MANY, granted)] {
            change(
                &mut stage,
                &service,
                "/checker/concurrency_total",
                json!(wanted),
            );
            // What waits for the lists of the reload before comes a moment later.
            eventually(PATIENCE, "the lanes are as many as are wanted", || {
                assert_eq!(service.served(), alive(&mix), "with {wanted} lanes");
                (lanes(&service) == in_force).then_some(())
            });
        }
    }
    tells_the_truth(&service, &mix);
    service.end();
}

#[test]
fn without_sources_what_is_alive_stays_and_is_checked_on() {
    let _turn = turn();
    let farm = farm();
    let mix = mixed(&farm, 60);
    let mut stage = stage(&mix);
    stage.config["aggregator"]["interval_seconds"] = json!(1);
    let service = stage.start();
    tells_the_truth(&service, &mix);
    let all = stage.config["aggregator"]["sources"].clone();
    change(&mut stage, &service, "/aggregator/sources", json!([]));
    eventually(PATIENCE, "there are no sources", || {
        sources(&service).is_empty().then_some(())
    });
    let checked = || sample(&service, "proxychecker_alive_checks_total{result=\"kept\"}");
    let before = checked();
    let twice = 2 * alive(&mix).len() as u64;
    eventually(PATIENCE, "each is checked twice", || {
        assert_eq!(service.served(), alive(&mix));
        (checked() >= before + twice).then_some(())
    });
    eventually(PATIENCE, "the dead are forgotten", || {
        let stat = service.stat();
        (stat["total_scraped"] == stat["total_alive"]).then_some(())
    });
    assert_eq!(service.served(), alive(&mix));
    change(&mut stage, &service, "/aggregator/sources", all);
    tells_the_truth(&service, &mix);
    service.end();
}

#[test]
fn under_another_target_all_are_checked_anew_and_nobody_alive_is_dropped_meanwhile() {
    let _turn = turn();
    let farm = farm();
    let mix = mixed(&farm, times(60, 1_200));
    let mut stage = stage(&mix);
    let service = stage.start();
    tells_the_truth(&service, &mix);
    for nth in 0..times(1, 3) {
        let url = format!("http://target-{nth}.test/generate_204");
        let probed = || sample(&service, "proxychecker_probes_total{verdict=\"alive\"}");
        let before = probed();
        change(&mut stage, &service, "/checker/test_url", json!(url));
        let again = alive(&mix).len() as u64;
        eventually(PATIENCE, "all that are alive were checked anew", || {
            assert_eq!(service.served(), alive(&mix), "while {url} is asked");
            (probed() >= before + again).then_some(())
        });
        tells_the_truth(&service, &mix);
    }
    service.end();
}

#[test]
fn what_takes_a_restart_is_named_waits_for_it_and_loses_nothing() {
    let _turn = turn();
    let farm = farm();
    let mix = mixed(&farm, 60);
    let mut stage = stage(&mix);
    let service = stage.start();
    tells_the_truth(&service, &mix);
    let before = stage.config.clone();
    stage.config["checker"]["shards"] = json!(1);
    stage.config["api"]["addr"] = json!("127.0.0.2:0");
    stage.config["storage"]["path"] = json!("moved");
    stage.config["aggregator"]["sources"] = source(&stage, 1);
    stage.write();
    let answer = reloaded(&service);
    let restart = json!(["checker.shards", "api.addr", "storage.path"]);
    assert_eq!(answer["needs_restart"], restart);
    // What needs none is in force.
    goes_by(&service, &stage.config["aggregator"]["sources"]);
    assert_eq!(service.stat()["shards"].as_array().unwrap().len(), 2);
    tells_the_truth(&service, &mix);
    service.end();
    assert!(stage.path("ledger").exists() && !stage.path("moved").exists());

    // All of it is in force after a restart, over a store that knows nothing yet.
    let service = stage.start();
    assert!(
        service.address.starts_with("127.0.0.2:"),
        "{}",
        service.address
    );
    tells_the_truth(&service, &mix);
    assert_eq!(service.stat()["shards"].as_array().unwrap().len(), 1);
    service.end();
    assert!(stage.path("moved").exists());

    // The store that was left has every verdict, though nothing is listed any more.
    stage.config = before;
    stage.config["aggregator"]["sources"] = json!([]);
    let service = stage.start();
    assert_eq!(service.served(), alive(&mix));
    service.end();
}
