//! What the names of columns and JSON keys mean.

/// What a column or a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A host, with or without a port.
    Host,
    /// A whole proxy, perhaps in URL form.
    Proxy,
    /// A port.
    Port,
    /// One or more protocols.
    Protocol,
    /// A user name.
    User,
    /// A password.
    Password,
    /// A text with a list in it (JSON only).
    List,
}

/// Longest name that means something.
pub(super) const NAME_BYTES_MAX: usize = 32;

/// Names without what is not a letter, with their roles.
const NAMES: &[(&str, Role)] = &[
    ("ip", Role::Host),
    ("ipaddress", Role::Host),
    ("ipaddr", Role::Host),
    ("proxyip", Role::Host),
    ("host", Role::Host),
    ("hostname", Role::Host),
    ("proxyhost", Role::Host),
    ("proxyaddress", Role::Host),
    ("address", Role::Host),
    ("addr", Role::Host),
    ("server", Role::Host),
    ("proxy", Role::Proxy),
    ("proxyurl", Role::Proxy),
    ("ipport", Role::Proxy),
    ("hostport", Role::Proxy),
    ("addressport", Role::Proxy),
    ("url", Role::Proxy),
    ("port", Role::Port),
    ("proxyport", Role::Port),
    ("protocol", Role::Protocol),
    ("protocols", Role::Protocol),
    ("proto", Role::Protocol),
    ("scheme", Role::Protocol),
    ("type", Role::Protocol),
    ("types", Role::Protocol),
    ("proxytype", Role::Protocol),
    ("user", Role::User),
    ("username", Role::User),
    ("login", Role::User),
    ("proxyuser", Role::User),
    ("proxyusername", Role::User),
    ("password", Role::Password),
    ("pass", Role::Password),
    ("passwd", Role::Password),
    ("pwd", Role::Password),
    ("proxypass", Role::Password),
    ("proxypassword", Role::Password),
    ("data", Role::List),
    ("items", Role::List),
    ("list", Role::List),
    ("proxies", Role::List),
    ("proxylist", Role::List),
    ("result", Role::List),
    ("results", Role::List),
];

/// What a name means: case, blanks and punctuation do not count.
pub(super) fn role(name: &[u8]) -> Option<Role> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let mut plain = [0; NAME_BYTES_MAX];
    let mut length = 0;
    for byte in name {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {
                plain[length] = byte.to_ascii_lowercase();
                length += 1;
            }
            b' ' | b'_' | b'-' | b':' | b'.' | b'/' | b'(' | b')' | b'\xa0' | b'\xc2' => {}
            _ => return None,
        }
    }
    let plain = &plain[..length];
    let row = NAMES.iter().find(|(name, _)| name.as_bytes() == plain);
    row.map(|(_, role)| *role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_blanks_and_punctuation_of_a_name_do_not_count() {
        for (name, expected) in [
            ("IP Address", Some(Role::Host)),
            ("proxy_host", Some(Role::Host)),
            ("IP:Port", Some(Role::Proxy)),
            ("Port", Some(Role::Port)),
            ("proxy-type", Some(Role::Protocol)),
            ("User Name", Some(Role::User)),
            ("https", None),
            ("import", None),
            ("ip2", None),
            ("", None),
            ("a name that is far too long to be one", None),
        ] {
            assert_eq!(role(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn every_name_is_found_and_stands_once() {
        for (place, (name, expected)) in NAMES.iter().enumerate() {
            assert_eq!(role(name.as_bytes()), Some(*expected), "{name}");
            assert!(
                !NAMES[..place].iter().any(|(other, _)| other == name),
                "{name}"
            );
        }
    }
}
