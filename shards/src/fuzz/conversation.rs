//! Peers that say anything, in any pieces, over every way to every kind of target: a conversation
//! never panics and ends when its peer does.
//!
//! Input: way, target, credentials (a byte each), then pieces with their length before them.

use super::Input;
use crate::conversation::{Conversation, Plan, Step, Way};
use crate::policy::PolicyOptions;
use crate::target::{Field, Secret, TargetOptions};
use crate::{Credentials, ProbePolicy, Protocol};
use std::rc::Rc;
use std::sync::Arc;

/// Longest question that is ever asked: a request with the longest credentials is below it.
const QUESTION_BYTES_MAX: usize = 16 * 1024;

const WAYS: [Way; 5] = [
    Way::Direct,
    Way::Proxy(Protocol::Http),
    Way::Proxy(Protocol::Https),
    Way::Proxy(Protocol::Socks4),
    Way::Proxy(Protocol::Socks5),
];

thread_local! {
    static PLAN: Rc<Plan> = plan();
}

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
        TargetOptions {
            judge: Secret::new(&[7; Secret::BYTES_MIN]),
            ..target("judge", "http://judge.test/")
        },
        TargetOptions {
            expect_header: Some(Field {
                name: "a".into(),
                value: Some("b".into()),
            }),
            ..target("field", "http://target.test/page")
        },
    ];
    let options = PolicyOptions {
        targets,
        ..PolicyOptions::default()
    };
    let policy = ProbePolicy::new(options).expect("a valid policy");
    Rc::new(Plan::new(Arc::new(policy)))
}

pub(super) fn conversation(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let way = WAYS[usize::from(input.byte()) % WAYS.len()];
    let target = usize::from(input.byte());
    let login = input.byte() % 2 == 1;
    PLAN.with(|plan| {
        let target = target % plan.policy().targets.len();
        converse(plan, way, target, login, input);
    });
}

fn converse(plan: &Rc<Plan>, way: Way, target: usize, login: bool, mut input: Input<'_>) {
    let credentials = Credentials {
        user: "user".into(),
        password: "pass".into(),
    };
    let credentials = login.then_some(&credentials);
    let (mut conversation, mut step) = Conversation::begin(plan, target, way, credentials);
    while !input.is_empty() {
        match &step {
            Step::Done(_) => break,
            Step::Ask(question) => assert!(question.len() <= QUESTION_BYTES_MAX),
            Step::Recv => {}
        }
        let piece = input.piece();
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
