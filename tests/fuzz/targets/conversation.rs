//! Peers that say anything, in any pieces, over every way to every kind of target: a conversation
//! never panics and ends when its peer does.
//!
//! Input: way, target, credentials (a byte each), then pieces with their length before them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proxy_shards::conversation::{Conversation, Plan, Step, Way};
use proxy_shards::policy::PolicyOptions;
use proxy_shards::target::TargetOptions;
use proxy_shards::{Credentials, ProbePolicy, Protocol};
use std::rc::Rc;
use std::sync::Arc;

/// Longest question that is ever asked: a request with the longest credentials is below it.
const QUESTION_BYTES_MAX: usize = 16 * 1024;

fn plan() -> Rc<Plan> {
    let target = |name: &str, url: &str| TargetOptions {
        name: name.into(),
        url: url.into(),
        ..TargetOptions::default()
    };
    let targets = vec![
        target("plain", "http://target.test/generate_204"),
        target("secure", "https://target.test/generate_204"),
        TargetOptions {
            expect_body: Some(b"hello".to_vec()),
            ..target("body", "http://target.test/page")
        },
        TargetOptions {
            tunnel: true,
            ..target("tunnel", "http://192.0.2.1:8080/")
        },
    ];
    let options = PolicyOptions {
        targets,
        ..PolicyOptions::default()
    };
    let policy = ProbePolicy::new(options).expect("a valid policy");
    Rc::new(Plan::new(Arc::new(policy)))
}

thread_local! {
    static PLAN: Rc<Plan> = plan();
}

const WAYS: [Way; 5] = [
    Way::Direct,
    Way::Proxy(Protocol::Http),
    Way::Proxy(Protocol::Https),
    Way::Proxy(Protocol::Socks4),
    Way::Proxy(Protocol::Socks5),
];

fn converse(plan: &Rc<Plan>, way: Way, target: usize, login: bool, mut rest: &[u8]) {
    let credentials = Credentials {
        user: "user".into(),
        password: "pass".into(),
    };
    let credentials = login.then_some(&credentials);
    let (mut conversation, mut step) = Conversation::begin(plan, target, way, credentials);
    while let Some((&length, left)) = rest.split_first() {
        match &step {
            Step::Done(_) => break,
            Step::Ask(question) => assert!(question.len() <= QUESTION_BYTES_MAX),
            Step::Recv => {}
        }
        let (piece, left) = left.split_at(usize::from(length).min(left.len()));
        rest = left;
        if !piece.is_empty() {
            step = conversation.received(plan, piece);
        }
    }
    if !matches!(step, Step::Done(_)) {
        step = conversation.received(plan, &[]);
    }
    let Step::Done(verdict) = step else {
        panic!("{step:?} though the peer has closed");
    };
    for late in [&b"late"[..], b""] {
        assert_eq!(conversation.received(plan, late), Step::Done(verdict));
    }
    let _ = conversation.finding();
    let _ = format!("{conversation:?} {:?}", conversation.stage());
}

fuzz_target!(|bytes: &[u8]| {
    let [way, target, login, rest @ ..] = bytes else {
        return;
    };
    let way = WAYS[usize::from(*way) % WAYS.len()];
    PLAN.with(|plan| {
        let target = usize::from(*target) % plan.policy().targets.len();
        converse(plan, way, target, login % 2 == 1, rest);
    });
});
