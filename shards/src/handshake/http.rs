//! The requests of a plain HTTP probe: absolute-form to a proxy, origin-form through a tunnel.

use crate::Credentials;
use crate::judge::{NONCE_CHARS, Nonce};
use crate::policy::ProbePolicy;
use crate::target::{Demand, Target};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::rc::Rc;

/// What every request begins with.
const METHOD: &str = "GET ";

/// Where the nonce goes into a request, until it is filled in.
const PLACEHOLDER: &[u8; NONCE_CHARS] = b"00000000000000000000000000000000";

/// A request that is made once for all conversations, or as a template for them.
pub(crate) struct Request {
    bytes: Rc<[u8]>,
    /// Where the nonce stands in it, if a judge is asked.
    nonce_at: Option<usize>,
}

impl Request {
    /// The request to an HTTP proxy for an `http` target (RFC 9112, section 3.2.2).
    pub(crate) fn absolute_form(policy: &ProbePolicy, target: &Target) -> Request {
        Request::new(policy, target, &format!("http://{}", target.authority))
    }

    /// The request to the target itself (RFC 9112, section 3.2.1).
    pub(crate) fn origin_form(policy: &ProbePolicy, target: &Target) -> Request {
        Request::new(policy, target, "")
    }

    fn new(policy: &ProbePolicy, target: &Target, origin: &str) -> Request {
        let path = &target.path;
        if !matches!(target.demand, Demand::Judge(_)) {
            return Request {
                bytes: get(policy, target, &format!("{origin}{path}")),
                nonce_at: None,
            };
        }
        let mark = if path.contains('?') { '&' } else { '?' };
        let before = format!("{origin}{path}{mark}nonce=");
        let placeholder = String::from_utf8_lossy(PLACEHOLDER);
        Request {
            bytes: get(policy, target, &format!("{before}{placeholder}")),
            nonce_at: Some(METHOD.len() + before.len()),
        }
    }

    /// The request with `nonce` filled in; the shared one itself if there is no judge.
    pub(crate) fn with(&self, nonce: &Nonce) -> Rc<[u8]> {
        let Some(at) = self.nonce_at else {
            return Rc::clone(&self.bytes);
        };
        let (before, behind) = (&self.bytes[..at], &self.bytes[at + nonce.len()..]);
        [before, nonce, behind].concat().into()
    }

    /// The shared request, with a placeholder where a nonce belongs.
    pub(crate) fn shared(&self) -> &Rc<[u8]> {
        &self.bytes
    }
}

/// `request` with `Proxy-Authorization: Basic` (RFC 7617) as its last field. Without credentials it
/// is the shared request itself.
pub(crate) fn authorized(request: &Rc<[u8]>, credentials: Option<&Credentials>) -> Rc<[u8]> {
    let Some(Credentials { user, password }) = credentials else {
        return Rc::clone(request);
    };
    let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
    let fields = request.strip_suffix(b"\r\n").unwrap_or(request);
    let last = format!("Proxy-Authorization: Basic {pair}\r\n\r\n");
    [fields, last.as_bytes()].concat().into()
}

