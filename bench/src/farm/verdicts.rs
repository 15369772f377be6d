//! What a checker must find: the verdict of a conversation in each protocol, and of all together.
//! Written from the RFCs and the words of the verdicts, not from the checker.

use super::aim::{Aim, Listing};
use super::table::{Deed, Entry, Login, Row, Speaks, Tongue};

const ALIVE: &str = "alive";
const BAD_PROTOCOL: &str = "bad_protocol";

/// How a conversation comes to the target.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// An HTTP proxy is given the target's URL.
    Absolute,
    /// An HTTP proxy is asked for a tunnel.
    Connect,
    /// A SOCKS proxy always tunnels.
    Socks,
}

fn way(tongue: Tongue, aim: Aim) -> Way {
    match tongue {
        Tongue::Socks4 | Tongue::Socks5 => Way::Socks,
        Tongue::Http | Tongue::Https if aim.is_tls() || aim == Aim::Tunnel => Way::Connect,
        Tongue::Http | Tongue::Https => Way::Absolute,
    }
}

/// The verdicts that are right for a proxy of this kind: one, unless several protocols are tried
/// and end in different failures of which none says more than the others.
pub(super) fn of(row: &Row, aim: Aim, listing: Listing) -> Vec<&'static str> {
    let tried = tried(row, listing).iter();
    let mut verdicts: Vec<_> = tried.map(|tongue| by(row, *tongue, aim)).collect();
    let most = verdicts.iter().map(|verdict| says(verdict)).max();
    verdicts.retain(|verdict| Some(says(verdict)) == most);
    verdicts.sort_unstable();
    verdicts.dedup();
    verdicts
}

/// How much a verdict says: that a protocol is not spoken is what trying all of them must find,
/// silence and lost connections say little, and everything else is what the proxy did.
fn says(verdict: &str) -> u8 {
    match verdict {
        ALIVE => 3,
        BAD_PROTOCOL => 0,
        "refused" | "reset" | "closed" => 1,
        "connect_timeout" | "handshake_timeout" | "response_timeout" => 1,
        _ => 2,
    }
}

/// The protocols by which it is alive.
pub(super) fn protocols(row: &Row, aim: Aim, listing: Listing) -> Vec<&'static str> {
    let alive = |tongue: &&Tongue| by(row, **tongue, aim) == ALIVE;
    let tried = tried(row, listing).iter();
    tried.filter(alive).map(|tongue| tongue.label()).collect()
}

/// What a judge sees of the client behind the proxy.
pub(super) fn anonymity(row: &Row, aim: Aim) -> Option<&'static str> {
    match (aim, row.deed) {
        (Aim::Judge, Deed::Transparent) => Some("transparent"),
        (Aim::Judge, Deed::Anonymous) => Some("anonymous"),
        // Nothing can be added to what is said in TLS.
        (Aim::Judge | Aim::JudgeTls, _) => Some("elite"),
        _ => None,
    }
}

fn tried(row: &Row, listing: Listing) -> &'static [Tongue] {
    match listing {
        Listing::Schemed => row.scheme.tongues(),
        Listing::Auto => &Tongue::ALL,
    }
}

/// The verdict of one conversation.
fn by(row: &Row, tongue: Tongue, aim: Aim) -> &'static str {
    let way = way(tongue, aim);
    let deed = || deed(row.deed, way, aim);
    match (row.entry, tongue) {
        (Entry::Refuses, _) => "refused",
        (Entry::BlackHole, _) => "connect_timeout",
        _ if aim == Aim::ConnectOnly => ALIVE,
        (Entry::Silent, Tongue::Http) if way == Way::Absolute => "response_timeout",
        (Entry::Silent, _) => "handshake_timeout",
        (Entry::ClosesAtOnce, _) => "closed",
        _ if !row.speaks.tongues().contains(&tongue) => foreign(row.speaks, tongue),
        (Entry::Usual | Entry::Bound(_), _) => deed(),
        (Entry::Login, _) if row.login == Login::Right => deed(),
        (Entry::Login | Entry::TakesNobody, _) => "auth_required",
        (Entry::GetOnly, _) if way == Way::Absolute => deed(),
        (Entry::GetOnly, _) => "denied",
        (Entry::ConnectOnly, _) if way == Way::Absolute => "wrong_status",
        (Entry::ConnectOnly, _) => deed(),
        (Entry::Code(0x5c | 0x5d), Tongue::Socks4) => "auth_required",
        (Entry::Code(0), Tongue::Socks4) => BAD_PROTOCOL,
        (Entry::Code(_), _) => "denied",
        (Entry::HalfReply, _) => "closed",
        (Entry::OtherVersion, _) => BAD_PROTOCOL,
    }
}

/// Who is spoken to in a protocol that it does not know answers in its own.
fn foreign(speaks: Speaks, tongue: Tongue) -> &'static str {
    match (speaks, tongue) {
        // A record of TLS begins with five bytes; a greeting has three or four, so both wait.
        (Speaks::Https, Tongue::Socks5) => "handshake_timeout",
        _ => BAD_PROTOCOL,
    }
}

