//! The way to everybody is taken away, in every form that Linux has for it, and comes back.

use super::{Standing, holds, is_alone, is_stale, recovers, seconds, shell};
use crate::stage::{Service, Stage};
use crate::support::eventually;
use crate::times;
use proxy_bench::farm::{Behaviour, Expect, Farm, FarmOptions};
use serde_json::json;
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

/// Proxies in the list, half of them good.
const COUNT: usize = 200;
/// An address without a proxy, which is the target's.
const TARGET: &str = "127.250.0.1";

/// How a network is gone.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// `ENETUNREACH`, as without a default route.
    NoRoute,
    /// `EHOSTUNREACH`, as by `ip route add unreachable`.
    Unreachable,
    /// `EINVAL`, as by `ip route add blackhole`.
    Blackhole,
    /// `EACCES`, as by `ip route add prohibit`.
    Prohibited,
    /// Packets go out, and nothing comes back.
    Swallowed,
}

/// The ways of this network: all but 127.0.0.1, where the API is, can be cut off.
struct Ways;

impl Ways {
    fn new() -> Ways {
        shell(
            "ip rule add pref 100 lookup local && ip rule del pref 0 \
             && ip rule add pref 10 to 127.0.0.1 lookup local \
             && ip link add nowhere type veth peer name none \
             && ip link set nowhere arp off up && ip link set none up \
             && echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet \
             && ip route add 127.0.0.0/8 dev nowhere src 127.0.0.1 table 200 \
             && ip route add unreachable 127.0.0.0/8 table 201",
        );
        Ways
    }

    fn cut(&self, how: Cut) {
        let action = match how {
            Cut::NoRoute => "unreachable",
            Cut::Unreachable => "lookup 201",
            Cut::Blackhole => "blackhole",
            Cut::Prohibited => "prohibit",
            Cut::Swallowed => "lookup 200",
        };
        shell(&format!("ip rule add pref 20 to 127.0.0.0/8 {action}"));
    }

    fn mend(&self) {
        shell("ip rule del pref 20");
    }
}

/// A service that has checked a farm of which half is good.
fn served(farm: &Farm, controlled: bool) -> (Service, BTreeSet<String>) {
    let mix = farm.mix(COUNT, &[Behaviour::Forwards, Behaviour::BadGateway]);
    let list: String = mix.iter().map(|(proxy, _)| format!("{proxy}\n")).collect();
    let good = mix.iter().filter(|(_, does)| *does == Behaviour::Forwards);
    let good: BTreeSet<String> = good.map(|(proxy, _)| proxy.clone()).collect();
    let mut stage = Stage::new(&list);
    let target = farm.target(Expect::NoContent).replace("127.0.0.1", TARGET);
    stage.config["aggregator"]["interval_seconds"] = json!(2);
    stage.config["checker"]["test_url"] = json!(target);
    stage.config["checker"]["control_probe"] = json!(controlled);
    stage.config["checker"]["control_interval_seconds"] = json!(1);
    stage.config["metrics"] = json!({ "enabled": true });
    let service = stage.start();
    eventually(super::PATIENCE, "the good ones are served", || {
        (service.served() == good).then_some(())
    });
    service.has_checked(COUNT as u64);
    (service, good)
}

#[test]
fn a_network_that_is_gone_costs_no_proxy_its_place_and_its_return_needs_no_help() {
    let _turn = crate::turn();
    if !is_alone(
        "network::gone::a_network_that_is_gone_costs_no_proxy_its_place_and_its_return_needs_no_help",
    ) {
        return;
    }
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let ways = Ways::new();
    let (service, good) = served(&farm, true);
    let all = [
        Cut::NoRoute,
        Cut::Swallowed,
        Cut::Unreachable,
        Cut::Blackhole,
        Cut::Prohibited,
    ];
    for cut in all.into_iter().take(times(2, all.len())) {
        let before = Standing::of(&service);
        assert_eq!(before.served, good);
        let since = Instant::now();
        ways.cut(cut);
        let verdict = is_stale(&service, "default");
        let told = since.elapsed();
        let expected: &[&str] = match cut {
            Cut::Swallowed => &["connect_timeout", "response_timeout"],
            _ => &["local_network"],
        };
        let verdict = verdict.as_str().unwrap();
        assert!(expected.contains(&verdict), "{cut:?}: {verdict}");
        // Longer than the interval: all of the alive fall due meanwhile.
        holds(&service, &before, "default", Duration::from_secs(3));
        ways.mend();
        let (fresh, checked) = recovers(&service, &before);
        eprintln!(
            "network gone ({cut:?}): {COUNT} proxies; stale was said after {} ({verdict}), fresh again after {}, every proxy confirmed after {}",
            seconds(told),
            seconds(fresh),
            seconds(checked)
        );
    }
    let ran = service.end();
    let away = "a target does not answer as it should without a proxy";
    assert!(ran.err.contains(away), "{}", ran.err);
    assert!(ran.err.contains("local_network"), "{}", ran.err);
    let back = "every target answers without a proxy again";
    assert!(ran.err.contains(back), "{}", ran.err);
}

#[test]
fn without_probes_of_the_target_a_network_that_is_gone_is_noticed_all_the_same() {
    let _turn = crate::turn();
    if !is_alone(
        "network::gone::without_probes_of_the_target_a_network_that_is_gone_is_noticed_all_the_same",
    ) {
        return;
    }
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let ways = Ways::new();
    let (service, _) = served(&farm, false);
    // Packets that vanish cannot be told from proxies that are dead.
    let all = [
        Cut::NoRoute,
        Cut::Unreachable,
        Cut::Blackhole,
        Cut::Prohibited,
    ];
    for cut in all.into_iter().take(times(1, all.len())) {
        let before = Standing::of(&service);
        let since = Instant::now();
        ways.cut(cut);
        eventually(super::PATIENCE, "the service says that it is stale", || {
            (service.stat()["stale"] == true).then_some(())
        });
        let told = since.elapsed();
        // Longer than the interval: all of the alive fall due meanwhile.
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            assert_eq!(Standing::of(&service), before, "{cut:?}");
            thread::park_timeout(Duration::from_millis(100));
        }
        ways.mend();
        let (fresh, checked) = recovers(&service, &before);
        eprintln!(
            "network gone ({cut:?}), targets not probed: stale was said after {}, fresh again after {}, every proxy confirmed after {}",
            seconds(told),
            seconds(fresh),
            seconds(checked)
        );
    }
    service.end();
}
