//! Short forms and back.

use super::*;
use std::hash::{BuildHasher, RandomState};

/// Every scheme, at hosts and ports of every kind, with and without credentials.
fn all() -> Vec<Candidate> {
    let mut all = Vec::new();
    for scheme in Scheme::ALL {
        for user in ["", "u:p@", "v:p@"] {
            for host in [
                "0.0.0.0",
                "255.255.255.255",
                "9.9.9.9",
                "[::1]",
                "a.example",
            ] {
                for port in [1, 80, 65_535] {
                    let text = format!("{}://{user}{host}:{port}", scheme.label());
                    all.push(text.parse().unwrap());
                }
            }
        }
    }
    all
}

#[test]
fn every_candidate_comes_back_from_its_short_form() {
    let all = all();
    let short: Candidates = all.iter().cloned().collect();
    assert!(short.iter().eq(all.iter().cloned()));
    assert!(short.iter_from(7).eq(all[7..].iter().cloned()));
    assert!(short.iter_from(all.len() + 1).next().is_none());
    assert_eq!(short.get(40), Some(all[40].clone()));
    assert_eq!(short.get(all.len()), None);
    assert_eq!(short.clone().into_iter().len(), all.len());
    assert!(short.into_iter().eq(all));
}

#[test]
fn what_is_dropped_from_the_start_is_gone_and_the_rest_stays() {
    let all = all();
    let mut short: Candidates = all.iter().cloned().collect();
    short.drop_first(50);
    assert_eq!(short, all[50..].iter().cloned().collect());
    let others = all[50..].iter().filter(|c| Short::of(c).is_none());
    assert_eq!(short.others.0.len(), others.count(), "no other one is kept");
}

#[test]
fn a_short_form_stands_for_its_candidate_and_no_other() {
    let all = all();
    let mut others = Others::default();
    let shorts: Vec<Short> = all.iter().cloned().map(|c| others.shorten(c)).collect();
    for (one, &short) in all.iter().zip(&shorts) {
        for other in &all {
            assert_eq!(others.is(short, other), one == other, "{one:?} {other:?}");
            let scheme = one.scheme;
            let beside = *one
                == Candidate {
                    scheme,
                    ..other.clone()
                };
            assert_eq!(others.is_beside(short, other), beside, "{one:?} {other:?}");
        }
    }
}

#[test]
fn one_address_has_one_hash_under_every_scheme_in_both_forms() {
    let keys = RandomState::new();
    let mut others = Others::default();
    for one in all() {
        let mut hashers = [(); 3].map(|()| keys.build_hasher());
        hash(&one, &mut hashers[0]);
        let scheme = Scheme::Socks4;
        hash(
            &Candidate {
                scheme,
                ..one.clone()
            },
            &mut hashers[1],
        );
        let short = others.shorten(one.clone());
        others.hash(short, &mut hashers[2]);
        let [first, second, third] = hashers.map(|hasher| hasher.finish());
        assert!(first == second && first == third, "{one:?}");
    }
}

#[test]
fn the_usual_candidate_is_eight_bytes() {
    assert_eq!(size_of::<Short>(), 8);
    let mut others = Others::default();
    others.shorten("http://9.9.9.9:80".parse().unwrap());
    assert!(others.0.is_empty());
}
