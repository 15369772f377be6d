//! Every fuzz target in one program, which is linked once: `FUZZ_TARGET` names the one that runs. What
//! they do, and what their inputs are, stands beside what they hold: `fuzz.rs` in both crates.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

type Target = fn(&[u8]);

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let here = proxy_checker::fuzz::TARGETS.iter();
    let all = || here.clone().chain(proxy_shards::fuzz::TARGETS);
    let found = all().find(|(known, _)| *known == name);
    let Some((_, target)) = found else {
        let names: Vec<&str> = all().map(|(name, _)| *name).collect();
        eprintln!("fuzz: FUZZ_TARGET must be one of {}", names.join(", "));
        std::process::exit(2);
    };
    *target
});

fuzz_target!(
    init: {
        LazyLock::force(&TARGET);
    },
    |bytes: &[u8]| TARGET(bytes)
);
