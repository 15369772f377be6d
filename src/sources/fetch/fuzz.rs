//! What a web server may answer: where it sends us to, and how much it says.

use super::body::Body;
use super::error::FetchError;
use super::web::{Guide, next_hop};
use crate::sources::address::AddressPolicy;
use crate::sources::parse::{Format, Parser, Reading};
use proxy_shards::Scheme;
use std::net::IpAddr;
use url::{Host, Url};

/// A `Location`: it leads to the web, and to no address that who sent it may not lead to.
pub(crate) fn redirect(location: &[u8]) {
    let from = Url::parse("https://lists.example/a/b.txt?c=d").expect("a URL");
    let addresses = AddressPolicy::default();
    for guide in Guide::ALL {
        match next_hop(&from, location, guide, &addresses) {
            Ok(url) => {
                assert!(matches!(url.scheme(), "http" | "https"), "{url}");
                let ip = match url.host() {
                    Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
                    Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
                    _ => None,
                };
                let bounds = guide.bounds(&addresses);
                let allows = |ip| bounds.as_ref().is_none_or(|bounds| bounds.allows(ip));
                assert!(ip.is_none_or(allows), "{url}");
            }
            Err(why) => check_told(&why),
        }
    }
}

/// A list, of which so many bytes are allowed as its first says: no more of it is read.
pub(crate) fn body(bytes: &[u8]) {
    let (most, size) = match bytes {
        [most, size, ..] => (8 * u64::from(*most), 1 + usize::from(*size)),
        _ => (1, 1),
    };
    let reading = Reading {
        hint: Scheme::Auto,
        format: Format::Auto,
        addresses: AddressPolicy::default(),
    };
    let mut body = Body::new(Parser::new(reading), most);
    let mut pieces = bytes.chunks(size);
    let ended = match pieces.try_for_each(|piece| body.push(piece)) {
        Ok(()) => body.finish(),
        Err(why) => Err(why),
    };
    let is_long = bytes.len() as u64 > most;
    match ended {
        Ok(parsed) => assert!(!is_long && parsed.bytes == bytes.len() as u64),
        Err(why) => {
            assert_eq!(matches!(why, FetchError::TooLarge { .. }), is_long);
            check_told(&why);
        }
    }
}

/// It is one line of bounded length.
fn check_told(why: &FetchError) {
    let text = why.to_string();
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(text.len() < 2_048, "{} bytes", text.len());
}
