//! What happened in one attempt, in order, with its time: on the wire, and inside TLS as the
//! conversation notes it. Bounded, whatever a peer sends.

use super::fields;
use super::mask::KEPT_BYTES_MAX;
use proxy_shards::conversation::{Note, Watch, Way};
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Most entries of one attempt; a peer that sends byte by byte makes many.
const ENTRIES_MAX: usize = 200;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// We do.
    Us,
    /// The peer does.
    Peer,
}

/// Where bytes were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// On the wire, readable.
    Wire,
    /// On the wire, TLS records.
    Records,
    /// Inside TLS.
    Inside,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A connection is being made to this address.
    Connecting(String),
    /// It stands.
    Connected,
    /// Bytes.
    Said {
        by: Speaker,
        layer: Layer,
        /// The first of them.
        kept: Vec<u8>,
        total: usize,
        /// Those of them that are our credentials.
        hidden: Vec<Range<usize>>,
    },
    /// TLS stands.
    Tls(String),
    /// The peer closed the connection.
    Closed,
    /// Neither bytes nor an end came: why.
    Failed(String),
    /// Why the verdict is what it is.
    Rule(String),
}

/// One thing, and when it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Since the attempt began.
    pub(super) at: Duration,
    pub(super) what: What,
}

/// The entries of the attempt under way.
#[derive(Debug)]
pub(super) struct Diary {
    began: Cell<Instant>,
    /// How the target is reached: it says where credentials stand.
    way: Cell<Way>,
    entries: RefCell<Vec<Entry>>,
    /// Bytes on the wire that found no room, and whether each side speaks TLS.
    speaks_tls: Cell<[bool; 2]>,
}

impl Diary {
    pub(super) fn new() -> Diary {
        Diary {
            began: Cell::new(Instant::now()),
            way: Cell::new(Way::Direct),
            entries: RefCell::default(),
            speaks_tls: Cell::default(),
        }
    }

    /// Begins another attempt, now.
    pub(super) fn begin(&self, way: Way) -> Instant {
        let now = Instant::now();
        self.began.set(now);
        self.way.set(way);
        self.entries.take();
        self.speaks_tls.take();
        now
    }

    /// What happened in the attempt that has ended.
    pub(super) fn take(&self) -> Vec<Entry> {
        self.entries.take()
    }

    /// Writes one thing down, now. What follows the last entry that has room is left out, but for
    /// the rule.
    pub(super) fn write(&self, what: What) {
        let at = self.began.get().elapsed();
        let mut entries = self.entries.borrow_mut();
        if entries.len() < ENTRIES_MAX || matches!(what, What::Rule(_) | What::Failed(_)) {
            entries.push(Entry { at, what });
        }
    }

    /// Bytes on the wire; an empty slice from the peer is its end.
    pub(super) fn on_wire(&self, by: Speaker, bytes: &[u8]) {
        if bytes.is_empty() {
            return self.write(What::Closed);
        }
        let layer = match self.is_tls(by, bytes) {
            true => Layer::Records,
            false => Layer::Wire,
        };
        self.said(by, layer, bytes);
    }

    /// Whether `by` speaks TLS: from its first record on. Ours begin with a ClientHello, and what
    /// the peer says before is never TLS (RFC 8446, section 5.1).
    fn is_tls(&self, by: Speaker, bytes: &[u8]) -> bool {
        let [ours, theirs] = self.speaks_tls.get();
        let is_record = matches!(bytes, [20..=23, 3, ..]);
        let speaks = match by {
            Speaker::Us => [ours || is_record, theirs],
            Speaker::Peer => [ours, theirs || ours && is_record],
        };
        self.speaks_tls.set(speaks);
        speaks[by as usize]
    }

    /// Adds to the last entry if the same side goes on speaking.
    fn said(&self, by: Speaker, layer: Layer, bytes: &[u8]) {
        let secret = match (by, layer) {
            (Speaker::Us, Layer::Wire | Layer::Inside) => {
                fields::credentials(self.way.get(), bytes)
            }
            (Speaker::Peer, _) | (_, Layer::Records) => None,
        };
        let mut entries = self.entries.borrow_mut();
        let same = |entry: &&mut Entry| match &entry.what {
            What::Said {
                by: before,
                layer: same,
                ..
            } => (*before, *same) == (by, layer),
            _ => false,
        };
        if let Some(Entry {
            what:
                What::Said {
                    kept,
                    total,
                    hidden,
                    ..
                },
            ..
        }) = entries.last_mut().filter(same)
        {
            let room = KEPT_BYTES_MAX.saturating_sub(kept.len());
            kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
            hidden.extend(secret.map(|secret| *total + secret.start..*total + secret.end));
            *total += bytes.len();
            return;
        }
        drop(entries);
        self.write(What::Said {
            by,
            layer,
            kept: bytes[..bytes.len().min(KEPT_BYTES_MAX)].to_vec(),
            total: bytes.len(),
            hidden: secret.into_iter().collect(),
        });
    }
}

