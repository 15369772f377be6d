//! Clients that are slow, many, or talk nonsense: they keep nobody else out.

use super::*;
use proxy_shards::preflight;

/// Asks from `ip` and demands a page well before any timeout of the others.
fn a_good_client_is_served(judge: &Running, ip: IpAddr) {
    let started = Instant::now();
    let mut client = connect_from(ip, judge.address);
    let request = format!("GET /?nonce={NONCE} HTTP/1.1\r\nHost: t\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
    assert_eq!(Reply::read(client).body, format!("{NONCE} {ip}\n"));
    assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
}

/// So many clients that send half a head, from so many addresses.
fn half_open(judge: &Running, count: usize, addresses: u8) -> Vec<TcpStream> {
    preflight::raise_nofile();
    let of = |nth: usize| [127, 0, 1, 1 + (nth % usize::from(addresses)) as u8];
    (0..count)
        .map(|nth| {
            let mut client = connect_from(of(nth).into(), judge.address);
            // It may have given way already.
            let _ = client.write_all(b"GET /?nonce=00112233 HTTP/1.1\r\nHost: ");
            client
        })
        .collect()
}

#[test]
fn two_thousand_half_sent_heads_from_one_address_do_not_keep_it_out() {
    let judge = Running::within(Limits {
        connections_per_origin_max: 64,
        ..roomy()
    });
    let clients = half_open(&judge, 2_000, 1);
    a_good_client_is_served(&judge, [127, 0, 1, 1].into());
    a_good_client_is_served(&judge, [127, 0, 0, 1].into());
    let gave_way = judge.judge.state().counts.gave_way;
    assert!((1_936..=1_937).contains(&gave_way), "{gave_way}");
    drop(clients);
}

#[test]
fn two_thousand_half_sent_heads_from_many_addresses_keep_nobody_out() {
    let judge = Running::within(Limits {
        connections_max: 200,
        connections_per_origin_max: 64,
        ..roomy()
    });
    let clients = half_open(&judge, 2_000, 100);
    a_good_client_is_served(&judge, [127, 0, 0, 1].into());
    let gave_way = judge.judge.state().counts.gave_way;
    assert_eq!(gave_way, 1_801);
    assert!(is_closed_by_server(clients.into_iter().next().unwrap()));
}

#[test]
fn slow_heads_and_slow_bodies_are_closed_in_time() {
    let judge = Running::within(Limits {
        head_timeout: Duration::from_millis(100),
        exchange_timeout: Duration::from_millis(300),
        ..roomy()
    });
    let silent = judge.connect();
    let mut half = judge.connect();
    half.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
    let mut body = judge.connect();
    let head = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n1234";
    body.write_all(head).unwrap();
    for client in [silent, half, body] {
        assert!(is_closed_by_server(client));
    }
    assert_eq!(judge.get().status, 200);
    assert_eq!(judge.judge.state().counts.timed_out, 3);
}

#[test]
fn a_head_that_comes_byte_by_byte_for_ever_is_closed_too() {
    let judge = Running::within(Limits {
        head_timeout: Duration::from_millis(100),
        ..roomy()
    });
    let mut client = judge.connect();
    let started = Instant::now();
    let drip = b"GET / HTTP/1.1\r\nX: "
        .iter()
        .chain(std::iter::repeat(&b'x'));
    let sent = drip
        .take_while(|byte| {
            // The kernel paces it: a byte is sent when a peek has waited its time.
            let _ = client.set_read_timeout(Some(Duration::from_millis(5)));
            let waits =
                matches!(client.peek(&mut [0]), Err(e) if e.kind() == ErrorKind::WouldBlock);
            waits && client.write_all(&[**byte]).is_ok() && started.elapsed() < PATIENCE
        })
        .count();
    assert!(started.elapsed() < PATIENCE, "{sent} bytes were taken");
}

#[test]
fn a_head_above_the_limit_is_refused() {
    let judge = Running::start();
    let line = format!("X-Long: {}\r\n", "x".repeat(20_000));
    assert_eq!(judge.ask("GET /", &line).status, 431);
    let start = format!("GET /?nonce={}", "0".repeat(20_000));
    assert!([414, 431].contains(&judge.ask(&start, "").status));
    assert_eq!(judge.ask("GET /", &"X: y\r\n".repeat(200)).status, 431);
    let fits = format!("Via: {}\r\n", "v".repeat(10_000));
    let reply = judge.ask(&format!("GET /?nonce={NONCE}"), &fits);
    assert_eq!(reply.status, 200);
}

#[test]
fn what_is_not_http_is_closed_and_the_judge_goes_on() {
    let judge = Running::start();
    let requests: [&[u8]; 9] = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        b"\x05\x01\0",
        b"\x04\x01\0\x50\x01\x02\x03\x04\0",
        b"GET\r\n\r\n",
        b"GET /\xff\xfe?\x01 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"\0\0\0\0\0\0\0\0",
    ];
    for request in requests {
        let mut client = judge.connect();
        client.write_all(request).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(is_closed_by_server(client), "{}", request.escape_ascii());
    }
    assert_eq!(judge.get().status, 200);
}

#[test]
fn requests_with_bytes_at_random_end_and_the_judge_goes_on() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let judge = Running::start();
    let request = format!(
        "GET http://j.test/?nonce={NONCE} HTTP/1.1\r\nHost: j.test\r\n\
         X-Forwarded-For: 1.2.3.4, ::1\r\nVia: 1.1 p\r\nContent-Length: 3\r\n\r\nabc"
    );
    for _ in 0..300 {
        let mut bytes = request.clone().into_bytes();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        let mut client = judge.connect();
        // It may have been refused before its end.
        let _ = client.write_all(&bytes[..random.usize(1..=bytes.len())]);
        let _ = client.shutdown(std::net::Shutdown::Write);
        assert!(is_closed_by_server(client), "seed {seed}");
    }
    assert_eq!(judge.get().status, 200, "seed {seed}");
}
