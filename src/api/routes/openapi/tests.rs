//! The description against the routes, the refusals, and what is served.

use super::*;
use crate::api::rates::Exceeded;
use crate::api::refusal::Refusal;
use crate::api::routes::Endpoint;
use crate::api::testing::{Server, settings, settings_with_keys};
use proxy_shards::{Protocol, Verdict};
use std::collections::BTreeSet;

mod bodies;

/// What hyper refuses before every route, by status: a head that is too large.
const EVERYWHERE: [&str; 1] = ["431"];

fn operations(page: &Value) -> BTreeSet<(String, String)> {
    let paths = page["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| (path.clone(), method.to_uppercase()))
        })
        .collect()
}

#[test]
fn every_route_is_described_by_its_methods_and_nothing_else_is() {
    let routes: BTreeSet<(String, String)> = Endpoint::ALL
        .into_iter()
        .flat_map(|endpoint| {
            let row = endpoint.row();
            // Wherever GET works, HEAD does: said once, at the top of the page.
            let methods = row.methods.split(", ").filter(|method| *method != "HEAD");
            methods.map(move |method| (row.path.to_owned(), method.to_owned()))
        })
        .collect();
    assert_eq!(operations(&DESCRIPTION), routes);
}

/// Each refusal with the routes that can give it. A new one does not compile until it is here.
macro_rules! refusals {
    ($($pattern:pat, $sample:expr, $routes:expr;)*) => {
        fn given_by() -> Vec<(Refusal, &'static [Endpoint])> {
            fn _each_is_listed(refusal: &Refusal) {
                match refusal { $($pattern => (),)* }
            }
            vec![$(($sample, $routes),)*]
        }
    };
}

/// Refusals of the server itself, of any route.
const ALL: &[Endpoint] = &Endpoint::ALL;
/// Routes whose requests are counted, if they are with any settings.
const COUNTED: &[Endpoint] = &[
    Endpoint::Metrics,
    Endpoint::GetProxy,
    Endpoint::Proxy,
    Endpoint::Stat,
    Endpoint::Reload,
    Endpoint::Report,
    Endpoint::Lease,
    Endpoint::Page,
    Endpoint::History,
    Endpoint::OpenApi,
];
/// Routes whose answer may be large.
const LARGE: &[Endpoint] = &[
    Endpoint::Metrics,
    Endpoint::GetProxy,
    Endpoint::Proxy,
    Endpoint::Stat,
];
/// Routes that may want a key, and are not for pages of other sites where none is asked for.
const CLOSED: &[Endpoint] = &[
    Endpoint::Metrics,
    Endpoint::GetProxy,
    Endpoint::Proxy,
    Endpoint::Stat,
    Endpoint::Reload,
    Endpoint::Report,
    Endpoint::Lease,
    Endpoint::History,
];
/// Routes that ask the coordinator.
const ASKING: &[Endpoint] = &[Endpoint::Proxy, Endpoint::Report];
/// Routes that take the name of a target.
const NAMING: &[Endpoint] = &[Endpoint::GetProxy, Endpoint::Report];
/// A path or method that is no route's is no operation.
const NONE: &[Endpoint] = &[];

refusals! {
    Refusal::Host, Refusal::Host, ALL;
    Refusal::NotFound, Refusal::NotFound, NONE;
    Refusal::Method(_), Refusal::Method("GET"), NONE;
    Refusal::Key, Refusal::Key, CLOSED;
    Refusal::CrossSite, Refusal::CrossSite, CLOSED;
    Refusal::NotReady, Refusal::NotReady, &[Endpoint::Ready];
    Refusal::NothingAlive, Refusal::NothingAlive, &[Endpoint::GetProxy];
    Refusal::NothingAliveOf(_), Refusal::NothingAliveOf(Protocol::Http), &[Endpoint::GetProxy];
    Refusal::NothingReaches(_), Refusal::NothingReaches("t".into()), &[Endpoint::GetProxy];
    Refusal::NothingMatches, Refusal::NothingMatches, &[Endpoint::GetProxy];
    Refusal::Limit, Refusal::Limit, &[Endpoint::GetProxy];
    Refusal::All, Refusal::All, &[Endpoint::GetProxy];
    Refusal::Format, Refusal::Format, &[Endpoint::GetProxy];
    Refusal::Parameter { .. }, Refusal::Parameter { name: "fromat".into(), meant: "format" }, &[Endpoint::GetProxy];
    Refusal::Protocol, Refusal::Protocol, &[Endpoint::GetProxy];
    Refusal::Filter(_), Refusal::Filter("max_age"), &[Endpoint::GetProxy];
    Refusal::Source, Refusal::Source, &[Endpoint::GetProxy];
    Refusal::Target(_), Refusal::Target(String::new()), NAMING;
    Refusal::Anonymity, Refusal::Anonymity, &[Endpoint::GetProxy];
    Refusal::Address, Refusal::Address, ASKING;
    Refusal::UnknownProxy, Refusal::UnknownProxy, ASKING;
    Refusal::Questions, Refusal::Questions, ASKING;
    Refusal::Unanswered, Refusal::Unanswered, ASKING;
    Refusal::Silent, Refusal::Silent, ASKING;
    Refusal::Configuration(_), Refusal::Configuration(String::new()), &[Endpoint::Reload];
    Refusal::ReloadTimeout, Refusal::ReloadTimeout, &[Endpoint::Reload];
    Refusal::Stopping, Refusal::Stopping, &[Endpoint::Reload];
    Refusal::BodyTooLarge, Refusal::BodyTooLarge, ALL;
    Refusal::BodyTimeout, Refusal::BodyTimeout, ALL;
    Refusal::BodyBroken, Refusal::BodyBroken, ALL;
    Refusal::Overloaded, Refusal::Overloaded, LARGE;
    Refusal::Metrics, Refusal::Metrics, &[Endpoint::Metrics];
    Refusal::Rate(_), Refusal::Rate(Exceeded::sample()), COUNTED;
    Refusal::Unique, Refusal::Unique, &[Endpoint::GetProxy];
    Refusal::Lease, Refusal::Lease, &[Endpoint::GetProxy];
    Refusal::LeaseAmount, Refusal::LeaseAmount, &[Endpoint::GetProxy];
    Refusal::AllLeased(_), Refusal::AllLeased(1), &[Endpoint::GetProxy];
    Refusal::LeasesOfClient(_), Refusal::LeasesOfClient(1), &[Endpoint::GetProxy];
    Refusal::LeasesOfAll(_), Refusal::LeasesOfAll(1), &[Endpoint::GetProxy];
    Refusal::NoRandomness, Refusal::NoRandomness, &[Endpoint::GetProxy];
    Refusal::NoLease, Refusal::NoLease, &[Endpoint::Lease];
    Refusal::Report, Refusal::Report, &[Endpoint::Report];
    Refusal::Outcome, Refusal::Outcome, &[Endpoint::Report];
}

