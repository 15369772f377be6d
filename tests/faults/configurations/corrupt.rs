//! Configurations that are wrong, each in its own way, and the words by which its operator finds it.

use crate::stage::Stage;
use serde_json::{Value, json};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

/// What stands where the configuration was.
pub(super) enum Put {
    /// A file with this content.
    Bytes(Vec<u8>),
    /// A file of so many bytes, all of them NUL.
    Long(u64),
    /// A file that nobody may read.
    Locked,
    Folder,
    Nothing,
    /// A symbolic link that leads there.
    Link(&'static str),
    Fifo,
    Socket,
}

/// One of them.
pub(super) struct Corrupt {
    pub(super) name: &'static str,
    pub(super) put: Put,
    /// Parts of what is said of it: the place, and what to do.
    pub(super) says: &'static [&'static str],
}

impl Corrupt {
    /// Puts it in the place of the configuration.
    pub(super) fn put_in_place(&self, stage: &Stage) {
        let (beside, path) = (stage.path("config.new"), stage.path("config.json"));
        clear(stage);
        match &self.put {
            Put::Bytes(bytes) => fs::write(&beside, bytes).unwrap(),
            Put::Long(bytes) => File::create(&beside).unwrap().set_len(*bytes).unwrap(),
            Put::Locked => {
                fs::write(&beside, "{}").unwrap();
                fs::set_permissions(&beside, Permissions::from_mode(0o0)).unwrap();
            }
            Put::Folder => fs::create_dir(&beside).unwrap(),
            Put::Nothing => return,
            Put::Link(to) => symlink(to, &beside).unwrap(),
            Put::Fifo => {
                let made = Command::new("mkfifo").arg(&beside).status();
                assert!(made.unwrap().success());
            }
            Put::Socket => drop(UnixListener::bind(&beside).unwrap()),
        }
        fs::rename(beside, path).unwrap();
    }
}

/// Takes away what stands where the configuration belongs.
pub(super) fn clear(stage: &Stage) {
    let path = stage.path("config.json");
    match fs::symlink_metadata(&path) {
        Ok(it) if it.is_dir() => fs::remove_dir(&path).unwrap(),
        Ok(_) => fs::remove_file(&path).unwrap(),
        Err(_) => {}
    }
}

/// Lines of a shell after which not even root reads what nobody may read; `None` where that cannot be had.
pub(super) fn without_privilege() -> Option<&'static str> {
    const DROP: &str = "--bounding-set=-dac_override,-dac_read_search";
    if !rustix::process::geteuid().is_root() {
        return Some("");
    }
    let mut tried = Command::new("setpriv");
    tried.args([DROP, "true"]).stderr(Stdio::null());
    let works = tried.status().is_ok_and(|status| status.success());
    works.then_some(r#"exec setpriv --bounding-set=-dac_override,-dac_read_search "$0" "$@""#)
}

/// Places by chance at which a configuration is cut off, too.
const CUTS: usize = 8;

/// All of them, made of a good one. Without privilege a file may be locked, too.
pub(super) fn all(good: &Value, is_unprivileged: bool, seed: u64) -> Vec<Corrupt> {
    let text = serde_json::to_string_pretty(good).unwrap();
    let mut all = truncated(&text);
    let mut random = fastrand::Rng::with_seed(seed);
    let cuts = std::iter::repeat_with(|| &text.as_bytes()[..random.usize(..text.len())]);
    all.extend(
        cuts.take(CUTS)
            .map(|cut| bytes("a part of it", cut, CUT_OFF)),
    );
    all.extend(no_json(&text));
    all.extend(misshapen(good));
    all.extend(no_files());
    if is_unprivileged {
        let says = &["cannot be read (Permission denied", "let the user"];
        all.push(corrupt("a file that nobody may read", Put::Locked, says));
    }
    all
}

