//! Configurations that are wrong, half written, or ask for something else, while the service runs.

mod changes;
mod corrupt;
mod half_written;
mod refused;

use crate::stage::{Service, Stage};
use crate::support::{PATIENCE, eventually};
use crate::times;
use proxy_bench::farm::{Aim, Behaviour, Farm, FarmOptions, Listing};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

/// Proxies, and how each behaves.
pub(crate) type Mix = Vec<(String, Behaviour)>;

/// Mock proxies.
pub(crate) fn farm() -> Farm {
    Farm::start(FarmOptions::default()).unwrap()
}

/// A list of them.
pub(crate) fn list(mix: &Mix) -> String {
    mix.iter().map(|(proxy, _)| format!("{proxy}\n")).collect()
}

/// How those that work are served.
pub(crate) fn alive(mix: &Mix) -> BTreeSet<String> {
    let urls = |(proxy, behaviour): &(String, Behaviour)| {
        let rest = proxy.split_once("://").expect("a scheme").1.to_owned();
        let works = behaviour.protocols(Aim::NoContent, Listing::Schemed);
        works.into_iter().map(move |by| format!("{by}://{rest}"))
    };
    mix.iter().flat_map(urls).collect()
}

/// A stage over them, with metrics. Its probes may take so long that those of a debug build on a busy
/// machine are in time: what is alive is never dropped for that.
pub(crate) fn stage(mix: &Mix) -> Stage {
    let mut stage = Stage::new(&list(mix));
    stage.config["metrics"] = json!({"enabled": true});
    stage.config["checker"]["timeout_ms"] = json!(10_000);
    stage.config["checker"]["connect_timeout_ms"] = json!(times(4_000, 2_000));
    stage
}

/// The only source, by a name of its own for each `nth`: a copy of the list.
pub(crate) fn source(stage: &Stage, nth: usize) -> Value {
    let copy = stage.path(&format!("list-{nth}.txt"));
    fs::copy(stage.path("list.txt"), &copy).unwrap();
    json!([{"url": copy, "type": "http", "enabled": true}])
}

/// Asks for a reload; what the API says of it.
pub(crate) fn reload(service: &Service) -> (u16, Value) {
    let (status, body) = service.post("/reload");
    (status, serde_json::from_str(&body).expect("JSON"))
}

/// Asks for a reload that must be taken.
pub(crate) fn reloaded(service: &Service) -> Value {
    let (status, answer) = reload(service);
    assert_eq!(status, 200, "{answer}");
    answer
}

/// A sample of the metrics.
pub(crate) fn sample(service: &Service, name: &str) -> u64 {
    let (status, page) = service.get("/metrics");
    assert_eq!(status, 200, "{page}");
    let line = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
    let found: Option<f64> = page.lines().find_map(line);
    found.unwrap_or_else(|| panic!("no {name}: {page}")) as u64
}

/// How many reloads ended so: `applied`, `refused`.
pub(crate) fn reloads(service: &Service, result: &str) -> u64 {
    let name = format!("proxychecker_config_reloads_total{{result=\"{result}\"}}");
    sample(service, &name)
}

/// Waits until there were more of them than `before`.
pub(crate) fn more_reloads(service: &Service, result: &str, before: u64) {
    eventually(PATIENCE, &format!("one more reload is {result}"), || {
        (reloads(service, result) > before).then_some(())
    });
}

/// The names of the sources in force.
pub(crate) fn sources(service: &Service) -> Vec<String> {
    let stat = service.stat();
    stat["sources"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

/// Waits until exactly this source is in force.
pub(crate) fn goes_by(service: &Service, source: &Value) {
    let url = source[0]["url"].as_str().unwrap();
    eventually(PATIENCE, &format!("{url} is in force"), || {
        (sources(service) == [url]).then_some(())
    });
}

/// Waits until the sweep is done and every candidate of `mix` has its verdict, and panics unless each is
/// the true one.
pub(crate) fn tells_the_truth(service: &Service, mix: &Mix) {
    eventually(PATIENCE, "the sweep is done", || {
        let stat = service.stat();
        let sweep = &stat["sweep"];
        let all = stat["total_scraped"] == json!(mix.len()) && stat["held"] == json!(0);
        (all && sweep["done"] == sweep["total"] && !sweep["finished"].is_null()).then_some(())
    });
    let stat = service.stat();
    let works = |(_, behaviour): &&(String, Behaviour)| {
        !behaviour
            .protocols(Aim::NoContent, Listing::Schemed)
            .is_empty()
    };
    let working = mix.iter().filter(works).count();
    assert_eq!(stat["total_alive"], json!(working), "{stat}");
    assert_eq!(stat["total_dead"], json!(mix.len() - working), "{stat}");
    assert_eq!(service.served(), alive(mix));
}