impl Watch for Diary {
    fn note(&self, note: Note<'_>) {
        match note {
            Note::Sent(bytes) => self.said(Speaker::Us, Layer::Inside, bytes),
            Note::Received(bytes) => self.said(Speaker::Peer, Layer::Inside, bytes),
            Note::Tls(facts) => self.write(What::Tls(facts.to_string())),
            Note::Rule(rule) => self.write(What::Rule(rule.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_shards::Protocol;

    fn whats(diary: &Diary) -> Vec<What> {
        diary.take().into_iter().map(|entry| entry.what).collect()
    }

    fn said(by: Speaker, layer: Layer, bytes: &[u8]) -> What {
        What::Said {
            by,
            layer,
            kept: bytes.to_vec(),
            total: bytes.len(),
            hidden: Vec::new(),
        }
    }

    #[test]
    fn notes_of_a_conversation_stand_between_what_went_over_the_wire() {
        let diary = Diary::new();
        diary.begin(Way::Direct);
        diary.on_wire(Speaker::Us, b"\x16\x03\x01hello");
        diary.on_wire(Speaker::Peer, b"\x16\x03\x03hello");
        diary.note(Note::Tls(&"TLS 1.3"));
        diary.note(Note::Sent(b"GET /"));
        diary.on_wire(Speaker::Us, b"no record begins here");
        diary.note(Note::Received(b"HTTP"));
        diary.note(Note::Received(b"/1.1"));
        diary.note(Note::Rule(&"as expected"));
        diary.on_wire(Speaker::Peer, b"");
        let expected = [
            said(Speaker::Us, Layer::Records, b"\x16\x03\x01hello"),
            said(Speaker::Peer, Layer::Records, b"\x16\x03\x03hello"),
            What::Tls("TLS 1.3".into()),
            said(Speaker::Us, Layer::Inside, b"GET /"),
            said(Speaker::Us, Layer::Records, b"no record begins here"),
            said(Speaker::Peer, Layer::Inside, b"HTTP/1.1"),
            What::Rule("as expected".into()),
            What::Closed,
        ];
        assert_eq!(whats(&diary), expected);
    }

    #[test]
    fn a_peer_that_answers_tls_in_plain_text_is_readable() {
        let diary = Diary::new();
        diary.on_wire(Speaker::Us, b"\x16\x03\x01");
        diary.on_wire(Speaker::Peer, b"HTTP/1.1 400");
        assert_eq!(
            whats(&diary)[1],
            said(Speaker::Peer, Layer::Wire, b"HTTP/1.1 400")
        );
    }

    #[test]
    fn credentials_are_marked_where_they_were_said_on_the_wire_and_inside_tls() {
        let head = b"GET / HTTP/1.1\r\nProxy-Authorization: Basic YTpi\r\n\r\n";
        let diary = Diary::new();
        diary.begin(Way::Proxy(Protocol::Https));
        diary.on_wire(Speaker::Us, b"\x16\x03\x01hello");
        diary.note(Note::Sent(b"GET"));
        diary.note(Note::Sent(head));
        let whats = whats(&diary);
        let [_, What::Said { kept, hidden, .. }] = &whats[..] else {
            panic!("two entries: {whats:?}");
        };
        let [field] = &hidden[..] else {
            panic!("one field: {hidden:?}");
        };
        assert_eq!(&kept[field.clone()], b"YTpi");
    }

    #[test]
    fn what_is_kept_is_bounded_whatever_a_peer_sends() {
        let diary = Diary::new();
        for _ in 0..10_000 {
            diary.on_wire(Speaker::Peer, &[7; 100]);
        }
        let [What::Said { kept, total, .. }] = &whats(&diary)[..] else {
            panic!("one entry");
        };
        assert_eq!((kept.len(), *total), (KEPT_BYTES_MAX, 1_000_000));
        for _ in 0..10_000 {
            diary.on_wire(Speaker::Peer, b"\x17");
            diary.note(Note::Received(b"x"));
        }
        diary.note(Note::Rule(&"enough"));
        let entries = whats(&diary);
        assert_eq!(entries.len(), ENTRIES_MAX + 1);
        assert_eq!(entries.last(), Some(&What::Rule("enough".into())));
    }
}