fn corrupt(name: &'static str, put: Put, says: &'static [&'static str]) -> Corrupt {
    Corrupt { name, put, says }
}

fn bytes(name: &'static str, bytes: impl Into<Vec<u8>>, says: &'static [&'static str]) -> Corrupt {
    corrupt(name, Put::Bytes(bytes.into()), says)
}

/// What is said of one that ends too early.
const CUT_OFF: &[&str] = &["line ", ", column ", "not JSON: EOF"];

/// Ends too early, at every place that is another for a parser.
fn truncated(text: &str) -> Vec<Corrupt> {
    let at = |mark: &str, behind: usize| text.find(mark).unwrap() + behind;
    let ends = [
        ("an empty file", 0),
        ("the first brace", 1),
        ("half a key", at("\"checker\"", 4)),
        ("a key", at("\"checker\"", 9)),
        ("a key and its colon", at("\"checker\"", 10)),
        ("half a text", at("target.test", 3)),
        ("half a number", at("10000", 2)),
        ("half a word", at("true", 2)),
        ("a comma", at(",", 1)),
        ("half of it", text.len() / 2),
        ("all but the last brace", text.len() - 1),
    ];
    let cut = |(name, end)| bytes(name, &text.as_bytes()[..end], CUT_OFF);
    let mut cuts: Vec<Corrupt> = ends.into_iter().map(cut).collect();
    cuts.push(bytes("only white space", " \n\t\n", CUT_OFF));
    let umlaut = "{\n  \"logging\": {\"file\": \"ä".as_bytes();
    let half = &umlaut[..umlaut.len() - 1];
    let says = &["line 2, column 24", "is not UTF-8; save it as UTF-8"];
    cuts.push(bytes("half a character", half, says));
    cuts
}

/// Other things than JSON.
fn no_json(text: &str) -> Vec<Corrupt> {
    const SAYS: &[&str] = &["line ", ", column ", "not JSON: ", "JSON has no comments"];
    const UTF8: &[&str] = &["line ", ", column ", "is not UTF-8; save it as UTF-8"];
    let nul_inside = text.replacen("target.test", "target\0.test", 1);
    let wide: Vec<u8> = "\u{feff}{}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let broken = text.replacen("target.test", "target.test\u{1}", 1);
    let broken: Vec<u8> = broken
        .bytes()
        .map(|b| if b == 1 { 0xff } else { b })
        .collect();
    vec![
        bytes("a comma too many", text.replace("\n}", ",\n}"), SAYS),
        bytes("a comma too few", text.replacen(',', "", 1), SAYS),
        bytes(
            "a comment to the end of its line",
            format!("// mine\n{text}"),
            SAYS,
        ),
        bytes(
            "a comment between two signs",
            format!("{{ /* mine */ {}", &text[1..]),
            SAYS,
        ),
        bytes("a comment after a hash", format!("# mine\n{text}"), SAYS),
        bytes("single quotes", text.replace('"', "'"), SAYS),
        bytes(
            "a key without quotes",
            text.replacen("\"api\"", "api", 1),
            SAYS,
        ),
        bytes("two of them", format!("{text}{text}"), SAYS),
        bytes("nothing but NULs", vec![0; 4096], SAYS),
        bytes("a NUL at the end", format!("{text}\0"), SAYS),
        bytes("a NUL in a text", nul_inside, SAYS),
        bytes(
            "two byte order marks",
            format!("\u{feff}\u{feff}{text}"),
            SAYS,
        ),
        bytes("UTF-16", wide, UTF8),
        bytes("a byte that is no UTF-8", broken, UTF8),
        bytes(
            "half a pair of surrogates",
            r#"{"logging": {"file": "\ud800"}}"#,
            SAYS,
        ),
        bytes("lists in lists", "[".repeat(100_000), SAYS),
        bytes("blocks in blocks", "{\"api\":".repeat(100_000), SAYS),
        bytes(
            "a number beyond all",
            text.replacen("10000", "1e999", 1),
            SAYS,
        ),
        bytes(
            "a number after a zero",
            text.replacen("10000", "010000", 1),
            SAYS,
        ),
        bytes(
            "a number that is none",
            text.replacen("10000", "NaN", 1),
            SAYS,
        ),
        bytes("YAML", "aggregator:\n  interval_seconds: 5\n", SAYS),
        bytes("a page", "<!DOCTYPE html><title>404</title>", SAYS),
        bytes("a program", b"\x7fELF\x02\x01\x01\0\x80", UTF8),
        bytes("compressed", b"\x1f\x8b\x08\0\0\0\0\0", UTF8),
    ]
}

/// JSON of another shape.
fn misshapen(good: &Value) -> Vec<Corrupt> {
    let with = |name, place: &str, value: Value, says| {
        let mut config = good.clone();
        *config.pointer_mut(place).unwrap() = value;
        bytes(name, config.to_string(), says)
    };
    let beside = |key: &str| good.to_string().replacen('{', &format!("{{{key},"), 1);
    const LANES: &str = "/checker/concurrency_total";
    const WHOLE: &[&str] = &["checker.concurrency_total: expected a whole number"];
    let ports: Vec<&str> = vec!["http"; 10_000];
    let many = json!({"aggregator": {"deny_ports": ports}}).to_string();
    let long = json!({"k".repeat(64 << 10): 1}).to_string();
    vec![
        bytes("a list", "[]", &["expected a block { … }, found a list"]),
        bytes(
            "nothing, said",
            "null",
            &["expected a block { … }, found null"],
        ),
        bytes(
            "a text",
            "\"config\"",
            &["expected a block { … }, found \"config\""],
        ),
        with(
            "a list for a block",
            "/checker",
            json!([]),
            &["checker: expected a block"],
        ),
        with("a number in quotes", LANES, json!("10"), WHOLE),
        with("a negative number", LANES, json!(-1), WHOLE),
        with("a fraction", LANES, json!(0.5), WHOLE),
        with("a number beyond 64 bits", LANES, json!(1e20), WHOLE),
        with("null for a number", LANES, json!(null), WHOLE),
        with(
            "the largest number",
            LANES,
            json!(u64::MAX),
            &["checker.concurrency_total: ", "choose from 1 to 100000"],
        ),
        with(
            "a switch in quotes",
            "/aggregator/allow_private",
            json!("true"),
            &["aggregator.allow_private: expected true or false"],
        ),
        with(
            "a text for a list",
            "/aggregator/sources",
            json!("list.txt"),
            &["aggregator.sources: expected a list"],
        ),
        with(
            "a contradiction",
            "/checker/connect_timeout_ms",
            json!(20_000),
            &["checker.connect_timeout_ms: is 20000, more than timeout_ms (10000); lower it"],
        ),
        with(
            "an address without a port",
            "/api/addr",
            json!("127.0.0.1"),
            &["api.addr: "],
        ),
        bytes(
            "a block twice",
            beside(r#""api": {}"#),
            &["api: is there twice; keep one"],
        ),
        bytes(
            "a mistyped block",
            beside(r#""chekcer": {}"#),
            &["chekcer: unknown key; did you mean checker?"],
        ),
        bytes(
            "certificates in a device",
            r#"{"checker": {"ca_file": "/dev/zero"}}"#,
            &["checker.ca_file: /dev/zero is a device, not a file; name a file of PEM"],
        ),
        bytes(
            "ten thousand mistakes",
            many,
            &[
                "aggregator.deny_ports[0]: expected a whole number",
                "and 9900 more; mend these first",
            ],
        ),
        bytes("a key without end", long, &["kkk…: unknown key; "]),
    ]
}

/// Other things than a file that can be read.
fn no_files() -> Vec<Corrupt> {
    const THERE: &str = "put the configuration itself there";
    let long = &["is longer than 4194304 bytes; is it the right file?"];
    vec![
        corrupt(
            "a folder",
            Put::Folder,
            &["is a directory, not a file", THERE],
        ),
        corrupt("a FIFO", Put::Fifo, &["is a FIFO, not a file", THERE]),
        corrupt("a socket", Put::Socket, &["is a socket, not a file", THERE]),
        corrupt(
            "a link to a device",
            Put::Link("/dev/zero"),
            &["is a device, not a file"],
        ),
        corrupt(
            "nothing",
            Put::Nothing,
            &["No such file", "copy config.example.json"],
        ),
        corrupt(
            "a link to itself",
            Put::Link("config.json"),
            &["symbolic links", "put a file"],
        ),
        corrupt("a hundred megabytes", Put::Long(100_000_000), long),
        corrupt(
            "a link to nothing",
            Put::Link("gone.json"),
            &["No such file", "copy config"],
        ),
    ]
}
