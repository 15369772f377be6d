//! What clients say, against a list of all that they ever said.

use super::*;
use crate::properties::cases;
use proptest::collection::vec;
use proptest::prelude::*;

/// As many as are told apart.
const CLIENTS: u64 = CLIENTS_MAX as u64;

/// One thing that was said of one of two candidates.
#[derive(Clone, Copy, Debug)]
struct Said {
    index: u32,
    word: Word,
    at_ms: u64,
    /// It brought about that the candidate was looked at again.
    is_closed: bool,
}

fn said() -> impl Strategy<Value = (u64, u32, Word, bool)> {
    let experience = proptest::sample::select(&Experience::ALL[..]);
    let target = proptest::option::of(0..2usize);
    let pause_ms = prop_oneof![3 => 0..1_000u64, 1 => 0..FEEDBACK_MS];
    let word = (0..CLIENTS, experience, target).prop_map(|(client, experience, target)| Word {
        client,
        experience,
        target,
    });
    (pause_ms, 0..2u32, word, any::<bool>())
}

/// The last word of each client on a candidate, if it still counts.
fn last_words(all: &[Said], index: u32, now_ms: u64) -> Vec<Said> {
    let of = |client| {
        let mut its = all
            .iter()
            .rev()
            .filter(|said| said.index == index && said.word.client == client);
        its.next()
            .copied()
            .filter(|last| now_ms - last.at_ms < FEEDBACK_MS)
    };
    (0..CLIENTS).filter_map(of).collect()
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn so_many_clients_count_as_said_something_lately_each_by_its_last_word(
        quorum in 1..5u8,
        history in vec(said(), 1..80),
    ) {
        let mut ledger = Ledger::new(1);
        for n in 1..=2 {
            ledger.admit(format!("http://9.9.9.{n}:80").parse().unwrap(), 0).unwrap();
        }
        ledger.set_quorum(quorum);
        let (mut all, mut now_ms) = (Vec::<Said>::new(), 5 * FEEDBACK_MS);
        for (pause_ms, index, word, closes) in history {
            now_ms += pause_ms;
            ledger.hear(index, word, now_ms);
            all.push(Said { index, word, at_ms: now_ms, is_closed: false });
            for index in 0..2 {
                let last = last_words(&all, index, now_ms);
                let count = |experience| {
                    last.iter().filter(|said| said.word.experience == experience).count()
                };
                let voices = ledger.voices(index, now_ms);
                let counted = [voices.ok, voices.fail, voices.banned].map(usize::from);
                prop_assert_eq!(counted, Experience::ALL.map(count));
                let complains = |said: &&Said| said.word.experience != Experience::Ok && !said.is_closed;
                let is_enough = last.iter().filter(complains).count() >= usize::from(quorum);
                prop_assert_eq!(ledger.is_complained_of(index, now_ms), is_enough);
            }
            if closes && ledger.is_complained_of(index, now_ms) {
                ledger.close_complaints(index);
                all.iter_mut().filter(|said| said.index == index).for_each(|said| said.is_closed = true);
                prop_assert!(!ledger.is_complained_of(index, now_ms));
            }
        }
    }
}