/// The verdict on what a proxy does once it knows what is asked of it.
fn deed(deed: Deed, way: Way, aim: Aim) -> &'static str {
    use Deed as D;
    if way == Way::Connect && !deed.needs_target() {
        return connect(deed);
    }
    let secure = aim.is_tls();
    match deed {
        D::Forwards | D::Late | D::Transparent | D::Anonymous => ALIVE,
        D::Intercepts | D::Expired | D::WrongName | D::SelfSigned if secure => "tls_intercepted",
        D::Intercepts | D::Expired | D::WrongName | D::SelfSigned => ALIVE,
        D::ImitatesJudge if secure => "tls_intercepted",
        D::ImitatesJudge if aim == Aim::Judge => "tampered",
        D::ImitatesJudge => ALIVE,
        D::Tampers if secure || aim == Aim::Judge => "tampered",
        D::Tampers if aim == Aim::KnownBody => "own_page",
        D::Tampers => ALIVE,
        // Clear text where TLS was begun.
        D::OwnPage | D::Garbage if secure => BAD_PROTOCOL,
        D::OwnPage => "own_page",
        D::BadGateway | D::Forbidden => "wrong_status",
        D::Redirects => "redirected",
        D::Mute if secure => "handshake_timeout",
        D::Mute | D::Drips => "response_timeout",
        D::EndlessHeaders | D::Interims => "too_large",
        // The status decides at the head where no body is expected.
        D::EndlessBody | D::Bomb | D::BadChunks if !wants_body(aim) => "own_page",
        D::EndlessBody | D::Bomb => "too_large",
        D::BadChunks | D::Garbage | D::Escapes | D::Version9 => BAD_PROTOCOL,
        D::Resets => "reset",
        D::Closes | D::Half => "closed",
    }
}

fn wants_body(aim: Aim) -> bool {
    aim == Aim::KnownBody || aim.is_judge()
}

/// The verdict on what an HTTP proxy does to a CONNECT that it does not grant.
fn connect(deed: Deed) -> &'static str {
    use Deed as D;
    match deed {
        D::BadGateway | D::Forbidden | D::Redirects => "denied",
        D::Mute | D::Drips => "handshake_timeout",
        D::EndlessHeaders | D::Interims => "too_large",
        D::Resets => "reset",
        D::Closes | D::Half => "closed",
        // A tunnel is silent until it is spoken into; these are 200, and then speak.
        _ => BAD_PROTOCOL,
    }
}

#[cfg(test)]
mod tests {
    use super::super::behaviour::Behaviour;
    use super::*;

    fn check(label: &str, aim: Aim, listing: Listing, expected: &[&str]) {
        let behaviour = Behaviour::from_label(label).expect(label);
        let verdicts = behaviour.verdicts(aim, listing);
        assert_eq!(verdicts, expected, "{label} {aim:?} {listing:?}");
    }

    #[test]
    fn a_proxy_that_is_listed_with_a_scheme_has_one_right_verdict() {
        for behaviour in Behaviour::ALL {
            for aim in Aim::ALL {
                let verdicts = behaviour.verdicts(aim, Listing::Schemed);
                assert_eq!(verdicts.len(), 1, "{behaviour:?} {aim:?}: {verdicts:?}");
            }
        }
    }

    #[test]
    fn the_aim_decides_what_a_wrong_answer_is() {
        let check = |label, aim, expected| check(label, aim, Listing::Schemed, &[expected]);
        check("endless_body", Aim::NoContent, "own_page");
        check("endless_body", Aim::KnownBody, "too_large");
        check("endless_body", Aim::Https, "bad_protocol");
        check("bad_gateway", Aim::Https, "denied");
        check("socks5_bad_gateway", Aim::Https, "wrong_status");
        check("intercepts", Aim::NoContent, "alive");
        check("intercepts", Aim::Https, "tls_intercepted");
        check("get_only", Aim::Judge, "alive");
        check("get_only", Aim::Tunnel, "denied");
        check("own_page", Aim::ConnectOnly, "alive");
        check("refuses", Aim::ConnectOnly, "refused");
    }

    #[test]
    fn without_a_scheme_what_a_proxy_speaks_is_found_out() {
        let listing = Listing::Auto;
        check("socks5_as_http", Aim::NoContent, listing, &["alive"]);
        check("socks5_denies", Aim::NoContent, listing, &["denied"]);
        check("mixed_garbage", Aim::NoContent, listing, &["bad_protocol"]);
        check(
            "https_garbage",
            Aim::NoContent,
            listing,
            &["handshake_timeout"],
        );
        let silence = ["handshake_timeout", "response_timeout"];
        check("silent", Aim::NoContent, listing, &silence);
        let protocols = |label: &str, listing| {
            let behaviour = Behaviour::from_label(label).expect(label);
            behaviour.protocols(Aim::NoContent, listing)
        };
        assert_eq!(protocols("mixed", Listing::Auto), ["http", "socks5"]);
        assert_eq!(protocols("mixed", Listing::Schemed), ["http"]);
        assert_eq!(protocols("http_as_https", Listing::Schemed), ["http"]);
    }

    #[test]
    fn headers_are_seen_in_clear_text_only() {
        let seen = |aim| Behaviour::Transparent.anonymity(aim);
        assert_eq!(seen(Aim::Judge), Some("transparent"));
        assert_eq!(seen(Aim::JudgeTls), Some("elite"));
        assert_eq!(seen(Aim::NoContent), None);
    }
}
