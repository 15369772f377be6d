//! Reads the judge's page: is it sealed, is it ours, and what does it give away?

use super::{Anonymity, Exit, Nonce, format};
use crate::Verdict;
use crate::rule::Rule;
use crate::target::Secret;
use memchr::memmem;
use ring::hmac;
use std::net::{IpAddr, Ipv4Addr};

/// What is known of a judge before it answers.
pub(crate) struct Reader {
    key: hmac::Key,
    /// Our own addresses; empty while they are not known.
    own: Box<[IpAddr]>,
}

impl Reader {
    /// Reads pages sealed with `secret`, as one whose addresses are `own`.
    pub(crate) fn new(secret: &Secret, own: &[IpAddr]) -> Reader {
        Reader {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.bytes()),
            own: own.iter().map(IpAddr::to_canonical).collect(),
        }
    }

    /// What the `page` says that answered a request with `nonce`; `whole`: it is all of the body.
    ///
    /// # Errors
    /// `tampered` if it was a page of the judge for us, `own_page` if it never was one. A sealed page
    /// for another nonce is a page that was kept: whoever sent it, it was not the judge, now.
    pub(crate) fn read(&self, nonce: &Nonce, page: &[u8], whole: bool) -> Result<Exit, Rule> {
        let sealed = self.sealed(page).filter(|_| whole);
        let Some(lines) = sealed else {
            return Err(match names(page, nonce) {
                true => Rule::Told(
                    Verdict::Tampered,
                    "the page has our nonce, but it is not as the judge sealed it",
                ),
                false => Rule::own_page("the page is not one of the judge"),
            });
        };
        let read = || {
            let mut lines = lines.lines();
            let said = lines.next()?.strip_prefix(format::NONCE)?;
            let ip = lines.next()?.strip_prefix(format::PEER)?.parse().ok()?;
            let anonymity = self.anonymity(ip, lines);
            Some((said, Exit { ip, anonymity }))
        };
        match read() {
            Some((said, exit)) if said.as_bytes() == nonce => Ok(exit),
            Some(_) => Err(Rule::own_page(
                "the judge sealed this page for another nonce",
            )),
            None => Err(Rule::own_page(
                "the judge's page has a format that we do not know",
            )),
        }
    }

    /// What stands between the fixed parts of a page whose seal is right.
    fn sealed<'a>(&self, page: &'a [u8]) -> Option<&'a str> {
        let rest = page.strip_suffix(format::END.as_bytes())?;
        let at = rest.len().checked_sub(format::SEAL_CHARS)?;
        let (sealed, digits) = rest.split_at(at);
        let seal = bytes_of(digits)?;
        hmac::verify(&self.key, sealed, &seal).ok()?;
        let lines = sealed.strip_prefix(format::START.as_bytes())?;
        let lines = lines.strip_suffix(format::SEAL.as_bytes())?;
        str::from_utf8(lines).ok()
    }

    /// What the forwarding fields in `lines` give away. While our own addresses are not known, any
    /// address in them but the proxy's is taken for ours.
    fn anonymity<'a>(&self, exit: IpAddr, lines: impl Iterator<Item = &'a str>) -> Anonymity {
        let mut anonymity = match self.own.contains(&exit) {
            true => Anonymity::Transparent,
            false => Anonymity::Elite,
        };
        for line in lines {
            let field = line.strip_prefix(format::FIELD).unwrap_or_default();
            let Some((_, value)) = field.split_once(": ") else {
                continue;
            };
            let ours = |ip: IpAddr| match &*self.own {
                [] => ip != exit,
                own => own.contains(&ip),
            };
            let level = match addresses(value).any(ours) {
                true => Anonymity::Transparent,
                false => Anonymity::Anonymous,
            };
            if (level as u8) < anonymity as u8 {
                anonymity = level;
            }
        }
        anonymity
    }
}

/// Whether `page` has the line that the judge writes for `nonce`.
fn names(page: &[u8], nonce: &Nonce) -> bool {
    let line = [format::NONCE.as_bytes(), nonce].concat();
    memmem::find(page, &line).is_some()
}

/// The bytes that lower-case hexadecimal `digits` stand for: a seal has one form.
fn bytes_of(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let pair = |pair: &[u8]| Some(value(pair[0])? << 4 | value(pair[1])?);
    digits.chunks_exact(2).map(pair).collect()
}

/// The addresses that stand in a field, with or without brackets and ports.
fn addresses(value: &str) -> impl Iterator<Item = IpAddr> {
    let within = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
    value.split(move |c| !within(c)).filter_map(|word| {
        let without_port = || word.split_once(':')?.0.parse::<Ipv4Addr>().ok();
        let ip = word
            .parse()
            .ok()
            .or_else(|| without_port().map(IpAddr::V4))?;
        Some(ip.to_canonical())
    })
}

#[cfg(test)]
mod tests;
