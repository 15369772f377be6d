//! Plots as SVG: bars in groups, and lines over an axis, both with the spread of the runs. Readable
//! on a light and on a dark page.

use super::figures::Series;
use super::{Error, Result};
use plotters::coord::ranged1d::ValueFormatter;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// What is not a bar or a line: readable on white and on black.
const INK: RGBColor = RGBColor(0x7d, 0x85, 0x90);

/// Okabe and Ito's colours, which colour-blind people can tell apart, without those that vanish on
/// white or on black.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x99, 0x99, 0x33),
];

/// Where the reader's page is known to be light or dark, text has more contrast than [`INK`].
const STYLE: &str = "<style>\
@media (prefers-color-scheme: light) { text { fill: #1f2328 } }\
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }\
</style>";

const HEIGHT: u32 = 420;
const WIDTH_MIN: u32 = 760;
/// Room for a group of bars and the words under it, in pixels.
const GROUP_WIDTH: u32 = 116;
const FONT: (&str, u32) = ("sans-serif", 15);
/// How wide a letter of the legend is, about, in pixels.
const LETTER: i32 = 8;

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Bars in groups: a group a row of a table, a colour a contestant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// What is shown.
    pub title: String,
    /// What a bar's height is, with its unit.
    pub y: String,
    /// The contestants.
    pub names: Vec<String>,
    /// Each group's words – a comma begins a new line – and the runs of each contestant; those
    /// without any have no bar.
    pub groups: Vec<(String, Vec<Series>)>,
}

/// Lines over an axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lines {
    /// What is shown.
    pub title: String,
    /// What the axis is, with its unit.
    pub x: String,
    /// What a line's height is, with its unit.
    pub y: String,
    /// Each line's name and its points.
    pub lines: Vec<(String, Vec<(f64, Series)>)>,
}

impl Bars {
    /// The plot.
    ///
    /// # Errors
    /// Those of the drawing library.
    pub fn svg(&self) -> Result<String> {
        let count = self.groups.len();
        let width = WIDTH_MIN.max(u32::try_from(count).unwrap_or(0) * GROUP_WIDTH + 90);
        let top = top(self.groups.iter().flat_map(|(_, bars)| bars));
        drawn(width, |area| {
            legend(area, &self.title, self.names.iter())?;
            let x = -0.5..count.max(1) as f64 - 0.5;
            let mut chart = chart(area, x, top, 64)?;
            (chart.configure_mesh().disable_x_mesh().x_labels(0))
                .y_desc(&self.y)
                .bold_line_style(INK.mix(0.35))
                .light_line_style(TRANSPARENT)
                .axis_style(INK)
                .label_style(words(Pos::new(HPos::Left, VPos::Top)))
                .draw()
                .map_err(plot)?;
            self.groups
                .iter()
                .enumerate()
                .try_for_each(|(at, (name, bars))| {
                    group(&mut chart, at as f64, bars)?;
                    let (x, y) = chart.backend_coord(&(at as f64, 0.0));
                    let style = words(Pos::new(HPos::Center, VPos::Top));
                    (name.split(", ").zip(0..)).try_for_each(|(line, number)| {
                        area.draw(&Text::new(
                            line.to_owned(),
                            (x, y + 8 + 17 * number),
                            style.clone(),
                        ))
                        .map_err(plot)
                    })
                })
        })
    }
}

impl Lines {
    /// The plot.
    ///
    /// # Errors
    /// Those of the drawing library.
    pub fn svg(&self) -> Result<String> {
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let right = points().map(|(x, _)| *x).fold(0.0, f64::max);
        let top = top(points().map(|(_, runs)| runs));
        drawn(WIDTH_MIN, |area| {
            legend(area, &self.title, self.lines.iter().map(|(name, _)| name))?;
            let mut chart = chart(area, 0.0..right.max(1.0) * 1.04, top, 46)?;
            (chart.configure_mesh().x_desc(&self.x).y_desc(&self.y))
                .bold_line_style(INK.mix(0.35))
                .light_line_style(TRANSPARENT)
                .axis_style(INK)
                .label_style(words(Pos::new(HPos::Left, VPos::Top)))
                .draw()
                .map_err(plot)?;
            let colours = COLOURS.iter().cycle();
            self.lines
                .iter()
                .zip(colours)
                .try_for_each(|((_, points), colour)| {
                    let medians = || {
                        points
                            .iter()
                            .filter_map(|(x, runs)| Some((*x, runs.median()?)))
                    };
                    (chart.draw_series(LineSeries::new(medians(), colour.stroke_width(2))))
                        .map_err(plot)?;
                    let dot = |at| Circle::new(at, 3, colour.filled());
                    chart.draw_series(medians().map(dot)).map_err(plot)?;
                    let spread = points.iter().map(|(x, runs)| (*x, runs));
                    whiskers(&mut chart, spread, right * 0.006, *colour)
                })
        })
    }
}

