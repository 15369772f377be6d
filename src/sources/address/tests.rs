//! Each block of the registries at both edges, from the inside and from the outside.

use super::*;

const STRICT: AddressPolicy = AddressPolicy {
    allow_private: false,
};
const LENIENT: AddressPolicy = AddressPolicy {
    allow_private: true,
};

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
        Special,
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
            assert!(!STRICT.allows(ip(edge)), "{edge}");
            assert_eq!(LENIENT.allows(ip(edge)), expected == Special, "{edge}");
        }
        for outside in [before, after].into_iter().filter(|text| *text != "-") {
            assert_eq!(reach(ip(outside)), Public, "{outside}");
            assert!(STRICT.allows(ip(outside)), "{outside}");
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

#[test]
fn an_address_inside_an_address_decides() {
    for prefix in ["::", "::ffff:", "64:ff9b::"] {
        for (inner, expected) in [
            ("8.8.8.8", Public),
            ("127.0.0.1", Special),
            ("192.168.1.1", Special),
            ("169.254.169.254", Special),
            ("224.0.0.1", Never),
            ("255.255.255.255", Never),
        ] {
            let whole = format!("{prefix}{inner}");
            assert_eq!(reach(ip(&whole)), expected, "{whole}");
        }
    }
    // Edges of the two blocks that carry one.
    assert_eq!(reach(ip("::fffe:8.8.8.8")), Special);
    assert_eq!(reach(ip("::1:0:8.8.8.8")), Special);
    assert_eq!(reach(ip("64:ff9b::1:8.8.8.8")), Special);
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
        assert!(STRICT.allows(ip(text)), "{text}");
    }
}

#[test]
fn localhost_is_loopback_before_anyone_resolves_it() {
    for (name, public) in [
        ("localhost", false),
        ("db.localhost", false),
        ("localhost.example.com", true),
        ("notlocalhost", true),
    ] {
        let host = Host::Name(name.into());
        assert_eq!(STRICT.allows_host(&host), public, "{name}");
        assert!(LENIENT.allows_host(&host), "{name}");
    }
}
