//! Every rule of fetching against a server on loopback whose answers are scripted.

mod files;
mod limits;
mod server;
mod together;

use super::*;
use crate::sources::parse::Format;
use proxy_shards::Scheme;
use server::{hang, reply, serve};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn aggregator() -> Aggregator {
    Aggregator {
        interval: Duration::from_secs(60),
        sources: Vec::new(),
        user_agent: "proxy-checker-test".into(),
        addresses: AddressPolicy::default(),
        source_timeout: Duration::from_secs(10),
        source_bytes_max: 1 << 20,
    }
}

fn web(address: SocketAddr, path: &str) -> Source {
    let url = format!("http://{address}{path}");
    Source {
        location: Location::Web(url.parse().unwrap()),
        url: url.into(),
        hint: Scheme::Auto,
        format: Format::Auto,
    }
}

fn file(path: impl Into<PathBuf>) -> Source {
    let path = path.into();
    Source {
        url: path.display().to_string().into(),
        location: Location::File(path),
        hint: Scheme::Auto,
        format: Format::Auto,
    }
}

/// The candidates, `304`, or the error.
fn told(result: Result<Fetched, FetchError>) -> Result<Vec<String>, FetchError> {
    result.map(|fetched| match fetched {
        Fetched::NotModified => vec!["304".to_owned()],
        Fetched::List(list) => list
            .candidates
            .iter()
            .map(|c| c.url().to_string())
            .collect(),
    })
}

async fn fetch_with(aggregator: &Aggregator, source: &Source) -> Result<Vec<String>, FetchError> {
    let fetcher = Fetcher::new(aggregator).unwrap();
    told(fetcher.fetch(source).await)
}

async fn fetch(source: &Source) -> Result<Vec<String>, FetchError> {
    fetch_with(&aggregator(), source).await
}

