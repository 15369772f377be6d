//! Which limit holds for whom, over a time that the tests tell.

use super::*;
use crate::api::testing::settings;
use crate::properties::cases;
use proptest::collection::vec;
use proptest::prelude::*;

fn client(address: &str, key: Option<u8>) -> Client {
    let key = key.map(|byte| [byte; 32]);
    Client::at(address.parse().unwrap(), key)
}

fn limited(per_minute: Option<u32>, per_ip: Option<u32>) -> Settings {
    Settings {
        rate_limit_per_minute: per_minute.and_then(NonZeroU32::new),
        rate_limit_per_ip: per_ip.and_then(NonZeroU32::new),
        ..settings()
    }
}

/// How many of a thousand requests at once pass, and what the next one exceeds.
fn passed(rates: &Rates, client: &Client, settings: &Settings) -> (usize, Option<Limit>) {
    let ask = || rates.take(client, settings, rates.since);
    let passed = (0..1_000).take_while(|_| ask().is_ok()).count();
    (passed, ask().err().map(|exceeded| exceeded.limit))
}

#[test]
fn without_limits_everything_passes_and_nothing_is_told() {
    let rates = Rates::new(Instant::now());
    let settings = limited(None, None);
    let client = client("192.0.2.1", Some(1));
    assert_eq!(passed(&rates, &client, &settings), (1_000, None));
    assert_eq!(rates.take(&client, &settings, rates.since), Ok(None));
}

#[test]
fn a_tenth_of_a_minutes_worth_comes_at_once_and_at_least_one() {
    for (per_ip, at_once) in [(1, 1), (9, 1), (10, 1), (19, 1), (20, 2), (100, 10)] {
        let rates = Rates::new(Instant::now());
        let settings = limited(None, Some(per_ip));
        let passed = passed(&rates, &client("192.0.2.1", None), &settings);
        assert_eq!(passed, (at_once, Some(Limit::Address)), "{per_ip}");
    }
}

#[test]
fn an_address_is_counted_whatever_key_it_shows_and_a_v6_one_by_its_64() {
    let rates = Rates::new(Instant::now());
    let settings = limited(None, Some(50));
    let exhausted = (0, Some(Limit::Address));
    let ask = |address, key| passed(&rates, &client(address, key), &settings);
    assert_eq!(ask("192.0.2.1", None), (5, Some(Limit::Address)));
    assert_eq!(ask("192.0.2.1", Some(1)), exhausted);
    assert_eq!(ask("::ffff:192.0.2.1", None), exhausted);
    assert_eq!(ask("192.0.2.2", None).0, 5);
    assert_eq!(ask("2001:db8::1", None).0, 5);
    assert_eq!(ask("2001:db8::ffff:2", None), exhausted);
    assert_eq!(ask("2001:db8:0:1::1", None).0, 5);
}

#[test]
fn a_key_is_counted_wherever_it_comes_from_and_no_key_is_not() {
    let rates = Rates::new(Instant::now());
    let settings = limited(Some(70), None);
    let ask = |address, key| passed(&rates, &client(address, key), &settings);
    assert_eq!(ask("192.0.2.1", Some(1)), (7, Some(Limit::Key)));
    assert_eq!(ask("192.0.2.2", Some(1)), (0, Some(Limit::Key)));
    assert_eq!(ask("192.0.2.2", Some(2)).0, 7);
    assert_eq!(ask("192.0.2.2", None), (1_000, None));
}

#[test]
fn of_two_limits_the_one_that_leaves_less_is_told_and_the_first_that_is_exceeded() {
    let rates = Rates::new(Instant::now());
    let settings = limited(Some(30), Some(50));
    let one = client("192.0.2.1", Some(1));
    let told = rates.take(&one, &settings, rates.since).unwrap().unwrap();
    assert_eq!((told.per_minute, told.left), (30, 2));
    assert_eq!(passed(&rates, &one, &settings), (2, Some(Limit::Key)));
    // Refusals for the key took the address's last tokens.
    assert_eq!(passed(&rates, &one, &settings), (0, Some(Limit::Address)));
    // And an address that is at its limit takes nothing from the key.
    let elsewhere = client("192.0.2.2", Some(2));
    assert_eq!(passed(&rates, &client("192.0.2.2", None), &settings).0, 5);
    assert_eq!(passed(&rates, &elsewhere, &settings).0, 0);
    assert_eq!(
        passed(&rates, &client("192.0.2.3", Some(2)), &settings).0,
        3
    );
}

