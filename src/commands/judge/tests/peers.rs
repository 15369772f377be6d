//! Who asked, and how often it may.

use super::*;

#[test]
fn an_address_above_its_rate_is_told_when_to_come_back_and_others_are_served() {
    let judge = Running::within(Limits {
        rate_per_minute: 5,
        ..roomy()
    });
    let statuses: Vec<u16> = (0..8).map(|_| judge.get().status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429, 429]);
    let reply = judge.get();
    reply.is_refusal(429, "Rate limit exceeded");
    let secs: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=12).contains(&secs), "{secs}");
    let mut other = connect_from([127, 0, 0, 2].into(), judge.address);
    let request = format!("GET /?nonce={NONCE} HTTP/1.1\r\nHost: t\r\n\r\n");
    other.write_all(request.as_bytes()).unwrap();
    let reply = Reply::read(other);
    assert_eq!(reply.body, format!("{NONCE} 127.0.0.2\n"));
    assert_eq!(judge.judge.state().counts.limited, 4);
}

#[test]
fn what_is_refused_counts_against_the_rate_too() {
    let judge = Running::within(Limits {
        rate_per_minute: 3,
        ..roomy()
    });
    let statuses: Vec<u16> = ["POST /", "GET /", "HEAD /", "GET /", "POST /"]
        .map(|start| judge.ask(start, "").status)
        .into();
    assert_eq!(statuses, [405, 400, 405, 429, 429]);
}

#[test]
fn behind_a_trusted_proxy_the_last_hop_is_the_peer_and_has_its_own_rate() {
    let limits = Limits {
        rate_per_minute: 2,
        connections_per_origin_max: 1,
        ..roomy()
    };
    let judge = Running::trusting(&["127.0.0.0/8"], limits);
    let ask = |hops: &str| {
        let lines = format!("X-Forwarded-For: {hops}\r\n");
        judge.ask(&format!("GET /?nonce={NONCE}"), &lines)
    };
    let told = format!("{NONCE} 203.0.113.5\nx-forwarded-for: 8.8.8.8\n");
    assert_eq!(ask("8.8.8.8, 203.0.113.5").body, told);
    assert_eq!(ask("203.0.113.5").body, format!("{NONCE} 203.0.113.5\n"));
    assert_eq!(ask("203.0.113.5").status, 429);
    assert_eq!(ask("203.0.113.6").status, 200);
    // One origin's bound does not hold for those who come through it.
    let (_first, _second) = (judge.connect(), judge.connect());
    assert_eq!(ask("2001:db8::7").body, format!("{NONCE} 2001:db8::7\n"));
    ask("unknown").is_refusal(
        500,
        "The reverse proxy does not say in X-Forwarded-For who asks",
    );
    assert_eq!(judge.judge.state().counts.unattributed, 1);
}

#[test]
fn without_a_trusted_proxy_a_hop_is_only_a_field() {
    let reply = Running::start().ask(
        &format!("GET /?nonce={NONCE}"),
        "X-Forwarded-For: 203.0.113.5\r\n",
    );
    let told = format!("{NONCE} 127.0.0.1\nx-forwarded-for: 203.0.113.5\n");
    assert_eq!(reply.body, told);
}
