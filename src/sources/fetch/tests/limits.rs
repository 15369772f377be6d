//! Lists that are too slow, too long or not whole.

use super::*;

#[tokio::test]
async fn a_slow_drip_is_cut_by_the_time_limit() {
    let address = serve(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n1.2.3.4:80\n");
        stream
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        // A byte now and then, until the client closes.
        while stream.read(&mut [0]).is_err() && stream.write_all(b"#").is_ok() {}
    });
    let limits = Aggregator {
        source_timeout: Duration::from_millis(400),
        ..aggregator()
    };
    let Err(FetchError::TimedOut {
        after,
        bytes,
        found,
    }) = fetch_with(&limits, &web(address, "/")).await
    else {
        panic!("not timed out");
    };
    assert_eq!((after, found), (limits.source_timeout, 1));
    assert!(bytes >= 11, "{bytes}");
}

#[tokio::test]
async fn a_body_over_the_size_limit_is_not_used_and_says_what_it_held() {
    let address = serve(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\n\r\n1.2.3.4:80\n1.2.3.5:80\n";
        let _ = stream.write_all(head);
        while stream.write_all(&[b'#'; 4096]).is_ok() {} // without an end
    });
    let error = fetch(&web(address, "/")).await.unwrap_err();
    let expected = FetchError::TooLarge {
        bytes_max: 1 << 20,
        found: 2,
    };
    assert_eq!(error, expected);
}

#[tokio::test]
async fn a_body_of_exactly_the_size_limit_is_used() {
    let address = serve(|_, stream| reply(stream, "200 OK", "", b"1.2.3.4:80"));
    let limits = Aggregator {
        source_bytes_max: 10,
        ..aggregator()
    };
    let source = web(address, "/");
    assert_eq!(
        fetch_with(&limits, &source).await,
        listed(&["auto://1.2.3.4:80"])
    );
    let limits = Aggregator {
        source_bytes_max: 9,
        ..aggregator()
    };
    let error = fetch_with(&limits, &source).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_gzip_bomb_is_cut_by_what_it_unpacks_to() {
    let mut list = b"1.2.3.4:80\n".to_vec();
    list.resize(16 << 20, b'\n');
    let bomb = gzip(&list);
    assert!(bomb.len() < 1 << 16, "{}", bomb.len());
    let address = serve(move |_, stream| {
        reply(stream, "200 OK", "Content-Encoding: gzip\r\n", &bomb);
    });
    let error = fetch(&web(address, "/")).await.unwrap_err();
    let expected = FetchError::TooLarge {
        bytes_max: 1 << 20,
        found: 1,
    };
    assert_eq!(error, expected);
}

#[tokio::test]
async fn a_list_that_breaks_off_is_not_used() {
    let address = serve(|request, stream| {
        let _ = match &request.path[..] {
            "/length" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n1.2.3.4:80\n")
            }
            "/gzip" => {
                let whole = gzip(b"1.2.3.4:80\n");
                let half = &whole[..whole.len() / 2];
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
                    .and_then(|()| stream.write_all(half))
            }
            "/size" => stream.write_all(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n1.2.3.4:80",
            ),
            "/no-gzip" => stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n1.2.3.4:80\n1.2.3.5:8",
            ),
            _ => stream.write_all(b"\x1b[2Jthis is not HTTP\r\n\r\n"),
        };
    });
    for (path, expected) in [
        ("/length", "the answer broke off"),
        ("/gzip", "the answer broke off"),
        ("/size", "the answer cannot be understood"),
        ("/no-gzip", "the answer cannot be understood"),
        ("/noise", "the answer cannot be understood"),
    ] {
        let text = fetch(&web(address, path)).await.unwrap_err().to_string();
        assert!(text.starts_with(expected), "{path}: {text}");
        assert!(!text.contains('\x1b'));
    }
}

#[tokio::test]
async fn what_unpacks_without_a_pause_is_cut_by_the_time_limit_all_the_same() {
    let mut list = Vec::new();
    list.resize(256 << 20, b'\n');
    let bomb = gzip(&list);
    let address = serve(move |_, stream| {
        reply(stream, "200 OK", "Content-Encoding: gzip\r\n", &bomb);
    });
    let limits = Aggregator {
        source_timeout: Duration::from_millis(100),
        source_bytes_max: 1 << 30,
        ..aggregator()
    };
    let error = fetch_with(&limits, &web(address, "/")).await.unwrap_err();
    assert!(matches!(error, FetchError::TimedOut { .. }), "{error}");
}
