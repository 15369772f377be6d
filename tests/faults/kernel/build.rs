//! What makes faults is in builds for tests only.

use std::process::Command;

/// Who enables which feature of the data plane, as cargo resolves it over these edges.
fn features(edges: &str) -> String {
    let told = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--offline", "--locked", "-p", "proxy-checker"])
        .args(["-i", "proxy-shards", "-e", edges])
        .output()
        .unwrap();
    let told_else = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{told_else}");
    String::from_utf8(told.stdout).unwrap()
}

#[test]
fn a_build_that_is_no_test_makes_no_faults() {
    let (plain, test) = (features("normal,build,features"), features("all,features"));
    let hooks = r#"proxy-shards feature "hooks""#;
    assert!(test.contains(hooks), "{test}");
    assert!(plain.contains("proxy-checker"), "{plain}");
    assert!(!plain.contains(hooks), "{plain}");
}