fn operation(endpoint: Endpoint) -> &'static Value {
    let row = endpoint.row();
    let method = row.methods.split(", ").next().unwrap().to_lowercase();
    &DESCRIPTION["paths"][row.path][method]
}

#[test]
fn each_route_is_described_with_the_statuses_of_its_refusals_and_no_other() {
    for endpoint in Endpoint::ALL {
        let given = given_by().into_iter();
        let given = given.filter(|(_, routes)| routes.contains(&endpoint));
        let mut given: BTreeSet<String> = given
            .map(|(refusal, _)| Answer::from(refusal).status.as_str().to_owned())
            .collect();
        given.extend(EVERYWHERE.map(String::from));
        let responses = operation(endpoint)["responses"].as_object().unwrap();
        let described = responses.keys().filter(|status| status.as_str() >= "400");
        let described: BTreeSet<String> = described.cloned().collect();
        assert_eq!(described, given, "{endpoint:?}");
    }
}

#[test]
fn whoever_wants_a_key_is_described_so() {
    let closed = settings_with_keys(&["secret"]);
    for endpoint in Endpoint::ALL {
        let admitted = endpoint.admits(&closed, None);
        let open = operation(endpoint).get("security");
        assert_eq!(open.is_some(), admitted, "{endpoint:?}");
        assert!(open.is_none_or(|open| open == &Value::Array(Vec::new())));
    }
}

/// Calls `see` with every reference below `value`.
fn references(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::Object(block) => {
            if let Some(Value::String(reference)) = block.get("$ref") {
                see(reference);
            }
            block.values().for_each(|value| references(value, see));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, see)),
        _ => (),
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let mut used = BTreeSet::new();
    references(&DESCRIPTION, &mut |reference| {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(DESCRIPTION.pointer(pointer).is_some(), "{reference}");
        used.insert(reference.to_owned());
    });
    for kind in ["parameters", "headers", "responses", "schemas"] {
        for name in DESCRIPTION["components"][kind].as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(used.contains(&reference), "{reference} is not used");
        }
    }
}

#[test]
fn the_verdicts_are_those_of_the_program() {
    let described = &DESCRIPTION["components"]["schemas"]["Verdict"]["enum"];
    let labels: Vec<Value> = Verdict::ALL.iter().map(|v| v.label().into()).collect();
    assert_eq!(described, &Value::from(labels));
}

#[test]
fn it_is_served_without_a_key() {
    let server = Server::start();
    server.configure(settings_with_keys(&["secret"]));
    let page = server.get("/openapi.json").json();
    assert_eq!(page["openapi"], "3.1.0");
    assert_eq!(page["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(page["security"].as_array().unwrap().len(), 2);
}

#[test]
fn the_metrics_are_described_where_they_are_and_not_where_there_are_none() {
    let page = described(&settings());
    assert!(page["paths"]["/metrics"].is_object());
    assert!(page.get("security").is_none(), "no key is asked for");

    let mut moved = settings_with_keys(&["secret"]);
    moved.metrics.endpoint = "/internal/m".into();
    moved.metrics.require_key = true;
    let page = described(&moved);
    assert!(page["paths"].get("/metrics").is_none());
    assert!(page["paths"]["/internal/m"]["get"]["operationId"].is_string());
    assert!(
        page["paths"]["/internal/m"]["get"]
            .get("security")
            .is_none()
    );

    moved.metrics.enabled = false;
    let page = described(&moved);
    assert!(page["paths"].get("/internal/m").is_none());
}
