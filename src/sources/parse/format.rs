//! Which forms of lists are looked for.

use std::str::FromStr;

/// Which forms are looked for in a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// All of them: each part of the text is read as what it looks like.
    #[default]
    Auto,
    /// Text only: no headers, tags or JSON.
    Lines,
    /// Text, and tables whose first line names their columns.
    Csv,
    /// JSON only; what stands around it is skipped.
    Json,
    /// HTML: text and tables between tags; no JSON.
    Html,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 5] = [
        Format::Auto,
        Format::Lines,
        Format::Csv,
        Format::Json,
        Format::Html,
    ];

    /// The one word for this format in the configuration and on the command line.
    pub const fn label(self) -> &'static str {
        match self {
            Format::Auto => "auto",
            Format::Lines => "lines",
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Html => "html",
        }
    }

    /// Whether tags and entities are taken for what they are.
    pub(super) const fn reads_tags(self) -> bool {
        matches!(self, Format::Auto | Format::Html)
    }

    /// Whether a line may name the columns of those below it.
    pub(super) const fn reads_headers(self) -> bool {
        matches!(self, Format::Auto | Format::Csv | Format::Html)
    }

    /// Whether a line may begin JSON.
    pub(super) const fn reads_json(self) -> bool {
        matches!(self, Format::Auto | Format::Json)
    }

    /// Whether proxies may stand in plain text.
    pub(super) const fn reads_text(self) -> bool {
        !matches!(self, Format::Json)
    }
}

/// A word that is no format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected auto, lines, csv, json or html")]
pub struct UnknownFormat;

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Format, UnknownFormat> {
        let same = |format: &Format| word.eq_ignore_ascii_case(format.label());
        Format::ALL.into_iter().find(same).ok_or(UnknownFormat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_found_by_its_label_in_any_case() {
        for format in Format::ALL {
            assert_eq!(format.label().to_ascii_uppercase().parse(), Ok(format));
        }
        assert_eq!("xml".parse::<Format>(), Err(UnknownFormat));
    }
}
