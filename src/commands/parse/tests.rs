//! The command without a process around it.

use super::*;
use clap::Parser;
use std::fs;
use std::path::Path;

/// A command line with nothing but the options of `parse`.
#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    lists: ListArgs,
}

/// Runs `parse` with `arguments` in a folder that holds some lists; what it wrote, with the folder's
/// name taken out.
fn parse(arguments: &[&str]) -> (Exit, String, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("two", "1.2.3.4:80\nsocks5://u:p@1.2.3.5:1080\nnoise\n"),
        ("more", "1.2.3.4:80\n10.0.0.1:1080\n1.2.3.6:0\n1.2.3.7:80"),
        ("noise", "hello\nworld\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let exit = run(&options(folder.path(), arguments), &mut stdout, &mut stderr).unwrap();
    let clean = |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        text.replace(&format!("{}/", folder.path().display()), "")
    };
    (exit, clean(stdout), clean(stderr))
}

fn options(folder: &Path, arguments: &[&str]) -> ListArgs {
    let in_folder = |argument: &&str| match argument.starts_with('-') || argument.contains("://") {
        true => argument.to_string(),
        false => folder.join(argument).display().to_string(),
    };
    let arguments = arguments.iter().map(in_folder);
    Line::parse_from(std::iter::once("parse".to_owned()).chain(arguments)).lists
}

#[test]
fn each_proxy_is_written_in_url_form() {
    let (exit, stdout, stderr) = parse(&["two"]);
    assert_eq!(exit, Exit::Done);
    assert_eq!(stdout, "auto://1.2.3.4:80\nsocks5://u:p@1.2.3.5:1080\n");
    assert_eq!(stderr, "two: 2 proxies, 1 skipped (noise 1)\n");
}

#[test]
fn duplicates_across_lists_are_written_once() {
    let (exit, stdout, stderr) = parse(&["two", "more"]);
    assert_eq!(exit, Exit::Done);
    let expected = "auto://1.2.3.4:80\nsocks5://u:p@1.2.3.5:1080\nauto://1.2.3.7:80\n";
    assert_eq!(stdout, expected);
    let expected = "\
        two: 2 proxies, 1 skipped (noise 1)\n\
        more: 1 proxy, 3 skipped (duplicate 1, bad_port 1, not_public 1)\n\
        total of 2 in 2 lists: 3 proxies, 4 skipped (duplicate 1, bad_port 1, not_public 1, noise 1)\n";
    assert_eq!(stderr, expected);
}

#[test]
fn the_options_say_what_a_bare_line_means() {
    let (_, stdout, _) = parse(&["--protocol=socks4", "--allow-private", "more"]);
    let expected = "socks4://1.2.3.4:80\nsocks4://10.0.0.1:1080\nsocks4://1.2.3.7:80\n";
    assert_eq!(stdout, expected);
}

#[test]
fn a_list_without_a_proxy_fails_and_says_what_was_expected() {
    let (exit, stdout, stderr) = parse(&["noise"]);
    assert_eq!((exit, &stdout[..]), (Exit::Failed, ""));
    let expected = "noise: no proxy found: expected ip:port or scheme://user:pass@host:port, \
        one or more a line; 2 lines skipped (noise 2)\n";
    assert_eq!(stderr, expected);
}

#[test]
fn a_missing_file_fails_unless_another_list_is_good() {
    let (exit, _, stderr) = parse(&["missing"]);
    assert_eq!(exit, Exit::Failed);
    assert!(
        stderr.starts_with("missing: cannot read it: No such file"),
        "{stderr}"
    );

    let (exit, stdout, stderr) = parse(&["missing", "two"]);
    assert_eq!((exit, stdout.lines().count()), (Exit::Done, 2));
    assert!(
        stderr.contains("total of 1 in 2 lists: 2 proxies"),
        "{stderr}"
    );
}

#[test]
fn a_proxy_in_the_place_of_a_list_is_a_usage_error() {
    let error = Line::try_parse_from(["parse", "socks5://1.2.3.4:1080"])
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("a proxy and not a list"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 2);
}

/// An output that fails from the first byte.
struct Fails(io::ErrorKind);

impl Write for Fails {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_nobody_reads_ends_quietly_and_a_full_disk_does_not() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("list"), "1.2.3.4:80").unwrap();
    let options = options(folder.path(), &["list", "list"]);
    let run_with = |kind| {
        let mut stderr = Vec::new();
        let exit = run(&options, &mut Fails(kind), &mut stderr).unwrap();
        (exit, String::from_utf8(stderr).unwrap())
    };
    assert_eq!(
        run_with(io::ErrorKind::BrokenPipe),
        (Exit::Done, String::new())
    );
    let (exit, stderr) = run_with(io::ErrorKind::StorageFull);
    assert_eq!(exit, Exit::Failed);
    assert!(stderr.contains("cannot write the proxies"), "{stderr}");
}
