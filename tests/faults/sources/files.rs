//! Files in the place of lists that are no files, cannot be read, or are too large.

use super::turning::{Bad, World};
use crate::stage::Stage;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

/// How a file turns bad: puts something at this path, where nothing is.
type Put = fn(&Path);

const CASES: [(&str, &[&str], Put); 9] = [
    ("fifo", &["not a regular file but a FIFO"], |path| {
        let made = Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    }),
    (
        "directory",
        &["not a regular file but a directory"],
        |path| {
            fs::create_dir(path).unwrap();
        },
    ),
    ("zeros", &["not a regular file but a device"], |path| {
        symlink("/dev/zero", path).unwrap();
    }),
    ("socket", &["not a regular file but a socket"], |path| {
        drop(UnixListener::bind(path).unwrap());
    }),
    ("loop", &["cannot read the file: "], |path| {
        symlink(path, path).unwrap()
    }),
    ("gone", &["cannot read the file: entity not found"], |_| {}),
    (
        "forbidden",
        &["cannot read the file: permission denied"],
        |path| {
            fs::write(path, "1.2.3.4:80\n").unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
        },
    ),
    ("sparse", &["longer than"], |path| {
        File::create(path).unwrap().set_len(2 << 30).unwrap();
    }),
    ("hole", &["it begins with zero bytes"], |path| {
        File::create(path).unwrap().set_len(4_096).unwrap();
    }),
];

/// Takes from root the right to read whatever it likes, which a service does not have.
fn without_privilege(stage: &mut Stage) {
    if rustix::process::geteuid().is_root() {
        stage.before =
            "exec setpriv --bounding-set=-dac_override,-dac_read_search \"$0\" \"$@\"".into();
    }
}

#[test]
fn what_is_no_file_that_can_be_read_is_named_and_waited_for_by_nobody() {
    let _turn = crate::turn();
    let bad = CASES.map(|(name, says, _)| Bad {
        name,
        turn: None,
        says,
    });
    let mut world = World::start(bad.into(), |stage, _, name, text| {
        without_privilege(stage);
        let path = stage.path(name);
        fs::write(&path, text).unwrap();
        Some(path.display().to_string())
    });
    let threads = world.service.threads();
    for (name, _, put) in CASES {
        let path = world.stage.path(name);
        fs::remove_file(&path).unwrap();
        put(&path);
    }
    world.withstands("files");
    // Sixteen are read side by side, each on a thread that may block.
    let more = world.service.threads().saturating_sub(threads);
    assert!(more <= CASES.len(), "{more} threads more than before");
    world.ends();
}
