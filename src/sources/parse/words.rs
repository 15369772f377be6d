//! Protocols as columns and words name them: `HTTPS`, `SOCKS4/5`, `http, socks 5`.

use proxy_shards::Scheme;

/// Protocols in the order in which they were named, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Schemes {
    named: Vec<Scheme>,
    /// A protocol was named that no proxy of ours speaks.
    foreign: bool,
}

/// Protocols that lists name and that are none of ours.
const FOREIGN: &[&str] = &[
    "anytls",
    "ftp",
    "hysteria",
    "hysteria2",
    "mtproto",
    "openvpn",
    "shadowsocks",
    "ss",
    "ssh",
    "ssr",
    "trojan",
    "tuic",
    "vless",
    "vmess",
    "wireguard",
];

impl Schemes {
    /// Reads what a protocol column holds. Words that are no protocol (`elite`, `yes`) say nothing.
    pub(super) fn read(&mut self, text: &str) {
        let mut socks = false; // the word before was `socks`
        for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
            let version = word.trim_start_matches(['v', 'V']);
            match version {
                "" => continue,
                "4" | "4a" if socks => self.add(Scheme::Socks4),
                "5" | "5h" if socks => self.add(Scheme::Socks5),
                _ => {
                    socks = starts_with(word, "socks");
                    self.read_word(word);
                }
            }
        }
    }

    fn read_word(&mut self, word: &str) {
        let foreign = FOREIGN.iter().any(|name| word.eq_ignore_ascii_case(name));
        self.foreign |= foreign;
        match Scheme::from_label(word) {
            _ if word.eq_ignore_ascii_case("socks") => {} // the number behind it decides
            Some(Scheme::Auto) | None => {}
            Some(scheme) => self.add(scheme),
        }
    }

    /// Adds one.
    pub(super) fn add(&mut self, scheme: Scheme) {
        if !self.named.contains(&scheme) {
            self.named.push(scheme);
        }
    }

    /// What was named.
    pub(super) fn named(&self) -> &[Scheme] {
        &self.named
    }

    /// Whether only protocols were named that no proxy of ours speaks.
    pub(super) fn are_foreign(&self) -> bool {
        self.foreign && self.named.is_empty()
    }
}

fn starts_with(word: &str, start: &str) -> bool {
    let head = word.as_bytes().get(..start.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Scheme::{Http, Https, Socks4, Socks5};

    fn check(text: &str, expected: &[Scheme]) {
        let mut schemes = Schemes::default();
        schemes.read(text);
        assert_eq!(schemes.named(), expected, "{text}");
    }

    #[test]
    fn a_column_may_name_several_protocols() {
        check("HTTP", &[Http]);
        check("HTTPS", &[Https]);
        check("socks5h", &[Socks5]);
        check("SOCKS 5", &[Socks5]);
        check("SOCKS v4", &[Socks4]);
        check("SOCKS4/5", &[Socks4, Socks5]);
        check("SOCKS4/SOCKS5", &[Socks4, Socks5]);
        check("http, https", &[Http, Https]);
        check("HTTP|SOCKS5|HTTP", &[Http, Socks5]);
    }

    #[test]
    fn what_is_no_protocol_says_nothing() {
        for text in ["", "yes", "no", "elite", "5", "auto", "socks", "-", "é"] {
            check(text, &[]);
        }
    }

    #[test]
    fn foreign_protocols_are_known_for_what_they_are() {
        for (text, expected) in [
            ("vmess", true),
            ("SS", true),
            ("ftp/http", false),
            ("elite", false),
        ] {
            let mut schemes = Schemes::default();
            schemes.read(text);
            assert_eq!(schemes.are_foreign(), expected, "{text}");
        }
    }
}
