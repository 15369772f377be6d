//! One line of text or one row of cells: which of its runs are proxies, and which belong together.

use super::class::{CLASSES, Class, Gap};
use super::endpoint::{Lonely, read_port};
use super::list::List;
use super::token::{Sighting, Unread};
use super::words::Schemes;
use super::{RUN_BYTES_MAX, Skip};
use proxy_shards::{Host, Scheme};

/// The UTF-8 form of U+FEFF, which some editors write at the start of a file.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is a line of the list: it may hold comments.
    Text,
    /// It is a row of an HTML table.
    Cells,
    /// It stood in JSON.
    Json,
}

/// What is known of the current line.
#[derive(Debug)]
pub(super) struct Row {
    /// Whether there was a run outside of comments.
    pub(super) text: bool,
    /// Whether one of them was a candidate or has been counted for a reason of its own.
    pub(super) counted: bool,
    /// Whether the rest of the line is a comment.
    pub(super) comment: bool,
    /// Whether there was nothing but proxies, their parts and protocols.
    clean: bool,
    gap: Gap,
    /// An address whose port may follow.
    lonely: Option<(Lonely, Opening)>,
    /// The only proxy so far, until the line ends: its protocol may follow.
    held: Option<Held>,
    many: bool,
    schemes: Schemes,
}

/// What stood before an address.
#[derive(Clone, Copy, Debug)]
struct Opening {
    /// Nothing but proxies, their parts and protocols.
    clean: bool,
    /// The border of a column or a cell.
    border: bool,
}

#[derive(Debug)]
struct Held {
    sighting: Sighting,
    /// Whether the line is of columns, so that words beside it are about it.
    columns: bool,
}

impl Row {
    /// The start of a line.
    pub(super) fn new() -> Row {
        Row {
            text: false,
            counted: false,
            comment: false,
            clean: true,
            gap: Gap::START,
            lonely: None,
            held: None,
            many: false,
            schemes: Schemes::default(),
        }
    }

    /// Reads a line or a piece of one that ends with a separator.
    pub(super) fn read(&mut self, list: &mut List, mut text: &[u8], origin: Origin) {
        while let Some((&byte, rest)) = text.split_first() {
            if self.comment {
                return;
            }
            let class = CLASSES[usize::from(byte)];
            if class != Class::Text {
                self.gap.add(class);
                text = rest;
                continue;
            }
            let end = text
                .iter()
                .position(|b| CLASSES[usize::from(*b)] != Class::Text);
            let (run, rest) = text.split_at(end.unwrap_or(text.len()));
            self.run(list, run, origin);
            text = rest;
        }
    }

    fn run(&mut self, list: &mut List, run: &[u8], origin: Origin) {
        let run = match self.text {
            false => run.strip_prefix(BYTE_ORDER_MARK).unwrap_or(run),
            true => run,
        };
        if origin == Origin::Text && self.opens_comment(run) {
            self.comment = true;
            return;
        }
        match run {
            b"" => {}
            b":" if self.lonely.is_some() => self.gap.colon = true,
            _ if run.len() > RUN_BYTES_MAX => self.too_long(list),
            _ => {
                self.text = true;
                let gap = std::mem::take(&mut self.gap);
                if !self.port_of_lonely(list, run, gap) {
                    self.token(list, run, gap);
                }
            }
        }
    }

    /// Whether `run` is a `#` behind white space, or a `//` at the start of the line.
    fn opens_comment(&self, run: &[u8]) -> bool {
        let hash = run.starts_with(b"#") && self.gap.ends_in_space;
        hash || run.starts_with(b"//") && self.gap.ends_in_space && !self.text
    }

    /// A run that does not end yet is longer than any proxy. Whether it is to be skipped to its end;
    /// else the whole line is, because it is a comment.
    pub(super) fn long_run(&mut self, list: &mut List, run: &[u8], origin: Origin) -> bool {
        let run = run.strip_prefix(BYTE_ORDER_MARK).unwrap_or(run);
        self.comment = origin == Origin::Text && self.opens_comment(run);
        if !self.comment {
            self.too_long(list);
        }
        !self.comment
    }

    /// A run was longer than any proxy.
    fn too_long(&mut self, list: &mut List) {
        self.text = true;
        self.clean = false;
        self.gap = Gap::default();
        self.give_up_lonely(list);
        self.skip(list, Skip::TooLong);
    }

