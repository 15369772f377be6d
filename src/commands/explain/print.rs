//! The story as text for a person.

use super::story::{Attempt, Story, Told};
use std::fmt::{self, Display, Formatter};

/// Where texts begin.
const INDENT: &str = "                    ";

impl Display for Story {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.proxy)?;
        for attempt in &self.direct {
            let (target, url) = (&attempt.target, &attempt.url);
            writeln!(f, "\nwithout a proxy → {target} ({url})")?;
            write!(f, "{attempt}")?;
        }
        for attempt in &self.attempts {
            let (way, target, url) = (attempt.way, &attempt.target, &attempt.url);
            writeln!(f, "\nas {way} → {target} ({url})")?;
            write!(f, "{attempt}")?;
        }
        writeln!(f)?;
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        write!(f, "verdict: {}", self.verdict)?;
        if !self.protocols.is_empty() {
            write!(f, ", as {}", self.protocols.join(", "))?;
        }
        writeln!(f)
    }
}

impl Display for Attempt {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for told in self.events.iter().filter(|told| told.what != "rule") {
            write!(f, "{told}")?;
        }
        write!(f, "{:>10.1} ms  = {}", self.total_ms, self.verdict)?;
        if let Some(rule) = &self.rule {
            write!(f, ": {rule}")?;
        }
        writeln!(f)?;
        let parts = [
            ("connect", self.connect_ms),
            ("handshake", self.handshake_ms),
            ("tls", self.tls_ms),
            ("first byte", self.first_byte_ms),
        ];
        let mut lead = format!("{INDENT}of that: ");
        for (name, ms) in parts {
            if let Some(ms) = ms {
                write!(f, "{lead}{name} {ms:.1} ms")?;
                lead = ", ".into();
            }
        }
        if lead == ", " {
            writeln!(f)?;
        }
        if let Some(exit) = &self.exit {
            let anonymity = self.anonymity.map_or(String::new(), |a| format!(", {a}"));
            writeln!(f, "{INDENT}a judge saw {exit}{anonymity}")?;
        }
        Ok(())
    }
}

impl Display for Told {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>10.1} ms  {}",
            self.at_ms,
            self.what.replace('_', " ")
        )?;
        let Some(bytes) = self.bytes else {
            let text = self.text.as_deref();
            return match text {
                Some(text) => writeln!(f, " {text}"),
                None => writeln!(f),
            };
        };
        writeln!(f, ", {bytes} bytes")?;
        let Some(text) = &self.text else {
            return Ok(());
        };
        // A head is read line by line.
        for line in text.split_inclusive(r"\n") {
            writeln!(f, "{INDENT}{line}")?;
        }
        match self.more {
            Some(more) => writeln!(f, "{INDENT}… {more} more"),
            None => Ok(()),
        }
    }
}
