//! Replies of SOCKS proxies in pieces: whatever they say, a proxy is alive only behind a grant.
//!
//! Input: protocol and credentials (a byte), size of the pieces (a byte), then replies of which each
//! has its length before it.

use super::Input;
use crate::conversation::{Conversation, Plan, Step, Way};
use crate::policy::PolicyOptions;
use crate::{Credentials, ProbePolicy, Protocol, Verdict};
use std::rc::Rc;
use std::sync::Arc;

thread_local! {
    static PLAN: Rc<Plan> = plan();
}

fn plan() -> Rc<Plan> {
    let options = PolicyOptions {
        targets: vec!["http://target.test/generate_204".into()],
        ..PolicyOptions::default()
    };
    let policy = ProbePolicy::new(options).expect("a valid policy");
    Rc::new(Plan::new(Arc::new(policy)))
}

pub(super) fn socks(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (kind, size) = (input.byte(), 1 + usize::from(input.byte() % 17));
    let protocol = match kind & 1 {
        0 => Protocol::Socks4,
        _ => Protocol::Socks5,
    };
    let login = kind & 2 != 0;
    // Each is what the peer says to one question.
    let mut replies = Vec::new();
    while !input.is_empty() {
        replies.push(input.piece());
    }
    let said = replies.concat();
    let verdict = PLAN.with(|plan| verdict(plan, protocol, login, &replies, size));
    if verdict == Verdict::Alive {
        let granted = match protocol {
            Protocol::Socks4 => said.starts_with(&[0, 0x5a]),
            _ => said.starts_with(&[5, 0, 5, 0]) || said.starts_with(&[5, 2, 1, 0, 5, 0]),
        };
        assert!(granted, "alive without a grant: {}", said.escape_ascii());
    }
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