fn listed(urls: &[&str]) -> Result<Vec<String>, FetchError> {
    Ok(urls.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn a_list_is_fetched_and_parsed() {
    let address = serve(|request, stream| {
        assert!(
            request.head.contains("proxy-checker-test"),
            "{}",
            request.head
        );
        reply(
            stream,
            "200 OK",
            "",
            b"1.2.3.4:80\nsocks5://1.2.3.5:80\n10.0.0.1:80",
        );
    });
    let expected = listed(&["auto://1.2.3.4:80", "socks5://1.2.3.5:80"]);
    assert_eq!(fetch(&web(address, "/")).await, expected);
}

#[tokio::test]
async fn a_compressed_list_is_unpacked() {
    let address = serve(|request, stream| {
        assert!(request.head.contains("gzip"), "{}", request.head);
        let body = gzip(b"1.2.3.4:80\n");
        reply(stream, "200 OK", "Content-Encoding: gzip\r\n", &body);
    });
    assert_eq!(
        fetch(&web(address, "/")).await,
        listed(&["auto://1.2.3.4:80"])
    );
}

#[tokio::test]
async fn a_status_other_than_success_is_an_error() {
    let address = serve(|request, stream| {
        reply(
            stream,
            &format!("{} x", &request.path[1..]),
            "",
            b"1.2.3.4:80",
        );
    });
    for status in [300, 304, 404, 403, 429, 503] {
        let error = fetch(&web(address, &format!("/{status}"))).await;
        assert_eq!(error, Err(FetchError::Status(status)));
    }
}

#[tokio::test]
async fn redirects_are_followed_up_to_a_limit() {
    let address = serve(|request, stream| match &request.path[1..] {
        "0" => reply(stream, "200 OK", "", b"1.2.3.4:80"),
        "loop" => reply(stream, "302 Found", "Location: /loop\r\n", b""),
        "nowhere" => reply(stream, "302 Found", "", b""),
        n => {
            let next = format!("Location: {}\r\n", n.parse::<u32>().unwrap() - 1);
            reply(stream, "307 Temporary Redirect", &next, b"9.9.9.9:80");
        }
    });
    assert_eq!(
        fetch(&web(address, "/5")).await,
        listed(&["auto://1.2.3.4:80"])
    );
    assert_eq!(
        fetch(&web(address, "/6")).await,
        Err(FetchError::TooManyRedirects)
    );
    assert_eq!(
        fetch(&web(address, "/loop")).await,
        Err(FetchError::TooManyRedirects)
    );
    assert_eq!(
        fetch(&web(address, "/nowhere")).await,
        Err(FetchError::Status(302))
    );
}

#[tokio::test]
async fn the_web_cannot_redirect_to_a_file() {
    let address =
        serve(|_, stream| reply(stream, "302 Found", "Location: file:///etc/hosts\r\n", b""));
    let expected = FetchError::RedirectNotWeb("file:///etc/hosts".to_owned());
    assert_eq!(fetch(&web(address, "/")).await, Err(expected));
}

#[tokio::test]
async fn an_unchanged_list_is_not_sent_again() {
    let address = serve(|request, stream| {
        let known = match &request.path[..] {
            "/etag" => request.head.contains("if-none-match: \"7\""),
            _ => request.head.contains("if-modified-since: Wed, 01 May 2024"),
        };
        let headers = "ETag: \"7\"\r\nLast-Modified: Wed, 01 May 2024 12:30:00 GMT\r\n";
        match known {
            true => reply(stream, "304 Not Modified", "", b""),
            false => reply(stream, "200 OK", headers, b"1.2.3.4:80"),
        }
    });
    let fetcher = Fetcher::new(&aggregator()).unwrap();
    for path in ["/etag", "/date"] {
        let mut source = web(address, path);
        assert_eq!(
            told(fetcher.fetch(&source).await),
            listed(&["auto://1.2.3.4:80"])
        );
        assert_eq!(told(fetcher.fetch(&source).await), listed(&["304"]));
        // The same list under another hint is another list.
        source.hint = Scheme::Socks4;
        assert_eq!(
            told(fetcher.fetch(&source).await),
            listed(&["socks4://1.2.3.4:80"])
        );
    }
}

#[tokio::test]
async fn a_bad_list_is_not_remembered() {
    let address = serve(|request, stream| {
        assert!(!request.head.contains("if-none-match"), "{}", request.head);
        reply(
            stream,
            "200 OK",
            "ETag: \"7\"\r\n",
            b"<html>no proxies\x1b</html>",
        );
    });
    let fetcher = Fetcher::new(&aggregator()).unwrap();
    for _ in 0..2 {
        let error = fetcher.fetch(&web(address, "/")).await.unwrap_err();
        let text = error.to_string();
        let begin = "no proxy found in 24 bytes: it is a web page: open it in a browser";
        let end = "(first bytes: <html>no proxies\\x1b</html>; skipped: noise 1)";
        assert!(text.starts_with(begin) && text.ends_with(end), "{text}");
    }
}

#[tokio::test]
async fn an_empty_list_is_an_error() {
    let address = serve(|_, stream| reply(stream, "200 OK", "", b""));
    let error = fetch(&web(address, "/")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no proxy found in 0 bytes: the list is empty"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_as_such() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = fetch(&web(closed, "/list?key=secret")).await.unwrap_err();
    assert!(matches!(error, FetchError::Connect(_)), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("refused") && !text.contains("secret"),
        "{text}"
    );
}

#[tokio::test]
async fn without_root_certificates_only_https_fails() {
    let address = serve(|_, stream| reply(stream, "200 OK", "", b"1.2.3.4:80"));
    let addresses = AddressPolicy::default();
    let mut fetcher = Fetcher::new(&aggregator()).unwrap();
    let without_roots = || web::builder("test").tls_certs_only([]);
    let clients = web::clients(without_roots, &addresses).unwrap();
    fetcher.web = Arc::new(Web::with(clients, false, addresses));
    let mut source = web(address, "/");
    assert_eq!(
        told(fetcher.fetch(&source).await),
        listed(&["auto://1.2.3.4:80"])
    );
    source.location = Location::Web(format!("https://{address}/").parse().unwrap());
    assert_eq!(told(fetcher.fetch(&source).await), Err(FetchError::NoRoots));
}

/// What fetching `path` gives if everybody's address were public, as far as the first server goes.
async fn fetch_from_public(
    allow_private: bool,
    address: SocketAddr,
    path: &str,
) -> Result<Vec<String>, FetchError> {
    let addresses = AddressPolicy {
        allow_private,
        ..AddressPolicy::default()
    };
    let clients = web::clients(|| web::builder("test"), &addresses).unwrap();
    let mut client = Web::with(clients, true, addresses);
    client.is_public = |_| true;
    let mut fetcher = Fetcher::new(&aggregator()).unwrap();
    fetcher.web = Arc::new(client);
    told(fetcher.fetch(&web(address, path)).await)
}

#[tokio::test]
async fn a_public_server_cannot_lead_to_a_private_one_by_address_or_by_name() {
    let address = serve(|request, stream| {
        let port = stream.local_addr().unwrap().port();
        let host = match &request.path[..] {
            "/address" => "127.0.0.1",
            "/name" => "localhost",
            _ => return reply(stream, "200 OK", "", b"1.2.3.4:80"),
        };
        let location = format!("Location: http://{host}:{port}/list\r\n");
        reply(stream, "302 Found", &location, b"");
    });
    for path in ["/address", "/name"] {
        let refused = fetch_from_public(false, address, path).await.unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("which is not public"), "{path}: {text}");
        let expected = listed(&["auto://1.2.3.4:80"]);
        assert_eq!(
            fetch_from_public(true, address, path).await,
            expected,
            "{path}"
        );
    }
    // A private server may lead to another one: the operator trusts it.
    assert_eq!(
        fetch(&web(address, "/address")).await,
        listed(&["auto://1.2.3.4:80"])
    );
}

#[tokio::test]
async fn what_happens_behind_a_redirect_is_told_with_its_place_and_without_its_secrets() {
    let address = serve(|request, stream| match &request.path[..] {
        "/" => reply(
            stream,
            "302 Found",
            "Location: /login?session=TopSecret\r\n",
            b"",
        ),
        _ => reply(stream, "200 OK", "", b"<!doctype html>who are you?"),
    });
    let text = fetch(&web(address, "/")).await.unwrap_err().to_string();
    let begin = format!("after 1 redirect, at http://{address}/login?session=***: no proxy found");
    assert!(text.starts_with(&begin), "{text}");
    assert!(text.contains("it is a web page"), "{text}");
}
