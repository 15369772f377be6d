use super::*;
use serde_json::Value;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

/// Every figure has another value than it has by default, and than its neighbour.
fn publication() -> Publication {
    let mut stat = Stat {
        total_scraped: 11,
        total_alive: 12,
        total_dead: 13,
        last_check: Some(at(1)),
        turns: Turns {
            found: 21,
            kept: 22,
            lost: 23,
        },
        sources: vec![SourceStat {
            url: "a \"list\"".into(),
            found: 31,
            alive: 32,
            skipped: 33,
            error: "404".into(),
            failures: 3,
            fetched_at: Some(at(2)),
        }],
        sweep: Sweep {
            id: 41,
            total: 42,
            done: 43,
            unjudged: 44,
            started: Some(at(3)),
            finished: Some(at(4)),
        },
        targets: vec![TargetStat {
            name: "main".into(),
            control: Some(Verdict::Refused),
            latency_ms: 51,
            reached: 52,
        }],
        stale: Some((Stale::NothingAlive, at(5))),
        held: 61,
        lanes: LaneStat {
            wanted: 71,
            per_shard: 72,
            decisions: [1, 2, 3, 4, 5],
        },
        shards: vec![ShardStat {
            in_flight: 81,
            queued: 82,
            lag_us: 83,
            restarts: 84,
        }],
        latency_ms_p50: 91,
        latency_ms_p95: 92,
        latency_spread: [10, 60, 60, 99_999].into_iter().collect(),
        ..Stat::default()
    };
    for verdict in Verdict::ALL {
        stat.verdicts[verdict as usize] = 100 + verdict as u64;
        stat.probes.record(verdict, 1_000 << (verdict as u32 % 16));
    }
    Publication {
        generation: 7,
        at_ms: 1_700_000_000_123,
        stat: Arc::new(stat),
        stale: true,
    }
}

#[test]
fn every_figure_arrives_as_it_was_published() {
    let sent = publication();
    let got = Publication::from_json(&sent.to_json()).unwrap();
    assert_eq!(format!("{got:?}"), format!("{sent:?}"));
    let blank = Publication::from_json(br#"{"version":1}"#).unwrap();
    let stat = format!("{:?}", Stat::default());
    assert_eq!(
        format!("{:?}", blank.stat),
        stat,
        "what is missing is nothing"
    );
}

#[test]
fn keys_words_and_counts_that_are_not_known_are_passed_over() {
    let mut json: Value = serde_json::from_slice(&publication().to_json()).unwrap();
    json["weather"] = "fine".into();
    json["verdicts"]["bored"] = 5.into();
    json["stale"][0] = "eclipse".into();
    json["targets"][0]["control"] = "bored".into();
    let longer = Value::from(vec![1; 40]);
    json["probes"]["latency"] = longer.clone();
    json["latency_spread"] = longer;
    let got = Publication::from_json(json.to_string().as_bytes()).unwrap();
    let stat = &got.stat;
    assert_eq!(stat.verdicts, publication().stat.verdicts);
    assert_eq!(stat.targets[0].control, None);
    assert_eq!(stat.stale.unwrap().0, Stale::Control);
    assert!(got.stale && stat.probes.latency.iter().all(|count| *count == 1));
}

#[test]
fn a_later_form_is_refused_with_the_remedy_and_noise_is_no_panic() {
    let error = Publication::from_json(br#"{"version":2}"#)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("form 2") && error.contains("same version"),
        "{error}"
    );
    let good = publication().to_json();
    let mut random = fastrand::Rng::with_seed(5);
    let mut refused = 0;
    for _ in 0..3_000 {
        let mut bytes = good.clone();
        let place = random.usize(..bytes.len());
        bytes[place] = random.u8(..);
        bytes.truncate(random.usize(..=good.len() * 2).min(good.len()));
        refused += usize::from(Publication::from_json(&bytes).is_err());
    }
    assert!(refused > 1_000, "{refused}");
}
