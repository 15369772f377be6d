//! JSON as it streams by: objects become records, arrays rows of cells. Of an object only the parts
//! of a proxy are kept, of anything else nothing.

use super::columns::{NAME_BYTES_MAX, Role, role};
use super::lines::Lines;
use super::record::Record;
use super::row::Origin;
use super::{RUN_BYTES_MAX, Skip};

/// Deeper nesting is not followed.
const DEPTH_MAX: usize = 64;

/// Whether the value goes on behind a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// It does.
    More,
    /// It ended with this byte.
    Ended,
    /// It is no JSON; the byte is not part of it.
    Broken,
}

/// A value that is being read, from its first bracket on.
#[derive(Debug)]
pub(super) struct Json {
    stack: Vec<Frame>,
    expect: Expect,
    lexeme: Lexeme,
    /// A key, a number, or a text that is a part of a proxy.
    value: Vec<u8>,
    /// Whether `value` is longer than what is kept.
    long: bool,
    /// The first half of a surrogate pair (RFC 8259, section 7).
    high: Option<u16>,
    /// What the list had given when the value began.
    events: u64,
}

#[derive(Debug)]
enum Frame {
    Object {
        record: Box<Record>,
        /// Of the current key.
        role: Option<Role>,
    },
    /// With the role of its key.
    Array(Option<Role>),
}

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Value,
    Key,
    Colon,
    Comma,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lexeme {
    None,
    String(To, Escape),
    /// A number or a word.
    Scalar,
}

/// Where a string goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Key,
    /// A part of a proxy.
    Part(Role),
    /// Text with proxies in it.
    Text,
    Nowhere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    None,
    Backslash,
    Hex { left: u8, code: u16 },
}

impl Json {
    /// A value whose first bracket comes next.
    pub(super) fn new(lines: &Lines) -> Json {
        Json {
            stack: Vec::new(),
            expect: Expect::Value,
            lexeme: Lexeme::None,
            value: Vec::new(),
            long: false,
            high: None,
            events: lines.list.events,
        }
    }

    /// Takes the next byte.
    pub(super) fn byte(&mut self, byte: u8, lines: &mut Lines) -> Flow {
        let flow = match self.lexeme {
            Lexeme::String(to, escape) => self.in_string(byte, to, escape, lines),
            Lexeme::Scalar if byte.is_ascii_alphanumeric() || b"+-.".contains(&byte) => {
                self.keep(byte, RUN_BYTES_MAX);
                Flow::More
            }
            // Not the end of a number, so it was none: perhaps `1.2.3.4:80` behind a broken line.
            Lexeme::Scalar if !b" \t\r\n,]}".contains(&byte) => Flow::Broken,
            Lexeme::Scalar => {
                self.end_scalar(lines);
                self.between(byte, lines)
            }
            Lexeme::None => self.between(byte, lines),
        };
        match flow {
            Flow::More => {}
            Flow::Ended if lines.list.events == self.events => lines.list.count(Skip::Noise),
            Flow::Ended => {}
            Flow::Broken => self.cut(lines),
        }
        flow
    }

    /// What was taken for a number when the value broke off.
    pub(super) fn taken_back(self) -> Vec<u8> {
        match self.lexeme {
            Lexeme::Scalar => self.value,
            _ => Vec::new(),
        }
    }

    /// The value ends where it should not. Objects that are not complete are not read: who knows
    /// how many digits of a port are missing?
    pub(super) fn cut(&mut self, lines: &mut Lines) {
        lines.end_line();
        lines.list.count(Skip::Noise);
    }

