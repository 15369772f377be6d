//! Sources on the disk.

use super::super::file::hanging;
use super::*;
use std::fs;
use std::process::Command;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_file_is_read_with_the_same_limits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.txt");
    fs::write(&path, "1.2.3.4:80\r\n1.2.3.5:80").unwrap();
    let expected = listed(&["auto://1.2.3.4:80", "auto://1.2.3.5:80"]);
    assert_eq!(fetch(&file(&path)).await, expected);

    let limits = Aggregator {
        source_bytes_max: 15,
        ..aggregator()
    };
    let too_large = FetchError::TooLarge {
        bytes_max: 15,
        found: 1,
    };
    assert_eq!(fetch_with(&limits, &file(&path)).await, Err(too_large));

    let limits = Aggregator {
        source_timeout: Duration::ZERO,
        ..aggregator()
    };
    let error = fetch_with(&limits, &file(&path)).await.unwrap_err();
    assert!(matches!(error, FetchError::TimedOut { .. }), "{error}");

    fs::write(&path, "").unwrap();
    let error = fetch(&file(&path)).await.unwrap_err();
    assert!(
        matches!(error, FetchError::NothingFound { bytes: 0, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_not_a_regular_file_is_refused_instead_of_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    for (path, expected) in [
        (fifo, FetchError::NotAFile("a FIFO")),
        (
            folder.path().to_owned(),
            FetchError::NotAFile("a directory"),
        ),
        ("/dev/zero".into(), FetchError::NotAFile("a device")),
        (
            folder.path().join("missing"),
            FetchError::File(std::io::ErrorKind::NotFound),
        ),
    ] {
        assert_eq!(
            fetch(&file(&path)).await,
            Err(expected),
            "{}",
            path.display()
        );
    }
}

#[tokio::test]
async fn a_file_whose_last_read_hangs_holds_one_thread_and_is_read_again_when_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.txt");
    fs::write(&path, "1.2.3.4:80").unwrap();
    let limits = Aggregator {
        source_timeout: Duration::from_millis(10),
        ..aggregator()
    };
    let (mend, begun) = hanging::begin(&path);
    for _ in 0..2 {
        let stuck = fetch_with(&limits, &file(&path)).await;
        assert_eq!(stuck, Err(FetchError::FileStuck));
    }
    assert_eq!(begun.load(Ordering::SeqCst), 1, "threads that read it");
    drop(mend);
    assert_eq!(fetch(&file(&path)).await, listed(&["auto://1.2.3.4:80"]));
}