fn get(policy: &ProbePolicy, target: &Target, request_target: &str) -> Rc<[u8]> {
    let host = &target.authority;
    let user_agent = &policy.user_agent;
    // `no-cache`: the answer of a proxy's cache says nothing about the way to the target.
    // `identity`: what is compared with the expectation is what the target sent.
    let request = format!(
        "{METHOD}{request_target} HTTP/1.1\r\n\
         Host: {host}\r\n\
         User-Agent: {user_agent}\r\n\
         Accept: */*\r\n\
         Accept-Encoding: identity\r\n\
         Cache-Control: no-cache\r\n\
         Connection: close\r\n\
         \r\n"
    );
    request.into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicyOptions;

    fn policy(url: &str) -> ProbePolicy {
        ProbePolicy::new(PolicyOptions {
            targets: vec![url.into()],
            user_agent: "probe/1".into(),
            ..PolicyOptions::default()
        })
        .unwrap()
    }

    fn absolute_form_of(policy: &ProbePolicy) -> Rc<[u8]> {
        Rc::clone(Request::absolute_form(policy, &policy.targets[0]).shared())
    }

    fn text(request: &[u8]) -> String {
        String::from_utf8(request.to_vec()).unwrap()
    }

    fn credentials(user: &str, password: &str) -> Credentials {
        Credentials {
            user: user.into(),
            password: password.into(),
        }
    }

    #[test]
    fn the_request_line_has_the_form_that_its_reader_needs() {
        let first_lines = |url| {
            let policy = policy(url);
            [
                Request::absolute_form(&policy, &policy.targets[0]),
                Request::origin_form(&policy, &policy.targets[0]),
            ]
            .map(|request| {
                text(request.shared())
                    .lines()
                    .take(2)
                    .collect::<Vec<_>>()
                    .join("|")
            })
        };
        assert_eq!(
            first_lines("http://a.example:8080/x?y"),
            [
                "GET http://a.example:8080/x?y HTTP/1.1|Host: a.example:8080",
                "GET /x?y HTTP/1.1|Host: a.example:8080"
            ]
        );
        assert_eq!(
            first_lines("http://[2001:db8::1]"),
            [
                "GET http://[2001:db8::1]/ HTTP/1.1|Host: [2001:db8::1]",
                "GET / HTTP/1.1|Host: [2001:db8::1]"
            ]
        );
    }

    #[test]
    fn a_request_is_one_well_formed_head() {
        let request = absolute_form_of(&policy("http://a.example/"));
        let mut fields = [httparse::EMPTY_HEADER; 16];
        let mut parsed = httparse::Request::new(&mut fields);
        let whole = httparse::Status::Complete(request.len());
        assert_eq!(parsed.parse(&request), Ok(whole));
        let field = |name| {
            parsed
                .headers
                .iter()
                .find(|h| h.name == name)
                .unwrap()
                .value
        };
        assert_eq!(field("Connection"), b"close");
        assert_eq!(field("User-Agent"), b"probe/1");
        assert_eq!(field("Accept-Encoding"), b"identity");
    }

    #[test]
    fn credentials_are_the_last_field_and_change_nothing_else() {
        let plain = absolute_form_of(&policy("http://a.example/"));
        let asked = authorized(&plain, Some(&credentials("Aladdin", "open sesame")));
        let expected = text(&plain).trim_end().to_owned()
            + "\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n";
        assert_eq!(text(&asked), expected);
    }

    #[test]
    fn without_credentials_the_shared_request_is_sent() {
        let plain = absolute_form_of(&policy("http://a.example/"));
        assert!(Rc::ptr_eq(&plain, &authorized(&plain, None)));
    }

    #[test]
    fn line_breaks_in_credentials_do_not_make_fields() {
        let plain = absolute_form_of(&policy("http://a.example/"));
        let asked = authorized(&plain, Some(&credentials("a\r\nX: y", "\r\n\r\n")));
        assert_eq!(
            text(&asked).lines().count(),
            text(&plain).lines().count() + 1
        );
    }

    #[test]
    fn a_judge_is_asked_with_a_nonce_and_others_are_not() {
        use crate::target::{Secret, TargetOptions};
        let nonce = b"00112233445566778899aabbccddeeff";
        for (url, absolute, origin) in [
            ("http://j.example/", "http://j.example/?nonce=", "/?nonce="),
            (
                "http://j.example/j?x=1",
                "http://j.example/j?x=1&nonce=",
                "/j?x=1&nonce=",
            ),
        ] {
            let policy = ProbePolicy::new(PolicyOptions {
                targets: vec![TargetOptions {
                    judge: Secret::new(&[7; 16]),
                    ..url.into()
                }],
                ..PolicyOptions::default()
            })
            .unwrap();
            let target = &policy.targets[0];
            for (request, form) in [
                (Request::absolute_form(&policy, target), absolute),
                (Request::origin_form(&policy, target), origin),
            ] {
                let text = text(&request.with(nonce));
                let line = format!("GET {form}00112233445566778899aabbccddeeff HTTP/1.1");
                assert_eq!(text.lines().next(), Some(&*line));
                assert!(text.ends_with("Connection: close\r\n\r\n"));
                assert!(!Rc::ptr_eq(&request.with(nonce), request.shared()));
            }
        }
        let plain = policy("http://a.example/");
        let request = Request::origin_form(&plain, &plain.targets[0]);
        assert!(Rc::ptr_eq(&request.with(nonce), request.shared()));
    }
}
