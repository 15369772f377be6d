//! What fuzzing runs of this crate: each target takes any bytes, and panics where a promise does not
//! hold. Compiled for `tests/fuzz`, and for the tests, which replay every input that is kept there.

mod conversation;
mod input;
mod socks;

pub(crate) use input::Input;

/// Takes one input.
pub type Target = fn(&[u8]);

/// Every target, by the name of its corpus in `tests/fuzz/corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("answer", crate::verify::fuzz::answer),
    ("conversation", conversation::conversation),
    ("judge", crate::judge::fuzz::judge),
    ("socks", socks::socks),
    ("tls", crate::tls::fuzz::tls),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    #[test]
    fn every_input_that_was_kept_holds() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus");
        for (name, target) in TARGETS {
            let mut inputs = 0;
            for file in fs::read_dir(corpus.join(name)).expect(name) {
                let path = file.unwrap().path();
                eprintln!("{}", path.display()); // shown if it fails
                target(&fs::read(path).unwrap());
                inputs += 1;
            }
            assert!(inputs > 0, "{name} has no corpus");
        }
    }
}