fn plot<E: std::error::Error>(error: E) -> Error {
    Error::Plot(error.to_string())
}

fn words(pos: Pos) -> TextStyle<'static> {
    FONT.into_text_style(&(WIDTH_MIN, HEIGHT))
        .color(&INK)
        .pos(pos)
}

fn drawn(width: u32, draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (width, HEIGHT)).into_drawing_area();
        draw(&area)?;
        area.present().map_err(plot)?;
    }
    // Its first tag is the drawing's own, behind the XML declaration if there is one.
    let inside = svg
        .find("<svg")
        .and_then(|at| Some(at + svg[at..].find('>')? + 1));
    match inside {
        Some(at) => svg.insert_str(at, STYLE),
        None => return Err(Error::Plot("no drawing came of it".into())),
    }
    Ok(svg)
}

/// The end of the axis: a little above what is highest.
fn top<'a>(all: impl Iterator<Item = &'a Series>) -> f64 {
    let most = all.filter_map(Series::max).fold(0.0, f64::max);
    if most > 0.0 { most * 1.06 } else { 1.0 }
}

/// The title, and under it a square and a name for each colour.
fn legend<'a>(area: &Area<'_>, title: &str, names: impl Iterator<Item = &'a String>) -> Result<()> {
    let left = Pos::new(HPos::Left, VPos::Top);
    let heading = ("sans-serif", 18)
        .into_text_style(area)
        .color(&INK)
        .pos(left);
    area.draw(&Text::new(title.to_owned(), (12, 8), heading))
        .map_err(plot)?;
    let mut x = 12;
    for (name, colour) in names.zip(COLOURS.iter().cycle()) {
        let square = Rectangle::new([(x, 38), (x + 12, 50)], colour.filled());
        area.draw(&square).map_err(plot)?;
        area.draw(&Text::new(name.clone(), (x + 18, 37), words(left)))
            .map_err(plot)?;
        x += 18 + LETTER * i32::try_from(name.chars().count()).unwrap_or(0) + 22;
    }
    Ok(())
}

fn chart<'a, 'b>(
    area: &'a Area<'b>,
    x: std::ops::Range<f64>,
    top: f64,
    under: u32,
) -> Result<Chart<'a, 'b>>
where
    RangedCoordf64: ValueFormatter<f64>,
{
    ChartBuilder::on(area)
        .margin_top(66)
        .margin_right(16)
        .margin_left(8)
        .x_label_area_size(under)
        .y_label_area_size(64)
        .build_cartesian_2d(x, 0.0..top)
        .map_err(plot)
}

/// The bars of a group around `at`.
fn group(chart: &mut Chart<'_, '_>, at: f64, bars: &[Series]) -> Result<()> {
    let width = 0.8 / bars.len().max(1) as f64;
    for (number, (runs, colour)) in bars.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let Some(median) = runs.median() else {
            continue;
        };
        let left = at - 0.4 + width * number as f64;
        let bar = Rectangle::new(
            [(left + width * 0.06, 0.0), (left + width * 0.94, median)],
            colour.filled(),
        );
        chart.draw_series([bar]).map_err(plot)?;
        whiskers(
            chart,
            [(left + width / 2.0, runs)].into_iter(),
            width * 0.18,
            INK,
        )?;
    }
    Ok(())
}

/// From the least to the most of the runs, with a cap at either end; nothing for a single run.
fn whiskers<'a>(
    chart: &mut Chart<'_, '_>,
    points: impl Iterator<Item = (f64, &'a Series)>,
    half: f64,
    colour: RGBColor,
) -> Result<()> {
    for (x, runs) in points.filter(|(_, runs)| runs.runs().len() > 1) {
        let (Some(min), Some(max)) = (runs.min(), runs.max()) else {
            continue;
        };
        let strokes = [
            vec![(x, min), (x, max)],
            vec![(x - half, min), (x + half, min)],
            vec![(x - half, max), (x + half, max)],
        ];
        let strokes = strokes.map(|points| PathElement::new(points, colour.stroke_width(1)));
        chart.draw_series(strokes).map_err(plot)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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
}
