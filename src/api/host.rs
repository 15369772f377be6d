//! The `Host` that a request must have (RFC 9112, section 3.2). Pure.

use super::refusal::Refusal;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Version};

/// Refuses a request with several fields, one with none in HTTP/1.1, and one that names no host: who
/// stands in between may have taken it for another site's.
pub(super) fn check(head: &Parts) -> Result<(), Refusal> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let is_fit = match (hosts.next(), hosts.next()) {
        (None, _) => head.version < Version::HTTP_11,
        (Some(host), None) => is_host(host),
        (Some(_), Some(_)) => false,
    };
    is_fit.then_some(()).ok_or(Refusal::Host)
}

/// Whether it is empty, or a host with or without a port, and no user before it.
fn is_host(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    if bytes.is_empty() {
        return true;
    }
    let Ok(authority) = Authority::try_from(bytes) else {
        return false;
    };
    let Some(port) = authority.as_str().strip_prefix(authority.host()) else {
        return false;
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn check_hosts(version: Version, hosts: &[&[u8]]) -> Result<(), Refusal> {
        let mut request = Request::builder().uri("/health").version(version);
        for host in hosts {
            request = request.header(HOST, HeaderValue::from_bytes(host).unwrap());
        }
        check(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn one_host_is_right_and_in_http_1_0_none_is_too() {
        for host in [
            "localhost",
            "127.0.0.1:8083",
            "[::1]:8083",
            "[::1]",
            "a.example:",
            "xn--bcher-kva.example:80",
            "",
        ] {
            for version in [Version::HTTP_10, Version::HTTP_11] {
                let checked = check_hosts(version, &[host.as_bytes()]);
                assert_eq!(checked, Ok(()), "{host:?}");
            }
        }
        assert_eq!(check_hosts(Version::HTTP_10, &[]), Ok(()));
        assert_eq!(check_hosts(Version::HTTP_11, &[]), Err(Refusal::Host));
    }

    #[test]
    fn two_hosts_are_wrong_even_if_they_are_the_same() {
        for version in [Version::HTTP_10, Version::HTTP_11] {
            for hosts in [[&b"a"[..], b"b"], [b"a", b"a"], [b"", b""]] {
                assert_eq!(check_hosts(version, &hosts), Err(Refusal::Host));
            }
        }
    }

    #[test]
    fn what_is_no_host_is_wrong() {
        for host in [
            &b"a b"[..],
            b"a/b",
            b"http://a",
            b"a@b",
            b"u:p@b:80",
            b"a:b",
            b"a:80:80",
            b"a, b",
            b"\xff",
        ] {
            let checked = check_hosts(Version::HTTP_11, &[host]);
            assert_eq!(checked, Err(Refusal::Host), "{}", host.escape_ascii());
        }
    }
}
