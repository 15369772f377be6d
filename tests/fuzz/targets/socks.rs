//! Replies of SOCKS proxies in pieces: whatever they say, a proxy is alive only behind a grant.
//!
//! Input: protocol and credentials (a byte), size of the pieces (a byte), then replies of which each
//! has its length before it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proxy_shards::conversation::{Conversation, Plan, Step, Way};
use proxy_shards::policy::PolicyOptions;
use proxy_shards::{Credentials, ProbePolicy, Protocol, Verdict};
use std::rc::Rc;
use std::sync::Arc;

fn plan() -> Rc<Plan> {
    let options = PolicyOptions {
        targets: vec!["http://target.test/generate_204".into()],
        ..PolicyOptions::default()
    };
    let policy = ProbePolicy::new(options).expect("a valid policy");
    Rc::new(Plan::new(Arc::new(policy)))
}

thread_local! {
    static PLAN: Rc<Plan> = plan();
}

/// The replies of the input: each is what the peer says to one question.
fn replies(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut replies = Vec::new();
    while let Some((&length, left)) = rest.split_first() {
        let (reply, left) = left.split_at(usize::from(length).min(left.len()));
        replies.push(reply);
        rest = left;
    }
    replies
}

/// The verdict, if each reply comes in pieces of `size`.
fn verdict(
    plan: &Rc<Plan>,
    protocol: Protocol,
    login: bool,
    replies: &[&[u8]],
    size: usize,
) -> Verdict {
    let credentials = Credentials {
        user: "user".into(),
        password: "pass".into(),
    };
    let credentials = login.then_some(&credentials);
    let way = Way::Proxy(protocol);
    let (mut conversation, mut step) = Conversation::begin(plan, 0, way, credentials);
    for piece in replies.iter().flat_map(|reply| reply.chunks(size)) {
        if let Step::Done(verdict) = step {
            return verdict;
        }
        step = conversation.received(plan, piece);
    }
    match step {
        Step::Done(verdict) => verdict,
        _ => match conversation.received(plan, &[]) {
            Step::Done(verdict) => verdict,
            step => panic!("{step:?} though the peer has closed"),
        },
    }
}

fuzz_target!(|bytes: &[u8]| {
    let [kind, size, rest @ ..] = bytes else {
        return;
    };
    let protocol = match kind & 1 {
        0 => Protocol::Socks4,
        _ => Protocol::Socks5,
    };
    let login = kind & 2 != 0;
    let replies = replies(rest);
    let said = replies.concat();
    let size = 1 + usize::from(size % 17);
    let verdict = PLAN.with(|plan| verdict(plan, protocol, login, &replies, size));
    if verdict == Verdict::Alive {
        let granted = match protocol {
            Protocol::Socks4 => said.starts_with(&[0, 0x5a]),
            _ => said.starts_with(&[5, 0, 5, 0]) || said.starts_with(&[5, 2, 1, 0, 5, 0]),
        };
        assert!(granted, "alive without a grant: {}", said.escape_ascii());
    }
});