    /// A byte outside of strings and scalars.
    fn between(&mut self, byte: u8, lines: &mut Lines) -> Flow {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return Flow::More;
        }
        let in_object = matches!(self.stack.last(), Some(Frame::Object { .. }));
        match (self.expect, byte) {
            (Expect::Value, b'[' | b'{') => return self.open(byte, lines),
            (Expect::Value, b'"') => self.begin_string(lines),
            (Expect::Value, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                self.begin(Lexeme::Scalar);
                self.keep(byte, RUN_BYTES_MAX);
            }
            (Expect::Key, b'"') => self.begin(Lexeme::String(To::Key, Escape::None)),
            (Expect::Colon, b':') => self.expect = Expect::Value,
            (Expect::Comma, b',') if in_object => self.expect = Expect::Key,
            (Expect::Comma, b',') => self.expect = Expect::Value,
            (Expect::Key | Expect::Comma, b'}') if in_object => return self.close(lines),
            (Expect::Value | Expect::Comma, b']') if !in_object => return self.close(lines),
            _ => return Flow::Broken,
        }
        Flow::More
    }

    fn open(&mut self, byte: u8, lines: &mut Lines) -> Flow {
        if self.stack.len() == DEPTH_MAX {
            return Flow::Broken;
        }
        lines.end_line();
        if byte == b'{' {
            let record = Box::default();
            self.stack.push(Frame::Object { record, role: None });
            self.expect = Expect::Key;
        } else {
            let role = match self.stack.last() {
                Some(Frame::Object { role, .. }) => *role,
                _ => None,
            };
            self.stack.push(Frame::Array(role));
            self.expect = Expect::Value;
        }
        Flow::More
    }

    fn close(&mut self, lines: &mut Lines) -> Flow {
        lines.end_line();
        if let Some(Frame::Object { record, .. }) = self.stack.pop() {
            lines.list.record(&record);
        }
        self.expect = Expect::Comma;
        match self.stack.is_empty() {
            true => Flow::Ended,
            false => Flow::More,
        }
    }

    fn begin(&mut self, lexeme: Lexeme) {
        self.value.clear();
        self.long = false;
        self.high = None;
        self.lexeme = lexeme;
    }

    fn begin_string(&mut self, lines: &mut Lines) {
        let to = match self.stack.last() {
            Some(Frame::Object { role, .. }) => match role {
                Some(Role::List) => To::Text,
                Some(role) => To::Part(*role),
                None => To::Nowhere,
            },
            Some(Frame::Array(Some(Role::Protocol))) => To::Part(Role::Protocol),
            _ => To::Text,
        };
        if to == To::Text {
            lines.cell(Origin::Json);
        }
        self.begin(Lexeme::String(to, Escape::None));
    }

    fn in_string(&mut self, byte: u8, to: To, escape: Escape, lines: &mut Lines) -> Flow {
        let next = match (escape, byte) {
            (_, b'\n' | b'\r') => return Flow::Broken,
            (Escape::None, b'"') => {
                self.end_string(to, lines);
                return Flow::More;
            }
            (Escape::None, b'\\') => Escape::Backslash,
            (Escape::None, _) => {
                self.put(byte, to, lines);
                Escape::None
            }
            (Escape::Backslash, b'u') => Escape::Hex { left: 4, code: 0 },
            (Escape::Backslash, _) => {
                self.put(escaped(byte), to, lines);
                Escape::None
            }
            (Escape::Hex { left, code }, _) => {
                let Some(digit) = char::from(byte).to_digit(16) else {
                    return Flow::Broken;
                };
                let code = code << 4 | digit as u16;
                match left - 1 {
                    0 => {
                        self.put_unit(code, to, lines);
                        Escape::None
                    }
                    left => Escape::Hex { left, code },
                }
            }
        };
        self.lexeme = Lexeme::String(to, next);
        Flow::More
    }

    /// A UTF-16 unit that was written as `\uXXXX`.
    fn put_unit(&mut self, unit: u16, to: To, lines: &mut Lines) {
        let units = [self.high.take(), Some(unit)];
        if (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
            return;
        }
        for read in char::decode_utf16(units.into_iter().flatten()) {
            let mut bytes = [0; 4];
            let c = read.unwrap_or(char::REPLACEMENT_CHARACTER);
            for byte in c.encode_utf8(&mut bytes).bytes() {
                self.put(byte, to, lines);
            }
        }
    }

    fn put(&mut self, byte: u8, to: To, lines: &mut Lines) {
        match (to, byte) {
            (To::Nowhere, _) => {}
            (To::Key, _) => self.keep(byte, NAME_BYTES_MAX),
            (To::Part(_), _) => self.keep(byte, RUN_BYTES_MAX),
            (To::Text, b'\n' | b'\r') => {
                lines.end_line();
                lines.set_origin(Origin::Json);
            }
            (To::Text, _) => lines.push(byte),
        }
    }

    fn keep(&mut self, byte: u8, bytes_max: usize) {
        match self.value.len() < bytes_max {
            true => self.value.push(byte),
            false => self.long = true,
        }
    }

    fn end_string(&mut self, to: To, lines: &mut Lines) {
        self.lexeme = Lexeme::None;
        self.expect = Expect::Comma;
        match to {
            To::Key => {
                let named = match self.long {
                    false => role(&self.value),
                    true => None,
                };
                if let Some(Frame::Object { role, .. }) = self.stack.last_mut() {
                    *role = named;
                }
                self.expect = Expect::Colon;
            }
            To::Part(role) => self.end_part(role, lines),
            To::Text | To::Nowhere => {}
        }
    }

    fn end_scalar(&mut self, lines: &mut Lines) {
        self.lexeme = Lexeme::None;
        self.expect = Expect::Comma;
        match self.stack.last() {
            Some(Frame::Array(role)) if *role != Some(Role::Protocol) => {
                lines.cell(Origin::Json);
                self.value.iter().for_each(|byte| lines.push(*byte));
            }
            Some(Frame::Object {
                role: Some(role), ..
            }) => {
                let role = *role;
                if !matches!(&self.value[..], b"null" | b"true" | b"false") {
                    self.end_part(role, lines);
                }
            }
            _ => {}
        }
    }

    /// A part of a proxy is complete: it belongs to the object around it.
    fn end_part(&mut self, role: Role, lines: &mut Lines) {
        if self.long {
            return lines.list.count(Skip::TooLong);
        }
        let objects = self.stack.iter_mut().rev();
        let mut records = objects.filter_map(|frame| match frame {
            Frame::Object { record, .. } => Some(record),
            Frame::Array(_) => None,
        });
        if let Some(record) = records.next() {
            record.set(role, &self.value);
        }
    }
}

/// What a letter behind a backslash stands for (RFC 8259, section 7).
fn escaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' | b'f' => b' ',
        other => other,
    }
}