    /// Whether `run` is the port of the address before it.
    fn port_of_lonely(&mut self, list: &mut List, run: &[u8], gap: Gap) -> bool {
        let Some((lonely, opening)) = self.lonely.take() else {
            return false;
        };
        let is_name = matches!(lonely.host, Host::Name(_));
        let together = match () {
            () if gap.colon => !is_name,
            () if gap.cell => true,
            () if gap.is_border() => !is_name || opening.clean || opening.border,
            () => gap.space && opening.clean && !is_name,
        };
        if !together || run.len() > 5 || !run.iter().all(u8::is_ascii_digit) {
            self.lonely = Some((lonely, opening));
            self.give_up_lonely(list);
            return false;
        }
        let (scheme, host) = (list.tokens.hint(), lonely.host);
        let read = read_port(run).and_then(|port| list.tokens.admit(scheme, host, port, None));
        let columns = opening.clean || opening.border;
        self.clean &= opening.clean;
        match read {
            Ok(candidate) => {
                let named = false;
                self.found(list, Sighting { candidate, named }, columns);
            }
            Err(skip) => self.skip(list, skip),
        }
        true
    }

    /// No port followed.
    fn give_up_lonely(&mut self, list: &mut List) {
        if let Some((lonely, _)) = self.lonely.take() {
            self.clean = false;
            if lonely.otherwise != Skip::Noise {
                self.skip(list, lonely.otherwise);
            }
        }
    }

    fn token(&mut self, list: &mut List, run: &[u8], gap: Gap) {
        let opening = Opening {
            clean: self.clean,
            border: gap.is_border(),
        };
        if let Some(scheme) = protocol_word(run) {
            return self.schemes.add(scheme);
        }
        let columns = opening.clean || opening.border;
        match list.tokens.read(run) {
            Ok(sighting) if columns || !is_bare_name(run, &sighting) => {
                self.found(list, sighting, columns);
            }
            Err(Unread::Lonely(lonely)) => self.lonely = Some((lonely, opening)),
            Err(Unread::Skip(skip)) if skip != Skip::Noise => {
                self.clean = false;
                self.skip(list, skip);
            }
            // Counted once, at the end of a line that held nothing else.
            Ok(_) | Err(Unread::Skip(_)) => self.clean &= is_bullet(run),
        }
    }

    fn found(&mut self, list: &mut List, sighting: Sighting, columns: bool) {
        self.counted = true;
        if self.many {
            return list.keep(sighting.candidate);
        }
        match self.held.take() {
            None => self.held = Some(Held { sighting, columns }),
            Some(first) => {
                self.many = true;
                list.keep(first.sighting.candidate);
                list.keep(sighting.candidate);
            }
        }
    }

    fn skip(&mut self, list: &mut List, skip: Skip) {
        self.counted = true;
        list.count(skip);
    }

    /// The line ends. If it held one proxy, the protocols beside it are its own.
    pub(super) fn end(&mut self, list: &mut List) {
        self.give_up_lonely(list);
        let Some(Held { sighting, columns }) = self.held.take() else {
            return;
        };
        let words = !sighting.named && columns && !self.schemes.named().is_empty();
        if !words {
            return list.keep(sighting.candidate);
        }
        for scheme in self.schemes.named() {
            let mut candidate = sighting.candidate.clone();
            candidate.scheme = *scheme;
            list.keep(candidate);
        }
    }
}

/// A word that is a protocol and nothing else.
fn protocol_word(run: &[u8]) -> Option<Scheme> {
    if run.len() > 7 {
        return None;
    }
    match Scheme::from_label(str::from_utf8(run).ok()?)? {
        Scheme::Auto => None,
        _ if run.eq_ignore_ascii_case(b"socks") => None, // of which version?
        scheme => Some(scheme),
    }
}

/// Whether this is a name without anything else that makes it a proxy: amidst words it is a site.
fn is_bare_name(run: &[u8], sighting: &Sighting) -> bool {
    let candidate = &sighting.candidate;
    matches!(candidate.host, Host::Name(_))
        && candidate.credentials.is_none()
        && !run.windows(3).any(|three| three == b"://")
}

/// What may stand before the first proxy of a line: `-`, `*`, `•`, `1.`, `2)`.
fn is_bullet(run: &[u8]) -> bool {
    let number = run.strip_suffix(b".").or_else(|| run.strip_suffix(b")"));
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    matches!(run, b"-" | b"*" | b"+" | b"\xe2\x80\xa2") || number.is_some_and(is_number)
}
