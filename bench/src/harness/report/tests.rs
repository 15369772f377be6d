use super::*;
use crate::harness::cpus::Cpus;

const COLUMNS: [Column; 2] = [Column::text("run", 8), Column::figures("CPU", "µs", 1, 18)];

fn report(folder: &Path) -> Report {
    let cpus = Cpus {
        farm: 0,
        program: vec![1],
    };
    Report::begin("test", COLUMNS.to_vec(), folder, &Machine::now(&cpus)).expect("begun")
}

#[test]
fn columns_stand_under_each_other_whatever_is_in_them() {
    let cells = |a: &str, b: &str| line(&COLUMNS, &[a.into(), b.into()]);
    assert_eq!(
        cells("raw", "54.3 (52.0–60.1)"),
        "raw       54.3 (52.0–60.1)"
    );
    assert_eq!(cells("µµ", "1"), "µµ        1");
}

#[test]
fn a_report_is_written_only_when_it_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new/test.json");
    let mut report = report(&folder.path().join("new"));
    let series: Series = [3.0, 1.0, 2.0].into_iter().collect();
    report
        .row(Row {
            values: vec!["raw".into(), series.into()],
            commands: vec!["proxy-bench reference raw".into()],
            runs: vec![json!({"wall_s": 1.5})],
        })
        .expect("a row");
    report.note("tokio left out").expect("a note");
    assert!(!path.exists());
    report.end(&[("cpu", "<svg/>".into())]).expect("ended");

    let read = std::fs::read_to_string(&path).expect("written");
    let json: Json = serde_json::from_str(&read).expect("JSON");
    assert_eq!(json["rows"][0]["values"][1]["median"], 2.0);
    assert_eq!(json["rows"][0]["values"][1]["runs"][0], 3.0);
    assert_eq!(json["rows"][0]["commands"][0], "proxy-bench reference raw");
    assert_eq!(json["columns"][1]["unit"], "µs");
    assert_eq!(json["notes"][0], "tokio left out");
    assert!(json["machine"]["kernel"].is_string());
    let files = std::fs::read_dir(folder.path().join("new"))
        .expect("a folder")
        .count();
    assert_eq!(files, 2, "the report and the plot, nothing beside");
}
