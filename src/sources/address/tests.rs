//! Each block of the registries at both edges, from the inside and from the outside.

use super::*;

fn strict() -> AddressPolicy {
    AddressPolicy::default()
}

fn lenient() -> AddressPolicy {
    AddressPolicy {
        allow_private: true,
        ..strict()
    }
}

fn networks(texts: &[&str]) -> Arc<[Network]> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Before the block, its first address, its last, after it; what the edges are.
const BLOCKS: &[(&str, &str, &str, &str, Reach)] = &[
    ("-", "0.0.0.0", "0.255.255.255", "1.0.0.0", Never),
    (
        "9.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "11.0.0.0",
        Special,
    ),
    (
        "100.63.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "100.128.0.0",
        Special,
    ),
    (
        "126.255.255.255",
        "127.0.0.0",
        "127.255.255.255",
        "128.0.0.0",
        Special,
    ),
    (
        "169.253.255.255",
        "169.254.0.0",
        "169.254.255.255",
        "169.255.0.0",
        Metadata,
    ),
    (
        "172.15.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "172.32.0.0",
        Special,
    ),
    (
        "191.255.255.255",
        "192.0.0.0",
        "192.0.0.255",
        "192.0.1.0",
        Special,
    ),
    (
        "192.0.1.255",
        "192.0.2.0",
        "192.0.2.255",
        "192.0.3.0",
        Special,
    ),
    (
        "192.31.195.255",
        "192.31.196.0",
        "192.31.196.255",
        "192.31.197.0",
        Special,
    ),
    (
        "192.52.192.255",
        "192.52.193.0",
        "192.52.193.255",
        "192.52.194.0",
        Special,
    ),
    (
        "192.88.98.255",
        "192.88.99.0",
        "192.88.99.255",
        "192.88.100.0",
        Special,
    ),
    (
        "192.167.255.255",
        "192.168.0.0",
        "192.168.255.255",
        "192.169.0.0",
        Special,
    ),
    (
        "192.175.47.255",
        "192.175.48.0",
        "192.175.48.255",
        "192.175.49.0",
        Special,
    ),
    (
        "198.17.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.20.0.0",
        Special,
    ),
    (
        "198.51.99.255",
        "198.51.100.0",
        "198.51.100.255",
        "198.51.101.0",
        Special,
    ),
    (
        "203.0.112.255",
        "203.0.113.0",
        "203.0.113.255",
        "203.0.114.0",
        Special,
    ),
    (
        "223.255.255.255",
        "224.0.0.0",
        "239.255.255.255",
        "-",
        Never,
    ),
    ("-", "100.100.100.200", "100.100.100.200", "-", Metadata),
    ("-", "192.0.0.192", "192.0.0.192", "-", Metadata),
    (
        "168.63.129.15",
        "168.63.129.16",
        "168.63.129.16",
        "168.63.129.17",
        Metadata,
    ),
    ("-", "fd00:ec2::", "fd00:ec2::254", "-", Metadata),
    ("-", "fd20:ce::", "fd20:ce::254", "-", Metadata),
    ("-", "fe80::a9fe:a9fe", "fe80::a9fe:a9fe", "-", Metadata),
    ("-", "240.0.0.0", "255.255.255.254", "-", Special),
    ("-", "255.255.255.255", "255.255.255.255", "-", Never),
    ("-", "::", "::", "-", Never),
    ("-", "::1", "::1", "-", Special),
    (
        "-",
        "2001::",
        "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:200::",
        Special,
    ),
    (
        "2001:db7:ffff::",
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db9::",
        Special,
    ),
    (
        "2001:ffff::",
        "2002::",
        "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2003::",
        Special,
    ),
    (
        "2620:4f:7fff::",
        "2620:4f:8000::",
        "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
        "2620:4f:8001::",
        Special,
    ),
    (
        "3ffe:ffff::",
        "3fff::",
        "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
        "3fff:1000::",
        Special,
    ),
    (
        "-",
        "ff00::",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "-",
        Never,
    ),
    (
        "-",
        "64:ff9b:1::",
        "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
        "-",
        Special,
    ),
    ("-", "100::", "100::ffff:ffff:ffff:ffff", "-", Special),
    (
        "-",
        "100:0:0:1::",
        "100::1:ffff:ffff:ffff:ffff",
        "-",
        Special,
    ),
    (
        "-",
        "5f00::",
        "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "-",
        Special,
    ),
    (
        "-",
        "fc00::",
        "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "-",
        Special,
    ),
    (
        "-",
        "fe80::",
        "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "-",
        Special,
    ),
    // Outside global unicast, whatever the registries say of it.
    (
        "-",
        "1fff:ffff::",
        "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2000::",
        Special,
    ),
    (
        "3fff:ffff::",
        "4000::",
        "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "-",
        Special,
    ),
    (
        "-",
        "fec0::",
        "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "-",
        Special,
    ),
];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

