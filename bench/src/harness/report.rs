//! The report of a scenario: a table on standard output, row by row as they come, and one JSON file
//! with every single run.

use super::figures::Series;
use super::machine::Machine;
use super::{Result, at, system};
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    name: &'static str,
    unit: &'static str,
    #[serde(skip)]
    decimals: usize,
    #[serde(skip)]
    width: usize,
}

impl Column {
    /// A column of text.
    pub const fn text(name: &'static str, width: usize) -> Column {
        Column::figures(name, "", 0, width)
    }

    /// A column of figures in `unit`, shown with so many decimals.
    pub const fn figures(
        name: &'static str,
        unit: &'static str,
        decimals: usize,
        width: usize,
    ) -> Column {
        Column {
            name,
            unit,
            decimals,
            width,
        }
    }

    fn width(&self) -> usize {
        let least = self.name.chars().count().max(self.unit.chars().count());
        self.width.max(least)
    }
}

/// What stands in one place of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Words.
    Text(String),
    /// One figure of each run; shown are median, least and most.
    Runs(Series),
}

impl From<Series> for Value {
    fn from(series: Series) -> Value {
        Value::Runs(series)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

/// A row: a value for each column, and how it came about.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Row {
    /// In the order of the columns.
    pub values: Vec<Value>,
    /// The commands of one run, as one would type them; `$DIR` is its scratch folder.
    pub commands: Vec<String>,
    /// Whatever else is known of each run.
    pub runs: Vec<Json>,
}

/// A report that grows.
#[derive(Debug)]
pub struct Report {
    scenario: &'static str,
    folder: PathBuf,
    machine: Json,
    columns: Vec<Column>,
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Report {
    /// Prints the machine and the head of the table.
    ///
    /// # Errors
    /// Those of standard output.
    pub fn begin(
        scenario: &'static str,
        columns: Vec<Column>,
        folder: &Path,
        machine: &Machine,
    ) -> Result<Report> {
        let head = |text: fn(&Column) -> &str| {
            let cells: Vec<_> = columns.iter().map(|c| text(c).to_owned()).collect();
            line(&columns, &cells)
        };
        say(&format!(
            "{machine}\n{}\n{}",
            head(|c| c.name),
            head(|c| c.unit)
        ))?;
        Ok(Report {
            scenario,
            folder: folder.to_owned(),
            machine: serde_json::to_value(machine).map_err(|e| system("JSON")(e.into()))?,
            columns,
            rows: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// Prints a row and keeps it.
    ///
    /// # Errors
    /// Those of standard output.
    ///
    /// # Panics
    /// If it has not one value for each column.
    pub fn row(&mut self, row: Row) -> Result<()> {
        assert_eq!(
            row.values.len(),
            self.columns.len(),
            "a value for each column"
        );
        let cell = |(value, column): (&Value, &Column)| match value {
            Value::Text(text) => text.clone(),
            Value::Runs(series) => series.text(column.decimals),
        };
        let cells: Vec<_> = row.values.iter().zip(&self.columns).map(cell).collect();
        say(&line(&self.columns, &cells))?;
        self.rows.push(row);
        Ok(())
    }

    /// Prints a line that is no row, and keeps it: what was left out, and why.
    ///
    /// # Errors
    /// Those of standard output.
    pub fn note(&mut self, note: impl Into<String>) -> Result<()> {
        let note = note.into();
        say(&note)?;
        self.notes.push(note);
        Ok(())
    }

    /// The rows so far.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Prints the commands, writes `<scenario>.json` and the plots `<scenario>-<name>.svg`, and says
    /// where they are. Until now nothing was written, so that a run that was broken off leaves the
    /// files of the last whole one.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn end(self, plots: &[(&str, String)]) -> Result<()> {
        self.say_commands()?;
        let report = json!({
            "scenario": self.scenario,
            "machine": self.machine,
            "columns": self.columns,
            "rows": self.rows,
            "notes": self.notes,
        });
        let text = format!("{report:#}\n");
        std::fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        let mut written = vec![self.folder.join(format!("{}.json", self.scenario))];
        write_whole(&written[0], text.as_bytes())?;
        for (name, svg) in plots {
            let path = self.folder.join(format!("{}-{name}.svg", self.scenario));
            write_whole(&path, svg.as_bytes())?;
            written.push(path);
        }
        let written: Vec<_> = written.iter().map(|p| p.display().to_string()).collect();
        say(&format!("\nwritten: {}", written.join(", ")))
    }

    fn say_commands(&self) -> Result<()> {
        let mut said: Vec<&Vec<String>> = Vec::new();
        for row in &self.rows {
            if !row.commands.is_empty() && !said.contains(&&row.commands) {
                said.push(&row.commands);
            }
        }
        if !said.is_empty() {
            say(
                "\nThe commands ($DIR is a scratch folder; each farm is up while its programs run):",
            )?;
        }
        said.iter()
            .try_for_each(|commands| say(&format!("  {}\n", commands.join("\n  "))))
    }
}

/// Columns, two blanks between; text to the left, what comes after the first columns too, because a
/// median with its spread is read from its first digit.
fn line(columns: &[Column], cells: &[String]) -> String {
    let mut line = String::new();
    for (column, cell) in columns.iter().zip(cells) {
        let width = column.width();
        line += &format!("{cell:<width$}  ");
    }
    line.trim_end().to_owned()
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(system("standard output"))
}

/// Written beside and renamed: whoever reads it sees the old file or the new one.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = path.parent().unwrap_or(Path::new("."));
    let readable = std::fs::Permissions::from_mode(0o644);
    let mut beside = tempfile::Builder::new()
        .permissions(readable)
        .tempfile_in(folder)
        .map_err(at(folder))?;
    beside.write_all(bytes).map_err(at(path))?;
    beside.persist(path).map_err(|e| at(path)(e.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
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
}
