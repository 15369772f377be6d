//! What fuzzing runs of this crate: each target takes any bytes, and panics where a promise does not
//! hold. Compiled for `tests/fuzz`, and for the tests, which replay every input that is kept there.

mod parser;
mod words;

/// Takes one input.
pub type Target = fn(&[u8]);

/// Every target, by the name of its corpus in `tests/fuzz/corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("config", crate::config::fuzz::config),
    ("parser", parser::parser),
    ("request", crate::api::fuzz::request),
    ("store", crate::store::fuzz::store),
    ("wire", crate::cluster::fuzz::wire),
    ("words", words::words),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Those of the other crate.
    const ELSEWHERE: [&str; 5] = ["answer", "conversation", "judge", "socks", "tls"];

    fn files(folder: &Path) -> Vec<PathBuf> {
        let files = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        files.map(|file| file.unwrap().path()).collect()
    }

    #[test]
    fn every_input_that_was_kept_holds() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (name, target) in TARGETS {
            let mut inputs = files(&root.join("tests/fuzz/corpus").join(name));
            assert!(!inputs.is_empty(), "{name} has no corpus");
            // These are held elsewhere, too.
            match *name {
                "parser" => inputs.extend(files(&root.join("src/sources/parse/corpus"))),
                "config" => inputs.extend(files(&root.join("src/config/testdata"))),
                _ => {}
            }
            for path in inputs {
                eprintln!("{}", path.display()); // shown if it fails
                target(&fs::read(path).unwrap());
            }
        }
    }

    #[test]
    fn every_corpus_is_that_of_a_target_and_all_are_small() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
        let mut folders = files(&corpus);
        folders.retain(|path| path.is_dir());
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let found: BTreeSet<String> = folders.iter().map(name).collect();
        let here = TARGETS.iter().map(|(name, _)| *name);
        let known: BTreeSet<String> = here.chain(ELSEWHERE).map(str::to_owned).collect();
        assert_eq!(found, known);
        let inputs = folders.iter().flat_map(|folder| files(folder));
        let bytes: u64 = inputs.map(|path| path.metadata().unwrap().len()).sum();
        assert!(bytes < 200_000, "{bytes} bytes");
    }
}