#[test]
fn every_special_block_is_judged_at_both_edges() {
    for &(before, first, last, after, expected) in BLOCKS {
        for edge in [first, last] {
            assert_eq!(reach(ip(edge)), expected, "{edge}");
            assert!(!strict().allows(ip(edge)), "{edge}");
            let allowed = lenient().allows_itself(ip(edge)); // some edges carry 0.0.0.0
            assert_eq!(allowed, expected == Special, "{edge}");
        }
        for outside in [before, after].into_iter().filter(|text| *text != "-") {
            assert_eq!(reach(ip(outside)), Public, "{outside}");
            assert!(strict().allows(ip(outside)), "{outside}");
        }
    }
}

#[test]
fn every_row_of_the_tables_decides_about_an_edge_of_a_tested_block() {
    let edges: Vec<IpAddr> = BLOCKS.iter().flat_map(|b| [ip(b.1), ip(b.2)]).collect();
    for row in V4 {
        let first = IpAddr::V4(Ipv4Addr::from_bits(row.0));
        assert!(edges.contains(&first), "no test for {first}/{}", row.1);
    }
    for row in V6.iter().filter(|row| row.2 != Embedded && row.2 != Public) {
        let first = IpAddr::V6(Ipv6Addr::from_bits(row.0));
        assert!(edges.contains(&first), "no test for {first}/{}", row.1);
    }
}

/// Ways to write or to reach an IPv4 address by an IPv6 address: each holds `a.b.c.d` once.
fn forms(v4: &str) -> [String; 6] {
    let bits = v4.parse::<Ipv4Addr>().unwrap().to_bits();
    let (high, low) = (bits >> 16, bits & 0xffff);
    [
        format!("::{v4}"),
        format!("::ffff:{v4}"),
        format!("64:ff9b::{v4}"),
        format!("2002:{high:x}:{low:x}::1"),
        format!("2001:0:{high:x}:{low:x}::f6f6:f6f6"),
        format!("2001:0:909:909::{:x}:{:x}", high ^ 0xffff, low ^ 0xffff),
    ]
}

#[test]
fn an_address_inside_an_address_decides() {
    for (inner, in_strict, in_lenient) in [
        ("8.8.8.8", true, true),
        ("127.0.0.1", false, true),
        ("192.168.1.1", false, true),
        ("169.254.169.254", false, false),
        ("224.0.0.1", false, false),
        ("255.255.255.255", false, false),
    ] {
        for (place, form) in forms(inner).iter().enumerate() {
            let plain = place < 3; // 6to4 and Teredo are special themselves
            assert_eq!(strict().allows(ip(form)), in_strict && plain, "{form}");
            assert_eq!(lenient().allows(ip(form)), in_lenient, "{form}");
            assert_eq!(is_public(ip(form)), in_strict && plain, "{form}");
        }
    }
    // Edges of the two blocks that carry one.
    assert_eq!(reach(ip("::fffe:8.8.8.8")), Special);
    assert_eq!(reach(ip("::1:0:8.8.8.8")), Special);
    assert_eq!(reach(ip("64:ff9b::1:8.8.8.8")), Special);
}

