//! What is measured.

use crate::Outcome;
use crate::answers::INTERVAL_MS;
use crate::house::House;
use crate::lists::{self, COUNT, Kind};
use crate::measure::{self, Figure, Unit, timed};
use crate::stores;
use proxy_checker::config::Backend;
use proxy_checker::sources::address::AddressPolicy;
use proxy_checker::sources::parse::{Format, Parsed, Parser, Reading, parse};
use proxy_checker::store;
use proxy_shards::Scheme;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A part of the bench that runs in a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// Text in memory → unique candidates, on this thread.
    Parse,
    /// The whole program: `proxy-checker parse FILE`.
    Program,
    /// Candidates in the ledger and on the schedule, checked again and again.
    Hold,
    /// A ledger saved and loaded, by each store.
    Store,
}

impl Section {
    pub(crate) const ALL: [Section; 4] = [
        Section::Parse,
        Section::Program,
        Section::Hold,
        Section::Store,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Section::Parse => "parse",
            Section::Program => "program",
            Section::Hold => "hold",
            Section::Store => "store",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Section> {
        Section::ALL
            .into_iter()
            .find(|section| section.name() == name)
    }

    /// Runs it once, in this process; `records` is the size of the ledger that is stored, if it is
    /// not the usual ones.
    pub(crate) fn run(self, records: Option<u32>) -> Outcome<Vec<Figure>> {
        match self {
            Section::Parse => parsing(),
            Section::Program => program(),
            Section::Hold => holding(),
            Section::Store => match records {
                Some(records) => stores::storing(&[records]),
                None => stores::storing(&[100_000, 1_000_000]),
            },
        }
    }
}

fn reading() -> Reading {
    Reading {
        hint: Scheme::Auto,
        format: Format::Auto,
        addresses: AddressPolicy::default(),
    }
}

/// A list from the disk, piece by piece as `serve` reads it.
fn fetched(path: &Path) -> Outcome<Parsed> {
    let mut parser = Parser::new(reading());
    let mut file = File::open(path)?;
    let mut piece = vec![0; 64 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => return complete(parser.finish()),
            length => parser.push(&piece[..length]),
        }
    }
}

fn complete(parsed: Parsed) -> Outcome<Parsed> {
    if parsed.candidates.len() != COUNT as usize {
        return Err(format!("{} candidates", parsed.candidates.len()).into());
    }
    Ok(parsed)
}

fn parsing() -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for kind in Kind::ALL {
        let text = lists::text(kind);
        let (parsed, time) = timed(|| parse(text.as_bytes(), reading()))?;
        complete(parsed)?;
        figures.push(Figure::ms(format!("parse {}", kind.label()), time));
    }
    Ok(figures)
}

fn program() -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for kind in Kind::ALL {
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), lists::text(kind))?;
        let start = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_proxy-checker"))
            .arg("parse")
            .arg(file.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let process = child.id().to_string();
        let (mut time, mut most) = (Duration::ZERO, 0);
        // Both only grow, so the last look before the end is the one that counts.
        while child.try_wait()?.is_none() {
            time = measure::cpu_of(&process).unwrap_or(time).max(time);
            most = measure::memory(&process, "VmHWM").unwrap_or(most).max(most);
            thread::sleep(Duration::from_millis(1));
        }
        let label = kind.label();
        if !child.wait()?.success() {
            return Err(format!("proxy-checker parse failed on {label}").into());
        }
        figures.push(Figure::ms(
            format!("program {label}, wall"),
            start.elapsed(),
        ));
        figures.push(Figure::ms(format!("program {label}, CPU"), time));
        let mb = most as f64 / 1e6;
        figures.push(Figure::new(format!("program {label}, peak"), Unit::Mb, mb));
    }
    Ok(figures)
}

fn mb(field: &str) -> io::Result<f64> {
    Ok(measure::memory("self", field)? as f64 / 1e6)
}

/// The list is parsed as `serve` does it, taken in, and checked for sixteen intervals.
fn holding() -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut add = |name: &str, unit, value| figures.push(Figure::new(name, unit, value));
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("list");
    fs::write(&file, lists::text(Kind::Plain))?;
    let fetched = || fetched(&file);
    let mut house = House::new();
    let before = mb("VmRSS")?;
    let list = fetched()?;
    let ((), time) = timed(|| house.deliver(list))?;
    add("hold: intake", Unit::Ms, time.as_secs_f64() * 1e3);
    add("hold: known, memory", Unit::Mb, mb("VmRSS")? - before);
    let ((), time) = timed(|| house.pass(INTERVAL_MS / 2))?;
    let each = time.as_nanos() as f64 / house.records as f64;
    add("hold: first sweep, a record", Unit::NsEach, each);
    add("hold: first sweep, memory", Unit::Mb, mb("VmRSS")?);
    let records = house.records;
    let ((), time) = timed(|| house.pass(16 * INTERVAL_MS))?;
    let each = time.as_nanos() as f64 / (house.records - records) as f64;
    add("hold: later, a record", Unit::NsEach, each);
    let checks = house.records as f64 / f64::from(COUNT);
    eprintln!("{checks} checks each, {} publications", house.publications);
    add("hold: all checked, memory", Unit::Mb, mb("VmRSS")?);
    add("hold: all checked, peak so far", Unit::Mb, mb("VmHWM")?);
    let alive = house.published.load().pool.proxies().len();
    if alive != COUNT as usize / 10 {
        return Err(format!("{alive} alive").into());
    }
    publications(&mut house, &mut add)?;
    let list = fetched()?;
    let ((), time) = timed(|| house.deliver(list))?;
    add(
        "hold: the same list again",
        Unit::Ms,
        time.as_secs_f64() * 1e3,
    );
    add("hold: the same list again, peak", Unit::Mb, mb("VmHWM")?);
    let ((), time) = timed(|| house.finish())?;
    add(
        "hold: image for the store",
        Unit::Ms,
        time.as_secs_f64() * 1e3,
    );
    add("hold: image for the store, peak", Unit::Mb, mb("VmHWM")?);
    let image = house.images.pop().ok_or("no image")?;
    let mut store = store::open(&Backend::Sled(folder.path().join("sled")))?;
    let (saved, time) = timed(|| store.save(&image))?;
    saved?;
    add("hold: saved in sled", Unit::Ms, time.as_secs_f64() * 1e3);
    add("hold: saved in sled, peak", Unit::Mb, mb("VmHWM")?);
    Ok(figures)
}

/// Publications of 100 000 alive, after one report each. Everything is due, so that every lane is
/// taken and nothing is handed out in the time that is measured.
fn publications(house: &mut House, add: &mut impl FnMut(&str, Unit, f64)) -> Outcome<()> {
    let mut times = Vec::new();
    house.tick(INTERVAL_MS);
    while times.len() < 40 {
        if !house.report() {
            return Err("nothing was due".into());
        }
        let before = house.publications;
        let ((), time) = timed(|| house.tick(250))?;
        if house.publications > before {
            times.push(time.as_secs_f64() * 1e3);
        }
    }
    let (median, _, most) = measure::spread(&times);
    add("publish 100 000 alive", Unit::Ms, median);
    add("publish 100 000 alive, slowest of 40", Unit::Ms, most);
    Ok(())
}
