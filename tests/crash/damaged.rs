//! A disk that lies: a byte is another one, or the end of a file is missing.

use super::images::{image, number};
use super::stores::{KINDS, Kind, files, open};
use super::support::{ask, eventually, start};
use super::{rounds, seed};
use fastrand::Rng;
use proxy_checker::store::Image;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Changes one byte of one file of the store, or cuts the file.
fn damage(folder: &Path, random: &mut Rng) -> String {
    let files = files(folder);
    let file = &files[random.usize(..files.len())];
    let mut bytes = fs::read(file).unwrap();
    let at = random.usize(..bytes.len());
    let what = match random.bool() {
        true => {
            bytes.truncate(at);
            "cut"
        }
        false => {
            bytes[at] ^= random.u8(1..);
            "another byte"
        }
    };
    fs::write(file, bytes).unwrap();
    format!("{what} at {at} of {}", file.display())
}

fn is_whole_or_empty(kind: Kind) -> u32 {
    let first = seed(&format!("{} damaged", kind.name));
    let images = [image(1), image(2)];
    let mut emptied = 0;
    for seed in first..first + rounds() {
        let folder = tempfile::tempdir().unwrap();
        let backend = kind.within(folder.path());
        let mut store = open(&backend);
        for image in &images {
            store.save(image).unwrap();
        }
        drop(store);
        let what = damage(folder.path(), &mut Rng::with_seed(seed));
        let what = format!("{}, seed {seed}, {what}", kind.name);
        let mut store = open(&backend);
        let loaded = store
            .load()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        match store.recovered() {
            None => assert!((1..=2).contains(&number(&loaded)), "{what}"),
            Some(recovered) => {
                assert_eq!(loaded, Image::default(), "{what}");
                assert!(recovered.moved_to.exists(), "{what}");
                emptied += 1;
            }
        }
        store.save(&images[0]).unwrap();
        assert_eq!(number(&store.load().unwrap()), 1, "{what}");
    }
    emptied
}

#[test]
fn what_is_read_is_an_image_that_was_saved_or_nothing_and_then_it_is_said() {
    for kind in KINDS {
        let emptied = is_whole_or_empty(kind);
        eprintln!("{}: {emptied} of {} were moved aside", kind.name, rounds());
        assert!(emptied > 0, "{}: no damage was noticed", kind.name);
    }
}

#[test]
fn a_service_whose_store_is_damaged_starts_and_says_so_in_its_log_and_its_metrics() {
    for kind in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("store");
        fs::create_dir(&place).unwrap();
        open(&kind.within(&place)).save(&image(1)).unwrap();
        for file in files(&place) {
            let length = fs::metadata(&file).unwrap().len();
            fs::write(&file, vec![0xff; length as usize]).unwrap();
        }
        let config = json!({
            "aggregator": {"sources": []},
            "checker": {"control_probe": false, "concurrency_total": 10, "shards": 1},
            "api": {"addr": "127.0.0.1:0"},
            "storage": {"type": kind.name, "path": "store/ledger"},
            "metrics": {"enabled": true},
            "logging": {"format": "text"},
        });
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let mut service = start(&["serve"], "", Some(folder.path()));
        service.after("could not be read (");
        let address = service.after("the API listens address=");
        let address = address.split(' ').next().unwrap();
        let page = eventually(Duration::from_secs(20), "an answer", || {
            let (status, page) = ask(address, "GET", "/metrics");
            (status == 200).then_some(page)
        });
        let line = "proxychecker_storage_recovered_total 1";
        assert!(page.contains(line), "{}: {page}", kind.name);
    }
}