#[test]
fn what_is_denied_is_not_dialled_in_any_form() {
    let policy = AddressPolicy {
        deny: networks(&["8.8.8.0/24", "2606:4700::/32"]),
        allow: networks(&["8.8.8.0/24"]),
        ..lenient()
    };
    for form in forms("8.8.8.8") {
        assert!(!policy.allows(ip(&form)), "{form}");
    }
    for form in forms("8.8.9.8") {
        assert!(policy.allows(ip(&form)), "{form}");
    }
    assert!(!policy.allows(ip("2606:4700::1")));
    assert!(policy.allows(ip("2606:4701::1")));
    let mapped = AddressPolicy {
        deny: networks(&["::ffff:8.8.8.0/120"]),
        ..strict()
    };
    assert!(!mapped.allows(ip("8.8.8.8")) && !mapped.allows(ip("::ffff:8.8.8.8")));
}

#[test]
fn what_is_allowed_by_name_is_dialled_though_it_is_special() {
    // allowed range, address, whether it may be dialled
    for (range, address, expected) in [
        ("10.0.0.0/8", "10.1.2.3", true),
        ("10.0.0.0/8", "11.1.2.3", true),
        ("10.0.0.0/8", "192.168.1.1", false),
        ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ("10.0.0.0/8", "64:ff9b::10.1.2.3", true),
        ("10.0.0.0/8", "2002:a01:203::1", false),
        ("2002::/16", "2002:808:808::1", true),
        ("2002::/16", "2002:a01:203::1", false),
        ("64:ff9b::/96", "64:ff9b::10.1.2.3", false),
        ("169.254.169.254", "169.254.169.254", true),
        ("169.254.169.254", "169.254.169.253", false),
        ("0.0.0.0/0", "127.0.0.1", true),
        ("0.0.0.0/0", "224.0.0.1", false),
        ("0.0.0.0/0", "255.255.255.255", false),
        ("0.0.0.0/0", "0.0.0.0", false),
        ("0.0.0.0/0", "::1", false),
        ("::/0", "::1", true),
        ("::/0", "::", false),
        ("::/0", "ff02::1", false),
        ("::/0", "::ffff:127.0.0.1", false),
        ("fd00::/8", "fd00:ec2::254", true),
    ] {
        let policy = AddressPolicy {
            allow: networks(&[range]),
            ..strict()
        };
        assert_eq!(policy.allows(ip(address)), expected, "{address} of {range}");
    }
}

#[test]
fn mail_ports_are_denied_unless_the_operator_says_otherwise() {
    let none = AddressPolicy {
        deny_ports: Arc::new([]),
        ..strict()
    };
    for (port, by_default, without_a_list) in
        [(0, false, false), (24, true, true), (25, false, true)]
    {
        assert_eq!(strict().allows_port(port), by_default, "{port}");
        assert_eq!(none.allows_port(port), without_a_list, "{port}");
    }
}

#[test]
fn well_known_resolvers_are_public() {
    for text in [
        "1.1.1.1",
        "8.8.8.8",
        "9.9.9.9",
        "2606:4700:4700::1111",
        "2001:4860:4860::8888",
    ] {
        assert!(strict().allows(ip(text)), "{text}");
    }
}

#[test]
fn localhost_is_loopback_before_anyone_resolves_it() {
    for (name, public) in [
        ("localhost", false),
        ("db.localhost", false),
        ("db.LOCALHOST.", false),
        ("localhost.example.com", true),
        ("notlocalhost", true),
    ] {
        let host = Host::Name(name.into());
        assert_eq!(strict().allows_host(&host), public, "{name}");
        assert!(lenient().allows_host(&host), "{name}");
    }
}
