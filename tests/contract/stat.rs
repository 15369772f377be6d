//! `/stat`: the old keys with their old meaning.

use crate::stage::{Place, farm, list};
use proxy_bench::farm::Behaviour;
use serde_json::{Value, json};

#[test]
fn before_the_first_check_it_says_never_and_nothing() {
    let service = Place::new(&[]).serve();
    let stat = service.stat();
    for (key, value) in [
        ("alive_percent", json!("0.00%")),
        ("last_check", json!("0001-01-01T00:00:00Z")),
        ("sources", json!({})),
        ("total_alive", json!(0)),
        ("total_dead", json!(0)),
        ("total_scraped", json!(0)),
    ] {
        assert_eq!(stat[key], value, "{key}");
    }
    assert!(stat["updated"].is_string());
}

#[test]
fn the_figures_are_those_of_the_lists_and_the_verdicts() {
    let farm = farm();
    let mix = [(7, Behaviour::Forwards), (16, Behaviour::Refuses)];
    // One of them is there twice: it is one candidate.
    let text = list(&farm, &mix) + &list(&farm, &[(1, Behaviour::Forwards)]);
    let url = farm.serve_list(&text);
    // A folder is no list.
    let service = Place::new(&[&url, "/"]).serve();
    service.wait_until_checked(23);
    let stat = service.stat();
    for (key, value) in [
        ("alive_percent", json!("30.43%")),
        ("total_alive", json!(7)),
        ("total_dead", json!(16)),
        ("total_scraped", json!(23)),
    ] {
        assert_eq!(stat[key], value, "{key}");
    }
    let source = &stat["sources"][&url];
    assert_eq!(
        (&source["URL"], &source["ProxiesFound"], &source["Error"]),
        (&json!(url), &json!(23), &json!(""))
    );
    let sources = stat["sources"].as_object().unwrap();
    let (name, failed) = sources.iter().find(|(name, _)| **name != url).unwrap();
    assert_eq!(
        (&failed["URL"], &failed["ProxiesFound"]),
        (&json!(name), &json!(0))
    );
    assert!(
        failed["Error"]
            .as_str()
            .is_some_and(|error| !error.is_empty())
    );
    for key in ["last_check", "updated"] {
        let at = stat[key].as_str().unwrap();
        assert!(at.parse::<jiff::Timestamp>().unwrap() > jiff::Timestamp::UNIX_EPOCH);
    }
}

#[test]
fn further_keys_stand_beside_the_old_ones() {
    let stat = Place::new(&[]).serve().stat();
    let is = |key: &str, kind: fn(&Value) -> bool| assert!(kind(&stat[key]), "{key}: {stat}");
    is("verdicts", Value::is_object);
    is("sweep", Value::is_object);
    is("latency_ms", Value::is_object);
    is("protocols", Value::is_object);
    is("shards", Value::is_array);
    is("generation", Value::is_u64);
    is("stale", Value::is_boolean);
}
