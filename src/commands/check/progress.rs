//! What a person sees while and after a check, on standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressState, ProgressStyle};
use proxy_shards::{Protocol, Protocols, Verdict};
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::time::Duration;

/// Redraws a second.
const REDRAW_HZ: u8 = 8;

/// Candidates by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// `verdict as usize`
    verdicts: [u64; Verdict::COUNT],
    /// The alive by what they speak, `protocol as usize`; one that speaks several is in each.
    protocols: [u64; Protocol::ALL.len()],
}

impl Counts {
    pub(super) fn add(&mut self, verdict: Verdict) {
        self.verdicts[verdict as usize] += 1;
    }

    pub(super) fn add_protocols(&mut self, works: Protocols) {
        for protocol in Protocol::ALL {
            self.protocols[protocol as usize] += u64::from(works.contains(protocol));
        }
    }

    pub(super) fn of(&self, verdict: Verdict) -> u64 {
        self.verdicts[verdict as usize]
    }

    pub(super) fn total(&self) -> u64 {
        self.verdicts.iter().sum()
    }
}

/// A bar on standard error; nothing if that is no terminal.
pub(super) fn bar(candidates: usize) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(REDRAW_HZ);
    let bar = ProgressBar::with_draw_target(Some(candidates as u64), target)
        .with_message("0")
        // However the check ends, no half a bar stays on the terminal.
        .with_finish(ProgressFinish::AndClear);
    let template = "{wide_bar} {human_pos}/{human_len}  {rate}/s  {msg} alive  ETA {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        let whole = |state: &ProgressState, out: &mut dyn fmt::Write| {
            // Writing to the line being drawn cannot fail.
            let _ = write!(out, "{:.0}", state.per_sec());
        };
        bar.set_style(style.with_key("rate", whole));
    }
    bar
}

/// Moves the bar.
pub(super) fn show(bar: &ProgressBar, counts: &Counts) {
    if !bar.is_hidden() {
        // The position draws, with the message that is there.
        bar.set_message(counts.of(Verdict::Alive).to_string());
        bar.set_position(counts.total());
    }
}

/// Writes around the bar, so that rows and bar do not mix on one terminal.
#[derive(Debug)]
pub(super) struct Beside<W> {
    pub(super) bar: ProgressBar,
    pub(super) out: W,
}

impl<W: Write> Write for Beside<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let out = &mut self.out;
        self.bar.suspend(|| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        let out = &mut self.out;
        self.bar.suspend(|| out.flush())
    }
}

/// The one line at the end: how many were checked, how they ended, the alive first with what they
/// speak, then the most frequent. Those that an interrupt or a lost target kept from being checked
/// are not among the checked.
pub(super) fn summary(counts: &Counts, took: Duration) -> impl fmt::Display {
    let mut verdicts: Vec<Verdict> = Verdict::ALL
        .into_iter()
        .filter(|v| counts.of(*v) > 0)
        .collect();
    verdicts.sort_by_key(|v| (*v != Verdict::Alive, std::cmp::Reverse(counts.of(*v))));
    let total = counts.total();
    let unchecked = counts.of(Verdict::LocalCancelled) + counts.of(Verdict::LocalTarget);
    let of_total = match unchecked {
        0 => String::new(),
        _ => format!(" of {total}"),
    };
    let mut line = format!(
        "{}{of_total} checked in {:.1} s: ",
        total - unchecked,
        took.as_secs_f64()
    );
    if counts.of(Verdict::Alive) == 0 {
        line.push_str("0 alive, ");
    }
    for verdict in verdicts {
        // Writing into a String cannot fail.
        let _ = write!(line, "{} {}", counts.of(verdict), verdict.label());
        if verdict == Verdict::Alive {
            line.push_str(&by_protocol(counts));
        }
        line.push_str(", ");
    }
    line.truncate(line.trim_end_matches(", ").len());
    line
}

/// ` (http 3, socks5 2)`; nothing if no protocol is known.
fn by_protocol(counts: &Counts) -> String {
    let of = |protocol: Protocol| counts.protocols[protocol as usize];
    let spoken = Protocol::ALL.into_iter().filter(|p| of(*p) > 0);
    let words: Vec<String> = spoken.map(|p| format!("{} {}", p.label(), of(p))).collect();
    match words.is_empty() {
        true => String::new(),
        false => format!(" ({})", words.join(", ")),
    }
}

/// What the counts suggest, if they suggest anything: certificates that nobody can verify are more
/// often a missing authority than an interceptor in front of every proxy.
pub(super) fn hint(counts: &Counts) -> Option<&'static str> {
    use Verdict::{Alive, OwnPage, Redirected, Tampered, TlsIntercepted, TooLarge, WrongStatus};
    let beyond = [Alive, OwnPage, Redirected, Tampered, TooLarge, WrongStatus];
    let none = beyond.into_iter().all(|verdict| counts.of(verdict) == 0);
    (none && counts.of(TlsIntercepted) > 0).then_some(
        "not one certificate could be verified: if the target's is signed by an authority of your own, name that with --ca-file",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(verdicts: &[(Verdict, u64)], expected: &str) {
        let mut counts = Counts::default();
        for (verdict, count) in verdicts {
            (0..*count).for_each(|_| counts.add(*verdict));
        }
        assert_eq!(
            summary(&counts, Duration::from_millis(1_240)).to_string(),
            expected
        );
    }

    #[test]
    fn the_summary_starts_with_the_alive_and_then_the_most_frequent() {
        check(
            &[
                (Verdict::Refused, 2),
                (Verdict::OwnPage, 5),
                (Verdict::Alive, 1),
            ],
            "8 checked in 1.2 s: 1 alive, 5 own_page, 2 refused",
        );
    }

    #[test]
    fn the_summary_says_what_the_alive_speak() {
        let mut counts = Counts::default();
        let (http, socks) = (Protocol::Http, Protocol::Socks5);
        for works in [[http, http], [http, socks]] {
            counts.add(Verdict::Alive);
            counts.add_protocols(works.into_iter().collect());
        }
        counts.add(Verdict::Closed);
        let summary = summary(&counts, Duration::from_secs(1)).to_string();
        let expected = "3 checked in 1.0 s: 2 alive (http 2, socks5 1), 1 closed";
        assert_eq!(summary, expected);
    }

    #[test]
    fn when_no_certificate_could_be_verified_the_authority_may_be_missing() {
        let mut counts = Counts::default();
        counts.add(Verdict::Refused);
        assert_eq!(hint(&counts), None);
        counts.add(Verdict::TlsIntercepted);
        assert!(hint(&counts).is_some_and(|hint| hint.contains("--ca-file")));
        counts.add(Verdict::Alive);
        assert_eq!(hint(&counts), None);
    }

    #[test]
    fn the_summary_does_not_call_checked_what_was_cancelled() {
        check(
            &[(Verdict::LocalCancelled, 7), (Verdict::Alive, 2)],
            "2 of 9 checked in 1.2 s: 2 alive, 7 local_cancelled",
        );
    }

    #[test]
    fn the_summary_says_that_none_is_alive() {
        check(
            &[(Verdict::Refused, 1)],
            "1 checked in 1.2 s: 0 alive, 1 refused",
        );
        check(&[], "0 checked in 1.2 s: 0 alive");
    }

    #[test]
    fn without_a_terminal_the_bar_is_hidden_and_writes_go_through() {
        let mut beside = Beside {
            bar: ProgressBar::hidden(),
            out: Vec::new(),
        };
        beside.write_all(b"row\n").unwrap();
        assert_eq!(beside.out, b"row\n");
    }
}
