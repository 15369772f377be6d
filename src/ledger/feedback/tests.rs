use super::*;
use Experience::{Banned, Fail, Ok};

fn word(client: u64, experience: Experience, target: Option<usize>) -> Word {
    Word {
        client,
        experience,
        target,
    }
}

/// A ledger of `count` candidates.
fn ledger(count: u32, quorum: u8) -> Ledger {
    let mut ledger = Ledger::new(1);
    for n in 0..count {
        let ip = std::net::Ipv4Addr::from_bits(0x0900_0000 + n);
        let candidate = format!("http://{ip}:80").parse().unwrap();
        ledger.admit(candidate, 0).unwrap();
    }
    ledger.set_quorum(quorum);
    ledger
}

#[test]
fn only_distinct_clients_make_a_quorum() {
    let mut ledger = ledger(1, 2);
    for at in 0..20 {
        ledger.hear(0, word(1, Fail, None), at);
        assert!(!ledger.is_complained_of(0, at), "one client is one client");
    }
    ledger.hear(0, word(2, Ok, None), 20);
    assert!(!ledger.is_complained_of(0, 20), "praise is no complaint");
    ledger.hear(0, word(3, Banned, None), 20);
    assert!(ledger.is_complained_of(0, 20));
    let voices = ledger.voices(0, 20);
    assert_eq!((voices.ok, voices.fail, voices.banned), (1, 1, 1));
}

#[test]
fn complaints_have_their_effect_once() {
    let mut ledger = ledger(1, 2);
    ledger.hear(0, word(1, Fail, None), 0);
    ledger.hear(0, word(2, Fail, None), 0);
    ledger.close_complaints(0);
    ledger.hear(0, word(2, Fail, None), 1);
    assert!(
        !ledger.is_complained_of(0, 1),
        "the first has not said it again"
    );
    ledger.hear(0, word(1, Fail, None), 1);
    assert!(ledger.is_complained_of(0, 1));
    assert_eq!(
        ledger.voices(0, 1).fail,
        2,
        "they are still told to who asks"
    );
}

#[test]
fn the_last_word_of_a_client_counts() {
    let mut ledger = ledger(1, 1);
    ledger.hear(0, word(1, Banned, Some(2)), 0);
    ledger.hear(0, word(1, Banned, Some(3)), 0);
    ledger.hear(0, word(1, Fail, None), 0);
    assert_eq!(
        ledger.banned_at(0).bits(),
        0b1100,
        "a failure says nothing about bans"
    );
    ledger.hear(0, word(1, Ok, Some(2)), 0);
    assert_eq!(
        ledger.banned_at(0).bits(),
        0b1000,
        "it was served there again"
    );
    ledger.hear(0, word(1, Ok, None), 0);
    assert!(ledger.banned_at(0).is_empty());
    assert_eq!(ledger.voices(0, 0).ok, 1);
}

#[test]
fn a_word_counts_for_ten_minutes() {
    let mut ledger = ledger(1, 1);
    ledger.hear(0, word(1, Banned, Some(0)), 5_000);
    let end = 5_000 + FEEDBACK_MS;
    assert_eq!(ledger.voices(0, end - 1).banned, 1);
    assert_eq!(ledger.voices(0, end), Voices::default());
    assert!(ledger.is_complained_of(0, end - 1) && !ledger.is_complained_of(0, end));
    ledger.hear(0, word(2, Banned, Some(1)), end);
    assert_eq!(ledger.banned_at(0).bits(), 0b10);
}

#[test]
fn a_ban_needs_the_quorum_at_the_same_target() {
    let mut ledger = ledger(1, 2);
    ledger.hear(0, word(1, Banned, Some(0)), 0);
    ledger.hear(0, word(2, Banned, Some(1)), 0);
    assert!(ledger.banned_at(0).is_empty());
    ledger.hear(0, word(3, Banned, Some(1)), 0);
    assert_eq!(ledger.banned_at(0).bits(), 0b10);
}

#[test]
fn of_many_clients_the_latest_are_kept() {
    let mut ledger = ledger(1, 1);
    for client in 0..100 {
        ledger.hear(0, word(client, Fail, None), client);
    }
    let voices = ledger.voices(0, 100);
    assert_eq!(usize::from(voices.fail), CLIENTS_MAX);
    for client in 100..100 + CLIENTS_MAX as u64 {
        ledger.hear(0, word(client, Ok, None), client);
    }
    let voices = ledger.voices(0, 200);
    assert_eq!((usize::from(voices.ok), voices.fail), (CLIENTS_MAX, 0));
}

