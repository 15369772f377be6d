//! The rows.

use super::Deed::{self, *};
use super::Entry::{self, *};
use super::{Login, Row, Scheme, Speaks};

const fn row(
    label: &'static str,
    (speaks, scheme, login): (Speaks, Scheme, Login),
    entry: Entry,
    deed: Deed,
    meaning: &'static str,
) -> Row {
    Row {
        label,
        meaning,
        speaks,
        scheme,
        login,
        entry,
        deed,
    }
}

/// Speaks it and is listed as it, without credentials.
const HTTP: (Speaks, Scheme, Login) = (Speaks::Http, Scheme::Http, Login::None);
const HTTPS: (Speaks, Scheme, Login) = (Speaks::Https, Scheme::Https, Login::None);
const SOCKS4: (Speaks, Scheme, Login) = (Speaks::Socks4, Scheme::Socks4, Login::None);
const SOCKS5: (Speaks, Scheme, Login) = (Speaks::Socks5, Scheme::Socks5, Login::None);
const MIXED: (Speaks, Scheme, Login) = (Speaks::Mixed, Scheme::Http, Login::None);

type Kind = (Speaks, Scheme, Login);

const fn with(login: Login, (speaks, scheme, _): Kind) -> Kind {
    (speaks, scheme, login)
}

const fn listed(scheme: Scheme, (speaks, _, login): Kind) -> Kind {
    (speaks, scheme, login)
}

/// A deed is done in every protocol; the others have their protocol.
macro_rules! rows {
    ($($name:literal $deed:ident $meaning:literal)* ; $($other:expr)*) => {
        &[
            $(
                row($name, HTTP, Usual, $deed, $meaning),
                row(concat!("https_", $name), HTTPS, Usual, $deed, $meaning),
                row(concat!("socks4_", $name), SOCKS4, Usual, $deed, $meaning),
                row(concat!("socks5_", $name), SOCKS5, Usual, $deed, $meaning),
                row(concat!("mixed_", $name), MIXED, Usual, $deed, $meaning),
            )*
            $($other,)*
        ]
    };
}

