use super::*;

const TRUTH: &str = r#"{"proxy":"http://127.4.0.0:1","behaviour":"forwards","verdicts":["alive"],"protocols":["http"],"exit":"127.4.0.0","anonymity":"elite"}
{"proxy":"http://user:pass@127.8.0.0:1","behaviour":"late","verdicts":["alive"],"latency_ms_min":1500}
{"proxy":"http://127.44.0.0:1","behaviour":"own_page","verdicts":["own_page"]}
{"proxy":"127.45.0.0:1","behaviour":"silent","verdicts":["handshake_timeout","response_timeout"]}
"#;

fn compare(lines: &[&str]) -> Comparison {
    Comparison::of(TRUTH.as_bytes(), lines.join("\n").as_bytes()).expect("readable")
}

const FORWARDS: &str = r#"{"proxy":"http://127.4.0.0:1","verdict":"alive","protocols":["http"],"exit":"127.4.0.0","anonymity":"elite","latency_ms":2}"#;
const LATE: &str = r#"{"proxy":"http://127.8.0.0:1","verdict":"alive","latency_ms":1600}"#;
const OWN_PAGE: &str = r#"{"proxy":"http://127.44.0.0:1","verdict":"own_page","more":[]}"#;
const SILENT: &str = r#"{"proxy":"auto://127.45.0.0:1","verdict":"response_timeout"}"#;

#[test]
fn results_in_any_order_that_say_the_truth_are_exact() {
    let found = compare(&[OWN_PAGE, SILENT, LATE, FORWARDS]);
    assert!(found.is_exact(), "{found}");
    assert_eq!((found.proxies, found.alive, found.found), (4, 2, 2));
    assert!(found.timing().to_string().contains("forwards"));
    assert!(!found.to_string().contains('!'), "{found}");
}

#[test]
fn a_proxy_falsely_alive_is_told_with_its_behaviour() {
    let alive = OWN_PAGE.replace("own_page", "alive");
    let found = compare(&[&alive, SILENT, LATE, FORWARDS]);
    assert!(!found.holds());
    assert_eq!((found.wrong_verdicts(), found.false_alive.count), (1, 1));
    let text = found.to_string();
    assert!(text.contains("http://127.44.0.0:1 (own_page)"), "{text}");
    assert!(text.contains("! own_page was given alive: 1"), "{text}");
}

#[test]
fn a_dead_proxy_with_another_verdict_is_wrong_but_no_breach() {
    let found = compare(&[
        &OWN_PAGE.replace("own_page", "closed"),
        SILENT,
        LATE,
        FORWARDS,
    ]);
    assert!(found.holds() && !found.is_exact(), "{found}");
}

#[test]
fn a_proxy_that_works_must_be_found() {
    let found = compare(&[OWN_PAGE, SILENT, LATE, &FORWARDS.replace("alive", "closed")]);
    assert_eq!((found.false_dead.count, found.holds()), (1, false));
}

#[test]
fn what_another_proxy_earned_is_a_wrong_owner() {
    let exit = FORWARDS.replace("\"exit\":\"127.4.0.0\"", "\"exit\":\"127.4.0.1\"");
    let found = compare(&[OWN_PAGE, SILENT, LATE, &exit]);
    assert_eq!((found.wrong_owner.count, found.holds()), (1, false));
    let without = FORWARDS.replace("\"exit\":\"127.4.0.0\",", "");
    assert_eq!(compare(&[&without]).wrong_owner.count, 1);
    let found = compare(&[OWN_PAGE, SILENT, &LATE.replace("1600", "3"), FORWARDS]);
    assert_eq!((found.wrong_owner.count, found.holds()), (1, false));
}

#[test]
fn protocols_and_anonymity_must_be_those_that_are() {
    let protocols = FORWARDS.replace("[\"http\"]", "[\"http\",\"socks5\"]");
    let found = compare(&[OWN_PAGE, SILENT, LATE, &protocols]);
    assert_eq!((found.wrong_protocols.count, found.is_exact()), (1, false));
    let found = compare(&[
        OWN_PAGE,
        SILENT,
        LATE,
        &FORWARDS.replace("elite", "anonymous"),
    ]);
    assert_eq!((found.wrong_anonymity.count, found.holds()), (1, false));
}

#[test]
fn the_missing_the_doubled_and_the_unknown_are_breaches() {
    let found = compare(&[SILENT, LATE, FORWARDS]);
    assert_eq!((found.missing.count, found.holds()), (1, false));
    let found = compare(&[OWN_PAGE, OWN_PAGE, SILENT, LATE, FORWARDS]);
    assert_eq!((found.doubled.count, found.holds()), (1, false));
    let stranger = OWN_PAGE.replace("127.44.0.0", "127.44.0.9");
    let found = compare(&[&stranger, OWN_PAGE, SILENT, LATE, FORWARDS]);
    assert_eq!((found.unknown.count, found.holds()), (1, false));
}

#[test]
fn another_scheme_than_the_listed_one_is_another_proxy() {
    let other = OWN_PAGE.replace("http://", "socks5://");
    let found = compare(&[&other, SILENT, LATE, FORWARDS]);
    assert_eq!((found.unknown.count, found.missing.count), (1, 1));
}