#[test]
fn a_candidate_that_is_forgotten_leaves_no_words_to_the_next_of_its_index() {
    let mut ledger = ledger(1, 1);
    ledger.set_list(0, vec![0]);
    ledger.hear(0, word(1, Fail, None), 0);
    ledger.set_list(0, Vec::new());
    ledger.forget(0);
    let next = ledger.admit("http://8.8.8.8:80".parse().unwrap(), 0);
    assert_eq!(next, std::result::Result::Ok(0));
    assert_eq!(ledger.voices(0, 0), Voices::default());
}

#[test]
fn the_table_is_bounded_and_keeps_the_latest() {
    let count = 3 * CELLS_MAX as u32;
    let mut ledger = ledger(count, 1);
    for index in 0..count {
        ledger.hear(index, word(1, Fail, None), 1);
        let kept = ledger.feedback.young.len() + ledger.feedback.old.len();
        assert!(kept <= 2 * CELLS_MAX);
    }
    let kept = |index| ledger.voices(index, 1).fail == 1;
    assert!(!kept(0) && kept(count - 1) && kept(count - CELLS_MAX as u32));
    assert_eq!(size_of::<Cell>(), 192);
}

#[test]
fn words_follow_their_target_when_the_targets_change() {
    let mut ledger = ledger(1, 1);
    ledger.hear(0, word(1, Banned, Some(0)), 0);
    ledger.feedback.renumber(&[None, Some(0)]);
    assert_eq!(ledger.banned_at(0).bits(), 0b10);
    ledger.feedback.renumber(&[Some(0)]);
    assert!(ledger.banned_at(0).is_empty());
}

#[test]
fn the_words_are_a_closed_set() {
    for experience in Experience::ALL {
        assert_eq!(Experience::from_label(experience.label()), Some(experience));
    }
    assert_eq!(Experience::from_label("OK"), None);
}

#[test]
fn the_bans_of_one_client_count_for_a_hundred_proxies_of_a_target_and_not_for_more() {
    let mut ledger = Ledger::new(1);
    for n in 0..300 {
        let text = format!("http://1.1.{}.{}:80", n / 200, n % 200 + 1);
        ledger.admit(text.parse().unwrap(), 0).unwrap();
    }
    let banned = |ledger: &Ledger, place: usize| {
        let is_banned = |index: &u32| ledger.banned_at(*index).contains(place);
        (0..300).filter(is_banned).collect::<Vec<u32>>()
    };
    for index in 0..300 {
        ledger.hear(index, word(1, Banned, Some(0)), u64::from(index));
    }
    assert!(banned(&ledger, 0).into_iter().eq(0..100));
    assert!(
        ledger.is_complained_of(299, 299),
        "it is looked at all the same"
    );
    // Another target and another client have their own bounds.
    ledger.hear(299, word(1, Banned, Some(1)), 300);
    ledger.hear(298, word(2, Banned, Some(0)), 300);
    assert_eq!(banned(&ledger, 1), [299]);
    assert_eq!(banned(&ledger, 0).len(), 101);
    // What is said again or taken back leaves room for as much as before.
    ledger.hear(0, word(1, Banned, Some(0)), 400);
    ledger.hear(200, word(1, Banned, Some(0)), 400);
    assert!(!banned(&ledger, 0).contains(&200));
    ledger.hear(0, word(1, Ok, None), 401);
    ledger.hear(200, word(1, Banned, Some(0)), 401);
    ledger.hear(201, word(1, Banned, Some(0)), 401);
    let now = banned(&ledger, 0);
    assert!(now.contains(&200) && !now.contains(&201) && !now.contains(&0));
    // The one of 1 ms is old when the window is over, and only that one.
    ledger.hear(202, word(1, Banned, Some(0)), 1 + FEEDBACK_MS);
    ledger.hear(203, word(1, Banned, Some(0)), 1 + FEEDBACK_MS);
    let now = banned(&ledger, 0);
    assert!(now.contains(&202) && !now.contains(&203));
}

#[test]
fn of_a_large_pool_a_tenth_counts() {
    assert_eq!(
        [0, 1_000, 1_010, 50_000].map(counted_max),
        [100, 100, 101, 5_000]
    );
}

#[test]
fn counted_bans_move_with_their_targets() {
    let mut bans = Bans::default();
    assert!(bans.count((1, 0), 7, 1, 0));
    bans.renumber(&[None, Some(0)]);
    assert!(
        !bans.count((1, 1), 8, 1, 1),
        "used up where the target is now"
    );
    assert!(bans.count((1, 0), 8, 1, 1));
}
