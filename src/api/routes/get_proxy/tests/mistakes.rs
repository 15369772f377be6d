//! Words and names that `/get-proxy` does not know.

use super::MIXED;
use crate::api::testing::Server;

#[test]
fn a_format_that_is_none_is_400_before_the_number_is_looked_at() {
    let server = Server::with(&MIXED);
    let words = "Invalid format parameter. Must be one of: json, txt, url";
    for query in [
        "format=csv",
        "format=xml&all=1",
        "format=%20json&limit=bad",
        "format=csv&max_latency_ms=1",
    ] {
        server
            .get(&format!("/get-proxy?{query}"))
            .is_refusal(400, words);
    }
    let filter = server.get("/get-proxy?format=csv&protocol=gopher");
    filter.is_refusal(
        400,
        "Invalid protocol. Must be one of: http, socks4, socks5",
    );
}

#[test]
fn all_is_1_or_0_and_anything_else_is_400() {
    let server = Server::with(&MIXED);
    let words = "Invalid all parameter. Must be one of: 0, 1";
    for query in [
        "all=true",
        "all=01",
        "all=yes&limit=2",
        "all=2&limit=bad",
        "all=+1",
    ] {
        server
            .get(&format!("/get-proxy?{query}"))
            .is_refusal(400, words);
    }
    for query in ["all=0", "all=", "all", "all=&all=true", "all=0&all=1"] {
        assert_eq!(
            server.get(&format!("/get-proxy?{query}")).lines().len(),
            1,
            "{query}"
        );
    }
}

#[test]
fn a_mistyped_name_is_400_and_says_which_was_meant_and_others_are_let_be() {
    let server = Server::with(&MIXED);
    for (query, words) in [
        (
            "max_latency=100",
            "Unknown parameter max_latency. Did you mean max_latency_ms?",
        ),
        (
            "protcol=socks5",
            "Unknown parameter protcol. Did you mean protocol?",
        ),
        ("ALL=1", "Unknown parameter ALL. Did you mean all?"),
        (
            "all=1&Format=url",
            "Unknown parameter Format. Did you mean format?",
        ),
        (
            "protocol=gopher&limits=3",
            "Unknown parameter limits. Did you mean limit?",
        ),
    ] {
        server
            .get(&format!("/get-proxy?{query}"))
            .is_refusal(400, words);
    }
    for query in [
        "_=1700000000123",
        "all=1&nocache=1",
        "t=5&limit=2",
        "protcol=",
    ] {
        let reply = server.get(&format!("/get-proxy?{query}"));
        assert_eq!(reply.status, 200, "{query}");
    }
    let empty = Server::start().get("/get-proxy?protcol=x&format=csv");
    empty.is_refusal(503, "No alive proxies available");
}