#[test]
fn who_is_told_when_to_come_again_by_one_limit_is_not_turned_away_by_the_other_then() {
    let rates = Rates::new(Instant::now());
    let settings = limited(Some(60), Some(2)); // six at once with a key, one at once from an address
    let of = |address: &str| client(address, Some(1));
    for nth in 1..=6 {
        let from = of(&format!("192.0.2.{nth}"));
        assert!(rates.take(&from, &settings, rates.since).is_ok());
    }
    let exceeded = rates.take(&of("192.0.2.7"), &settings, rates.since);
    let exceeded = exceeded.unwrap_err();
    assert_eq!(exceeded.limit, Limit::Key);
    assert_eq!(exceeded.retry_in, Duration::from_secs(30));
    let then = rates.since + exceeded.retry_in;
    assert!(rates.take(&of("192.0.2.7"), &settings, then).is_ok());
}

#[test]
fn other_limits_are_in_force_at_once_and_the_same_ones_forget_nothing() {
    let rates = Rates::new(Instant::now());
    let one = client("192.0.2.1", None);
    assert_eq!(passed(&rates, &one, &limited(None, Some(50))).0, 5);
    assert_eq!(passed(&rates, &one, &limited(Some(9), Some(50))).0, 0);
    assert_eq!(passed(&rates, &one, &limited(None, Some(60))).0, 6);
    assert_eq!(passed(&rates, &one, &limited(None, None)).0, 1_000);
}

#[test]
fn ten_wrong_keys_a_minute_and_address_and_others_are_not_touched() {
    let rates = Rates::new(Instant::now());
    let wrong = |address: &str, after| {
        rates
            .key_failed(
                address.parse().unwrap(),
                rates.since + Duration::from_secs(after),
            )
            .is_ok()
    };
    assert_eq!((0..100).filter(|_| wrong("2001:db8::1", 0)).count(), 10);
    assert!(!wrong("2001:db8::2", 5), "the same /64");
    assert!(wrong("2001:db8:0:1::", 5));
    assert!(wrong("2001:db8::2", 6) && !wrong("2001:db8::2", 6));
}

#[test]
fn headers_are_whole_seconds_rounded_up() {
    let rates = Rates::new(Instant::now());
    let settings = limited(None, Some(25));
    let one = client("192.0.2.1", None);
    let ask = || rates.take(&one, &settings, rates.since);
    let told = ask().unwrap().unwrap();
    let mut headers = HeaderMap::new();
    told.describe(&mut headers);
    let shown = |headers: &HeaderMap, name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(shown(&headers, "ratelimit-limit"), "2");
    assert_eq!(shown(&headers, "ratelimit-remaining"), "1");
    assert_eq!(shown(&headers, "ratelimit-reset"), "3"); // 2.4 s
    assert_eq!(shown(&headers, "ratelimit-policy"), "25;w=60;burst=2");
    assert!(!headers.contains_key("retry-after"));
    ask().unwrap();
    ask().unwrap_err().describe(&mut headers);
    assert_eq!(shown(&headers, "ratelimit-remaining"), "0");
    assert_eq!(shown(&headers, "ratelimit-reset"), "5"); // 4.8 s
    assert_eq!(shown(&headers, "retry-after"), "3");
    assert!(!headers.contains_key("connection"));
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn whoever_waits_as_long_as_the_answer_says_is_let_in_by_that_limit_and_after_a_keys_by_all(
        per_key in proptest::option::of(1..300u32),
        per_ip in proptest::option::of(1..300u32),
        requests in vec((1..4u8, 1..3u8, 0..4_000u64), 1..60),
    ) {
        let rates = Rates::new(Instant::now());
        let settings = limited(per_key, per_ip);
        let mut now = rates.since;
        for (address, key, pause_ms) in requests {
            now += Duration::from_millis(pause_ms);
            let from = client(&format!("192.0.2.{address}"), Some(key));
            let Err(exceeded) = rates.take(&from, &settings, now) else {
                continue;
            };
            let mut headers = HeaderMap::new();
            exceeded.describe(&mut headers);
            let wait: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
            now += Duration::from_secs(wait);
            // What a key has left is not looked at where the address has nothing.
            let again = rates.take(&from, &settings, now).map_err(|again| again.limit);
            let is_let_in = again.is_ok() || exceeded.limit == Limit::Address && again == Err(Limit::Key);
            prop_assert!(is_let_in, "after {wait} s: {exceeded:?}, {again:?}");
        }
    }
}
