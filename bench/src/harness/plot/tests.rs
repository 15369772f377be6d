use super::*;

fn series(values: &[f64]) -> Series {
    values.iter().copied().collect()
}

fn count(svg: &str, tag: &str) -> usize {
    svg.matches(tag).count()
}

#[test]
fn a_group_has_a_bar_for_each_contestant_that_ran() {
    let bars = |b: &[f64]| Bars {
        title: "CPU a probe".into(),
        y: "µs".into(),
        names: vec!["raw".into(), "<tokio>".into()],
        groups: vec![("good, 1000".into(), vec![series(&[20.0, 22.0]), series(b)])],
    };
    let both = bars(&[30.0]).svg().expect("drawn");
    let one = bars(&[]).svg().expect("drawn");
    // Two squares of the legend, and the bars.
    assert_eq!(
        (count(&both, "<rect"), count(&one, "<rect")),
        (4, 3),
        "{both}"
    );
    for text in [
        "CPU a probe",
        "µs",
        "&lt;tokio&gt;",
        "good",
        "1000",
        "prefers-color-scheme",
    ] {
        assert!(both.contains(text), "{text}: {both}");
    }
}

#[test]
fn a_line_has_a_point_for_each_place_and_whiskers_where_runs_differ() {
    let lines = Lines {
        title: "CPU over lanes".into(),
        x: "lanes".into(),
        y: "µs a probe".into(),
        lines: vec![(
            "raw".into(),
            vec![(1000.0, series(&[20.0, 21.0])), (19000.0, series(&[37.0]))],
        )],
    };
    let svg = lines.svg().expect("drawn");
    assert_eq!(count(&svg, "<circle"), 2, "{svg}");
    assert!(svg.contains("µs a probe") && svg.contains("lanes"), "{svg}");
}

#[test]
fn nothing_at_all_can_be_drawn_too() {
    assert!(Bars::default().svg().is_ok() && Lines::default().svg().is_ok());
}