#[rustfmt::skip] // a table: a kind of proxy a line
pub(in crate::farm) const ROWS: &[Row] = rows! {
    "late"            Late           "forwards, but thinks for 1.5 s before the answer"
    "own_page"        OwnPage        "200 and a page of its own, whatever is asked; in clear text where TLS was begun"
    "bad_gateway"     BadGateway     "502 to every request"
    "forbidden"       Forbidden      "403 to every request"
    "redirects"       Redirects      "302 to a login page"
    "mute"            Mute           "takes the request and never answers"
    "drips"           Drips          "a byte a second of a head that never ends"
    "endless_headers" EndlessHeaders "header lines for ever, as fast as they are read"
    "endless_body"    EndlessBody    "200 and then a body for ever, as fast as it is read"
    "interims"        Interims       "100 Continue for ever, as fast as it is read"
    "bad_chunks"      BadChunks      "200 and chunks that are none"
    "bomb"            Bomb           "200 and a terabyte of gzip announced"
    "escapes"         Escapes        "terminal escapes in the status line"
    "version_9"       Version9       "a status line of HTTP/9.9"
    "garbage"         Garbage        "answers with bytes that are no protocol"
    "resets"          Resets         "answers the request with RST"
    "closes"          Closes         "answers the request with FIN"
    "half"            Half           "FIN in the middle of the answer's head"
    "tampers"         Tampers        "forwards, and changes a byte of each body; of each record in TLS"
    "transparent"     Transparent    "forwards, and tells the target the client's address in header fields"
    "anonymous"       Anonymous      "forwards, and tells the target in a header field that it is a proxy"
    "imitates_judge"  ImitatesJudge  "forwards, but answers in a judge's place with a page that only looks like it"
    "intercepts"      Intercepts     "forwards, but ends TLS with a certificate of its own authority"
    "expired"         Expired        "forwards, but ends TLS with a certificate that has expired"
    "wrong_name"      WrongName      "forwards, but ends TLS with a certificate for another name"
    "self_signed"     SelfSigned     "forwards, but ends TLS with a certificate that nobody signed"
    ;
    row("forwards", HTTP, Usual, Forwards, "an HTTP proxy as it should be, CONNECT included")
    row("https", HTTPS, Usual, Forwards, "the same behind TLS")
    row("socks4", SOCKS4, Usual, Forwards, "a SOCKS 4 and 4a proxy")
    row("socks5", SOCKS5, Usual, Forwards, "a SOCKS 5 proxy that wants no credentials, and takes user:pass")
    row("mixed", MIXED, Usual, Forwards, "an HTTP and SOCKS 5 proxy on one port")

    row("forwards_auth", with(Login::Right, HTTP), Entry::Login, Forwards, "forwards for user:pass, which the list gives")
    row("forwards_auth_bare", HTTP, Entry::Login, Forwards, "forwards for user:pass, listed without credentials")
    row("forwards_auth_wrong", with(Login::Wrong, HTTP), Entry::Login, Forwards, "forwards for user:pass, listed with a wrong password")
    row("https_auth", with(Login::Right, HTTPS), Entry::Login, Forwards, "the same behind TLS, with credentials")
    row("https_auth_bare", HTTPS, Entry::Login, Forwards, "the same behind TLS, without credentials")
    row("https_auth_wrong", with(Login::Wrong, HTTPS), Entry::Login, Forwards, "the same behind TLS, with a wrong password")
    row("socks5_auth", with(Login::Right, SOCKS5), Entry::Login, Forwards, "a SOCKS 5 proxy that wants user:pass, which the list gives")
    row("socks5_auth_bare", SOCKS5, Entry::Login, Forwards, "a SOCKS 5 proxy that wants user:pass, listed without")
    row("socks5_auth_wrong", with(Login::Wrong, SOCKS5), Entry::Login, Forwards, "a SOCKS 5 proxy that wants user:pass, listed with a wrong password")
    row("socks4_user", with(Login::Right, SOCKS4), Usual, Forwards, "a SOCKS 4 proxy that is given a user name and ignores it")
    row("asks_auth", HTTP, TakesNobody, Forwards, "407 to every request, whatever the credentials")
    row("https_asks_auth", HTTPS, TakesNobody, Forwards, "the same behind TLS")
    row("asks_auth_again", with(Login::Right, HTTP), TakesNobody, Forwards, "407 also to the credentials of its list")
    row("socks5_no_method", SOCKS5, TakesNobody, Forwards, "a SOCKS 5 proxy that accepts no method")
    row("get_only", HTTP, GetOnly, Forwards, "forwards, but refuses CONNECT")
    row("https_get_only", HTTPS, GetOnly, Forwards, "the same behind TLS")
    row("connect_only", HTTP, ConnectOnly, Forwards, "opens tunnels, and refuses every other method")
    row("https_connect_only", HTTPS, ConnectOnly, Forwards, "the same behind TLS")

    row("socks5_fails", SOCKS5, Code(1), Forwards, "SOCKS 5 reply 1: general failure")
    row("socks5_denies", SOCKS5, Code(2), Forwards, "SOCKS 5 reply 2: not allowed by ruleset")
    row("socks5_no_network", SOCKS5, Code(3), Forwards, "SOCKS 5 reply 3: network unreachable")
    row("socks5_no_host", SOCKS5, Code(4), Forwards, "SOCKS 5 reply 4: host unreachable")
    row("socks5_refused", SOCKS5, Code(5), Forwards, "SOCKS 5 reply 5: connection refused")
    row("socks5_ttl", SOCKS5, Code(6), Forwards, "SOCKS 5 reply 6: TTL expired")
    row("socks5_no_command", SOCKS5, Code(7), Forwards, "SOCKS 5 reply 7: command not supported")
    row("socks5_no_type", SOCKS5, Code(8), Forwards, "SOCKS 5 reply 8: address type not supported")
    row("socks5_odd_code", SOCKS5, Code(0x5b), Forwards, "SOCKS 5 reply 91, which is none")
    row("socks4_rejects", SOCKS4, Code(0x5b), Forwards, "SOCKS 4 reply 91: rejected or failed")
    row("socks4_no_identd", SOCKS4, Code(0x5c), Forwards, "SOCKS 4 reply 92: no identd at the client")
    row("socks4_other_user", SOCKS4, Code(0x5d), Forwards, "SOCKS 4 reply 93: identd names another user")
    row("socks4_odd_code", SOCKS4, Code(0), Forwards, "SOCKS 4 reply 0, which is none")
    row("socks4_half_reply", SOCKS4, HalfReply, Forwards, "FIN in the middle of the SOCKS 4 reply")
    row("socks5_half_reply", SOCKS5, HalfReply, Forwards, "FIN in the middle of the SOCKS 5 reply")
    row("socks4_other_version", SOCKS4, OtherVersion, Forwards, "a SOCKS 4 reply with version 4, which must be 0")
    row("socks5_other_version", SOCKS5, OtherVersion, Forwards, "a SOCKS 5 reply with version 4")
    row("socks5_bound_name", SOCKS5, Bound(3), Forwards, "a SOCKS 5 proxy that tells a host name as its bound address")
    row("socks5_bound_v6", SOCKS5, Bound(4), Forwards, "a SOCKS 5 proxy that tells an IPv6 address as its bound address")

    row("refuses", HTTP, Refuses, Forwards, "nobody listens: the SYN is answered with RST")
    row("https_refuses", HTTPS, Refuses, Forwards, "the same, listed as https")
    row("socks4_refuses", SOCKS4, Refuses, Forwards, "the same, listed as SOCKS 4")
    row("socks5_refuses", SOCKS5, Refuses, Forwards, "the same, listed as SOCKS 5")
    row("silent", HTTP, Silent, Forwards, "the connection stands in the kernel's queue and is never served")
    row("socks4_silent", SOCKS4, Silent, Forwards, "the same, listed as SOCKS 4")
    row("socks5_silent", SOCKS5, Silent, Forwards, "the same, listed as SOCKS 5")
    row("black_hole", HTTP, BlackHole, Forwards, "the SYN is dropped")
    row("https_black_hole", HTTPS, BlackHole, Forwards, "the same, listed as https")
    row("socks4_black_hole", SOCKS4, BlackHole, Forwards, "the same, listed as SOCKS 4")
    row("socks5_black_hole", SOCKS5, BlackHole, Forwards, "the same, listed as SOCKS 5")
    row("closes_at_once", HTTP, ClosesAtOnce, Forwards, "sends FIN as soon as the connection stands")
    row("https_closes_at_once", HTTPS, ClosesAtOnce, Forwards, "the same, listed as https")
    row("socks4_closes_at_once", SOCKS4, ClosesAtOnce, Forwards, "the same, listed as SOCKS 4")
    row("socks5_closes_at_once", SOCKS5, ClosesAtOnce, Forwards, "the same, listed as SOCKS 5")

    row("https_as_http", listed(Scheme::Http, HTTPS), Usual, Forwards, "an HTTP proxy behind TLS listed as a plain one")
    row("socks4_as_http", listed(Scheme::Http, SOCKS4), Usual, Forwards, "a SOCKS 4 proxy listed as an HTTP one")
    row("socks5_as_http", listed(Scheme::Http, SOCKS5), Usual, Forwards, "a SOCKS 5 proxy listed as an HTTP one")
    row("http_as_https", listed(Scheme::Https, HTTP), Usual, Forwards, "a plain HTTP proxy listed as https")
    row("socks4_as_https", listed(Scheme::Https, SOCKS4), Usual, Forwards, "a SOCKS 4 proxy listed as https")
    row("http_as_socks4", listed(Scheme::Socks4, HTTP), Usual, Forwards, "an HTTP proxy listed as a SOCKS 4 one")
    row("https_as_socks4", listed(Scheme::Socks4, HTTPS), Usual, Forwards, "an HTTP proxy behind TLS listed as a SOCKS 4 one")
    row("socks5_as_socks4", listed(Scheme::Socks4, SOCKS5), Usual, Forwards, "a SOCKS 5 proxy listed as a SOCKS 4 one")
    row("http_as_socks5", listed(Scheme::Socks5, HTTP), Usual, Forwards, "an HTTP proxy listed as a SOCKS 5 one")
    row("https_as_socks5", listed(Scheme::Socks5, HTTPS), Usual, Forwards, "an HTTP proxy behind TLS listed as a SOCKS 5 one")
    row("socks4_as_socks5", listed(Scheme::Socks5, SOCKS4), Usual, Forwards, "a SOCKS 4 proxy listed as a SOCKS 5 one")
    row("mixed_as_socks5", listed(Scheme::Socks5, MIXED), Usual, Forwards, "an HTTP and SOCKS 5 proxy listed as a SOCKS 5 one")
};
