//! Which web pages may read answers (the CORS protocol of the Fetch standard, section 3.2). Cookies
//! and the like are never allowed: a key is written into the request by whoever has it.

use super::answer::{Answer, TEXT};
use crate::config::Origins;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};

/// What a page may read beside the body.
const EXPOSED: &str = "ETag, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, \
                       RateLimit-Policy, X-Lease-Id, X-Lease-Expires, X-Snapshot-Generation, X-Snapshot-Age, \
                       X-Snapshot-Stale, X-Snapshot-Stale-Reason, X-Request-Id";
/// What a page may send beside what every page may.
const ACCEPTED: &str = "X-Api-Key, Content-Type, If-None-Match, X-Request-Id";
/// How long a browser remembers the answer to a preflight, in seconds.
const REMEMBERED_SECONDS: &str = "600";

/// The answer to a preflight for a route with these methods; `None`: it is none, or not from a page
/// that may ask.
pub(super) fn preflight(origins: &Origins, head: &Parts, methods: &'static str) -> Option<Answer> {
    let asks = head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if head.method != Method::OPTIONS || !asks {
        return None;
    }
    allowed(origins, &head.headers)?;
    let mut answer = Answer::new(StatusCode::NO_CONTENT, TEXT, "");
    answer.headers.clear();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_METHODS, methods),
        (ACCESS_CONTROL_ALLOW_HEADERS, ACCEPTED),
        (ACCESS_CONTROL_MAX_AGE, REMEMBERED_SECONDS),
    ] {
        answer.headers.insert(name, HeaderValue::from_static(value));
    }
    Some(answer)
}

/// Says in the headers of any answer who may read it.
pub(super) fn allow(origins: &Origins, asked: &HeaderMap, answered: &mut HeaderMap) {
    if let Origins::Only(_) = origins {
        // Also where this origin is not allowed: the next one may be.
        answered.append(VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(origin) = allowed(origins, asked) {
        answered.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static(EXPOSED);
        answered.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

/// What `Access-Control-Allow-Origin` says to who asks, if anything.
fn allowed(origins: &Origins, asked: &HeaderMap) -> Option<HeaderValue> {
    let origin = asked.get(ORIGIN)?;
    match origins {
        Origins::None => None,
        Origins::Every => Some(HeaderValue::from_static("*")),
        Origins::Only(known) => known
            .iter()
            .any(|known| known.as_bytes() == origin.as_bytes())
            .then(|| origin.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Settings;
    use crate::api::testing::{Reply, Server, settings, settings_with_keys};

    const PAGE: &str = "Origin: https://app.example\r\n";
    const PREFLIGHT: &str = "Origin: https://app.example\r\nAccess-Control-Request-Method: GET\r\n\
                             Access-Control-Request-Headers: x-api-key\r\n";

    fn only(origin: &str) -> Origins {
        Origins::Only([origin.into()].into())
    }

    fn server(origins: Origins) -> Server {
        let server = Server::with(&["http://1.1.1.1:80"]);
        let settings = Settings {
            cors_origins: origins,
            ..settings_with_keys(&["secret"])
        };
        server.configure(settings);
        server
    }

    fn told(reply: &Reply) -> Option<&str> {
        assert_eq!(reply.header("access-control-allow-credentials"), None);
        reply.header("access-control-allow-origin")
    }

    #[test]
    fn without_origins_nothing_is_said_and_options_is_405() {
        let server = Server::with(&["http://1.1.1.1:80"]);
        server.configure(settings());
        assert_eq!(told(&server.ask("GET", "/get-proxy", PAGE)), None);
        let reply = server.ask("OPTIONS", "/get-proxy", PREFLIGHT);
        assert_eq!((reply.status, told(&reply)), (405, None));
        assert_eq!(reply.header("vary"), None);
    }

    #[test]
    fn a_preflight_of_a_known_page_needs_no_key_and_names_the_methods_of_the_route() {
        for (origins, origin) in [
            (only("https://app.example"), "https://app.example"),
            (Origins::Every, "*"),
        ] {
            let server = server(origins);
            for (path, methods) in [("/get-proxy", "GET, HEAD"), ("/reload", "POST")] {
                let reply = server.ask("OPTIONS", path, PREFLIGHT);
                assert_eq!((reply.status, told(&reply)), (204, Some(origin)));
                let allowed = reply.header("access-control-allow-methods");
                assert_eq!(allowed, Some(methods));
                let headers = reply.header("access-control-allow-headers").unwrap();
                assert!(headers.contains("X-Api-Key"), "{headers}");
                assert_eq!(reply.header("access-control-max-age"), Some("600"));
                assert_eq!(reply.header("content-length"), None, "RFC 9110, 8.6");
            }
            let nowhere = server.ask("OPTIONS", "/nowhere", PREFLIGHT);
            assert_eq!(nowhere.status, 404);
        }
    }

    #[test]
    fn options_that_is_no_preflight_of_a_known_page_stays_405() {
        let server = server(only("https://other.example"));
        assert_eq!(server.ask("OPTIONS", "/get-proxy", PREFLIGHT).status, 405);
        let server = self::server(Origins::Every);
        assert_eq!(server.ask("OPTIONS", "/get-proxy", PAGE).status, 405);
        assert_eq!(server.ask("OPTIONS", "/get-proxy", "").status, 405);
    }

    #[test]
    fn a_page_reads_answers_and_refusals_and_what_the_headers_say() {
        let server = server(only("https://app.example"));
        let with_key = format!("{PAGE}X-Api-Key: secret\r\n");
        for (headers, status) in [(&*with_key, 200), (PAGE, 401)] {
            let reply = server.ask("GET", "/get-proxy", headers);
            assert_eq!(reply.status, status);
            assert_eq!(told(&reply), Some("https://app.example"));
            assert_eq!(reply.header("vary"), Some("Origin"));
            let exposed = reply.header("access-control-expose-headers").unwrap();
            assert!(exposed.contains("X-Snapshot-Generation"), "{exposed}");
        }
    }

    #[test]
    fn a_page_may_read_all_that_a_limit_says() {
        let server = Server::with(&["http://1.1.1.1:80"]);
        server.configure(Settings {
            cors_origins: Origins::Every,
            rate_limit_per_ip: std::num::NonZeroU32::new(10),
            ..settings()
        });
        for status in [200, 429] {
            let reply = server.ask("GET", "/get-proxy", PAGE);
            assert_eq!(reply.status, status);
            let exposed = reply.header("access-control-expose-headers").unwrap();
            let exposed: Vec<&str> = exposed.split(", ").collect();
            for name in ["Limit", "Remaining", "Reset", "Policy"] {
                let name = format!("RateLimit-{name}");
                assert!(reply.header(&name).is_some(), "{name}");
                assert!(exposed.contains(&&*name), "{name}: {exposed:?}");
            }
        }
    }

    #[test]
    fn another_page_is_told_nothing_but_that_it_depends_on_the_page() {
        let server = server(only("https://app.example"));
        for headers in [
            "",
            "Origin: null\r\n",
            "Origin: https://app.example.evil\r\n",
        ] {
            let reply = server.ask("GET", "/health", headers);
            assert_eq!((reply.status, told(&reply)), (200, None));
            assert_eq!(reply.header("access-control-expose-headers"), None);
            assert_eq!(reply.header("vary"), Some("Origin"));
        }
    }
}
