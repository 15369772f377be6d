//! Questions about one proxy.

use super::*;
use crate::coordinator::simulation::EPOCH_MS;
use crate::coordinator::{Known, Question};
use crate::ledger::Facts;
use proxy_shards::Require;
use tokio::sync::oneshot;

fn ask(sim: &mut Simulation, n: u32) -> Vec<Facts> {
    known(sim, n).facts
}

fn known(sim: &mut Simulation, n: u32) -> Known {
    let (reply, mut answer) = oneshot::channel();
    let host = candidate(n).host;
    let port = 8080;
    sim.tell(Event::Asked(Question { host, port, reply }));
    answer.try_recv().expect("an answer at once")
}

#[test]
fn a_question_is_answered_with_all_candidates_of_the_address() {
    let mut sim = Simulation::new(config(&["a", "b"]), 10, Image::default());
    let mut listed = list([4]);
    for scheme in ["socks5://", "http://u:p@"] {
        let text = candidate(4).url().to_string().replace("http://", scheme);
        listed.candidates.push(text.parse().unwrap());
    }
    sim.deliver(0, listed);
    sim.deliver(1, list([4, 5]));
    sim.run_until(5_000);
    let facts = ask(&mut sim, 4);
    let urls = facts.iter().map(|f| f.entry.candidate.url().to_string());
    let address = candidate(4).address().to_string();
    let expected = ["http://", "socks5://", "http://u:p@"].map(|s| format!("{s}{address}"));
    assert_eq!(urls.collect::<Vec<_>>(), expected);
    let lists = |facts: &Facts| facts.sources.join(" ");
    assert_eq!(
        facts.iter().map(lists).collect::<Vec<_>>(),
        ["a b", "a", "a"]
    );
    assert_eq!(facts[0].entry.verdict, Some(Verdict::Alive));
    assert_eq!(facts[0].entry.history.len(), 1);
    let next = facts[0].next_check_ms.unwrap() - EPOCH_MS;
    assert!((60_000..61_000).contains(&next), "{next}");
    assert!(ask(&mut sim, 6).is_empty());
}

#[test]
fn an_answer_says_whether_the_candidate_is_out_or_its_verdict_is_held() {
    let mut sim = Simulation::new(controlled(&["a"], Require::All), 10, Image::default());
    sim.behave(|n, _| (Verdict::Closed, if n == 1 { 10 } else { 900_000 }));
    sim.deliver(0, list([1, 2]));
    sim.run_until(1_000);
    let held = ask(&mut sim, 1);
    assert_eq!((held[0].held, held[0].next_check_ms), (true, None));
    assert_eq!(held[0].entry.verdict, None);
    let out = ask(&mut sim, 2);
    assert_eq!((out[0].held, out[0].next_check_ms), (false, None));
    sim.run_until(12_000);
    let settled = ask(&mut sim, 1);
    assert_eq!(settled[0].entry.verdict, Some(Verdict::Closed));
    assert!(!settled[0].held && settled[0].next_check_ms.is_some());
}

#[test]
fn of_a_gateway_with_many_logins_the_first_are_told_and_all_are_counted() {
    let mut sim = Simulation::new(config(&["a"]), 1_000, Image::default());
    let mut listed = list([4]);
    for n in 0..250 {
        let login = format!("http://u{n}:p@");
        let text = candidate(4).url().to_string().replace("http://", &login);
        listed.candidates.push(text.parse().unwrap());
    }
    sim.deliver(0, listed);
    sim.run_until(5_000);
    let known = known(&mut sim, 4);
    assert_eq!((known.total, known.facts.len()), (251, 100));
}
