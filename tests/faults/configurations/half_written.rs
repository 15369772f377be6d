//! Files that are written in pieces, and the ways in which editors and Kubernetes replace one.

use super::{alive, farm, goes_by, more_reloads, reload, reloads, source, stage};
use crate::stage::{Service, Stage};
use crate::support::PATIENCE;
use crate::turn;
use proxy_bench::farm::Behaviour;
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Another way to put a text into a file.
type Way = fn(&Stage, &str);

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.sync_all().unwrap();
}

fn truncated_and_written(stage: &Stage, text: &str) {
    fs::write(stage.path("config.json"), text).unwrap();
}

fn renamed_over(stage: &Stage, text: &str) {
    fs::write(stage.path(".config.json.swp"), text).unwrap();
    fs::rename(stage.path(".config.json.swp"), stage.path("config.json")).unwrap();
}

fn moved_away_and_written(stage: &Stage, text: &str) {
    fs::rename(stage.path("config.json"), stage.path("config.json~")).unwrap();
    fs::write(stage.path("config.json"), text).unwrap();
}

fn written_in_pieces(stage: &Stage, text: &str) {
    let path = stage.path("config.json");
    fs::write(&path, "").unwrap();
    for piece in text.as_bytes().chunks(text.len() / 20) {
        append(&path, std::str::from_utf8(piece).expect("ASCII"));
    }
}

/// As a volume of a ConfigMap: `config.json` leads through `..data`, which is swapped.
fn swapped_by_link(stage: &Stage, text: &str) {
    let (path, data) = (stage.path("config.json"), stage.path("..data"));
    let mut versions = (0..).map(|nth| stage.path(&format!("..{nth}")));
    let version = versions.find(|path| !path.exists()).unwrap();
    fs::create_dir(&version).unwrap();
    fs::write(version.join("config.json"), text).unwrap();
    symlink(&version, stage.path("..data_tmp")).unwrap();
    fs::rename(stage.path("..data_tmp"), &data).unwrap();
    if fs::read_link(&path).is_err() {
        symlink("..data/config.json", stage.path("link")).unwrap();
        fs::rename(stage.path("link"), &path).unwrap();
    }
}

/// Half of it stays for long enough to be noticed; the other half follows.
fn in_two_halves(stage: &Stage, service: &Service, in_force: &Value) {
    let (path, refused) = (stage.path("config.json"), reloads(service, "refused"));
    let text = stage.config.to_string();
    let (first, second) = text.split_at(text.len() / 2);
    fs::write(&path, first).unwrap();
    more_reloads(service, "refused", refused);
    let (status, answer) = reload(service);
    assert_eq!(status, 422, "{answer}");
    let words = answer["error"].as_str().unwrap();
    assert!(words.contains("EOF"), "{words}");
    goes_by(service, in_force);
    append(&path, second);
}

#[test]
fn a_configuration_is_taken_however_it_is_written_and_never_by_half() {
    let _turn = turn();
    let farm = farm();
    let mix = farm.mix(5, &[Behaviour::Forwards]);
    let mut stage = stage(&mix);
    let service = stage.start();
    service.serves(&alive(&mix), PATIENCE);
    let ways: [(&str, Way); 7] = [
        ("truncated and written", truncated_and_written),
        ("renamed over", renamed_over),
        ("moved away and written", moved_away_and_written),
        ("written in pieces", written_in_pieces),
        ("a link in its place", swapped_by_link),
        ("the link swapped", swapped_by_link),
        ("renamed over the link", renamed_over),
    ];
    for (nth, (name, way)) in (1..).zip(ways) {
        let applied = reloads(&service, "applied");
        stage.config["aggregator"]["sources"] = source(&stage, nth);
        way(&stage, &stage.config.to_string());
        more_reloads(&service, "applied", applied);
        goes_by(&service, &stage.config["aggregator"]["sources"]);
        assert_eq!(service.served(), alive(&mix), "{name}");
    }
    let in_force = stage.config["aggregator"]["sources"].clone();
    stage.config["aggregator"]["sources"] = source(&stage, 100);
    let applied = reloads(&service, "applied");
    in_two_halves(&stage, &service, &in_force);
    more_reloads(&service, "applied", applied);
    goes_by(&service, &stage.config["aggregator"]["sources"]);
    service.serves(&alive(&mix), PATIENCE);
    service.end();
}
