//! The requests of a plain HTTP probe: absolute-form to a proxy, origin-form through a tunnel.

use crate::Credentials;
use crate::policy::ProbePolicy;
use crate::target::Target;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::rc::Rc;

/// The request to an HTTP proxy for an `http` target (RFC 9112, section 3.2.2).
pub(crate) fn absolute_form(policy: &ProbePolicy, target: &Target) -> Rc<[u8]> {
    get(
        policy,
        target,
        &format!("http://{}{}", target.authority, target.path),
    )
}

/// The request to the target itself (RFC 9112, section 3.2.1).
pub(crate) fn origin_form(policy: &ProbePolicy, target: &Target) -> Rc<[u8]> {
    get(policy, target, &target.path)
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
        "GET {request_target} HTTP/1.1\r\n\
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
        absolute_form(policy, &policy.targets[0])
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
                absolute_form(&policy, &policy.targets[0]),
                origin_form(&policy, &policy.targets[0]),
            ]
            .map(|request| text(&request).lines().take(2).collect::<Vec<_>>().join("|"))
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
}
