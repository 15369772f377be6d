//! What a comparison found, to be read by people.

use super::{Comparison, Tally};
use std::fmt;

impl Comparison {
    /// The latencies in a table: a line for each behaviour.
    pub fn timing(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(|f| {
            if self.latencies_ms.is_empty() {
                return writeln!(f, "no result has a latency_ms");
            }
            let title = "latency_ms of";
            writeln!(
                f,
                "{title:<24} {:>8} {:>9} {:>9} {:>9} {:>9}",
                "count", "least", "median", "p99", "most"
            )?;
            for (behaviour, sorted) in &self.latencies_ms {
                let at = |part: f64| sorted[((sorted.len() - 1) as f64 * part).round() as usize];
                let (least, median, p99, most) = (at(0.0), at(0.5), at(0.99), at(1.0));
                writeln!(
                    f,
                    "{behaviour:<24} {:>8} {least:>9.1} {median:>9.1} {p99:>9.1} {most:>9.1}",
                    sorted.len()
                )?;
            }
            Ok(())
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:<36} {:<18} {:>8}", "must be", "was given", "count")?;
        for ((must, given), count) in &self.confusion {
            let mark = if must.split('|').any(|m| m == given) {
                ' '
            } else {
                '!'
            };
            let given = given.escape_debug().to_string();
            writeln!(f, "{mark} {must:<36} {given:<18} {count:>8}")?;
        }
        for ((behaviour, given), tally) in &self.wrong {
            let given = given.escape_debug();
            writeln!(f, "! {behaviour} was given {given}: {}", tally.count)?;
            examples(f, tally)?;
        }
        for (name, tally) in [
            ("missing", &self.missing),
            ("doubled", &self.doubled),
            ("unknown", &self.unknown),
            ("false alive", &self.false_alive),
            ("false dead", &self.false_dead),
            ("wrong owner", &self.wrong_owner),
            ("wrong protocols", &self.wrong_protocols),
            ("wrong anonymity", &self.wrong_anonymity),
        ] {
            writeln!(f, "{name}: {}", tally.count)?;
            examples(f, tally)?;
        }
        let (alive, found) = (self.alive, self.found);
        let percent = 100.0 * found as f64 / alive.max(1) as f64;
        writeln!(f, "alive found: {found} of {alive} ({percent:.3} %)")?;
        writeln!(
            f,
            "wrong verdicts: {} of {}",
            self.wrong_verdicts(),
            self.proxies
        )
    }
}

fn examples(f: &mut fmt::Formatter<'_>, tally: &Tally) -> fmt::Result {
    for example in &tally.examples {
        writeln!(f, "    {}", example.escape_debug())?;
    }
    Ok(())
}
