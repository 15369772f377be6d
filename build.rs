//! Which commit is built, for `--version` and the metric `build_info`: what `PROXY_CHECKER_COMMIT` says,
//! for packagers who build without a checkout, else what git says, else `unknown`.

#![allow(clippy::print_stdout, reason = "that is how Cargo is told")]

use std::env;
use std::path::Path;
use std::process::Command;

const SAID: &str = "PROXY_CHECKER_COMMIT";

fn main() {
    println!("cargo::rerun-if-env-changed={SAID}");
    println!("cargo::rerun-if-changed=build.rs");
    let said = env::var(SAID).ok().filter(|commit| !commit.is_empty());
    let commit = said.or_else(of_checkout);
    // Whatever is said ends up in a label and on a line.
    let commit = commit.filter(|commit| commit.bytes().all(|b| b.is_ascii_alphanumeric()));
    let commit = commit.as_deref().unwrap_or("unknown");
    println!("cargo::rustc-env=PROXY_CHECKER_BUILT_FROM={commit}");
}

/// The commit that is checked out, if this folder is the top of a checkout and not a copy of the
/// sources within another one. Cargo looks again when that changes.
fn of_checkout() -> Option<String> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let here = Path::new(&env::var_os("CARGO_MANIFEST_DIR")?).canonicalize();
    if Path::new(&top).canonicalize().ok() != here.ok() {
        return None;
    }
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    let refs = ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref());
    for name in refs {
        let path = git(&["rev-parse", "--git-path", name]);
        // A file that is not there would have Cargo look each time; a branch is packed or a file.
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}
