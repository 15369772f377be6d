//! Tags, entities, comments and scripts of HTML: taken out of the text as it streams by.

/// Longest name of a tag, with `<` and `/`, that is taken for one; longest entity likewise.
const HELD_BYTES_MAX: usize = 24;

/// What a byte comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// Nothing: it belongs to a tag, or is not decided yet.
    Nothing,
    /// The byte itself.
    Byte,
    /// What was taken for a tag was text: [`Markup::held`], then pass the byte again.
    Held,
    /// A separator.
    Space,
    /// A separator, then pass the byte again.
    SpaceAgain,
    /// A colon that was written as an entity.
    Colon,
    /// The border of a cell.
    Cell,
    /// The start or end of a row.
    Row {
        /// Whether cells follow.
        opens: bool,
    },
    /// The start or end of a paragraph or the like.
    Block,
}

/// Where in the markup the next byte stands.
#[derive(Debug, Default)]
pub(super) struct Markup {
    place: Place,
    /// `<`, perhaps `/`, the name of the tag and a blank; or the name of an entity.
    held: Vec<u8>,
    /// Whether a tag was seen: only then does `&` begin an entity.
    seen: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Text,
    /// Behind `<`, in the name of a tag.
    Name,
    /// Behind the name and a blank.
    AfterName,
    /// In a tag; `value`: behind a `=`.
    Tag { value: bool },
    /// In a quoted value.
    Quoted(u8),
    /// Behind `<!`, or behind `<?` or `<!x` and so on, where nothing can become a comment any more.
    Declaration { dashes: Option<u8> },
    /// In `<!-- … -->`, behind so many dashes.
    Comment { dashes: u8 },
    /// In a script or a style, behind so many bytes of its closing tag.
    Raw { name: &'static [u8], matched: u8 },
    /// Behind `&`.
    Entity,
}

impl Markup {
    /// Whether nothing is open.
    pub(super) fn is_text(&self) -> bool {
        self.place == Place::Text
    }

    /// Whether `byte` may be more than text.
    pub(super) fn is_special(&self, byte: u8) -> bool {
        byte == b'<' || byte == b'&' && self.seen
    }

    /// What was taken for a tag.
    pub(super) fn held(&self) -> &[u8] {
        &self.held
    }

    /// The next list begins.
    pub(super) fn reset(&mut self) {
        *self = Markup::default();
    }

    /// Takes the next byte.
    pub(super) fn pass(&mut self, byte: u8) -> Passed {
        match self.place {
            Place::Text => self.text(byte),
            Place::Name => self.in_name(byte),
            Place::AfterName => self.after_name(byte),
            Place::Tag { value } => self.in_tag(byte, value),
            Place::Quoted(quote) => {
                if byte == quote {
                    self.place = Place::Tag { value: false };
                }
                Passed::Nothing
            }
            Place::Declaration { dashes } => self.in_declaration(byte, dashes),
            Place::Comment { dashes } => self.in_comment(byte, dashes),
            Place::Raw { name, matched } => self.in_raw(byte, name, matched),
            Place::Entity => self.in_entity(byte),
        }
    }

    fn text(&mut self, byte: u8) -> Passed {
        if !self.is_special(byte) {
            return Passed::Byte;
        }
        self.held.clear();
        if byte == b'&' {
            self.place = Place::Entity;
        } else {
            self.held.push(byte);
            self.place = Place::Name;
        }
        Passed::Nothing
    }

    fn in_name(&mut self, byte: u8) -> Passed {
        let start = matches!(self.held[..], [b'<'] | [b'<', b'/']);
        match byte {
            b'!' | b'?' if self.held == b"<" => {
                self.held.push(byte);
                let dashes = (byte == b'!').then_some(0);
                self.place = Place::Declaration { dashes };
                Passed::Nothing
            }
            b'/' if self.held == b"<" => self.hold(byte),
            b'a'..=b'z' | b'A'..=b'Z' => self.hold(byte),
            b'0'..=b'9' | b'-' if !start => self.hold(byte),
            b'>' if !start => self.end_tag(),
            b'/' if !start => self.enter_tag(),
            _ if !start && byte.is_ascii_whitespace() => {
                self.held.push(byte);
                self.place = Place::AfterName;
                Passed::Nothing
            }
            _ => self.not_a_tag(),
        }
    }

    fn hold(&mut self, byte: u8) -> Passed {
        if self.held.len() == HELD_BYTES_MAX {
            return self.not_a_tag();
        }
        self.held.push(byte);
        Passed::Nothing
    }

    fn not_a_tag(&mut self) -> Passed {
        self.place = Place::Text;
        Passed::Held
    }

    /// No attribute begins with a digit or a bracket, but the proxy on the next line does.
    fn after_name(&mut self, byte: u8) -> Passed {
        match byte {
            b'>' => {
                self.held.pop();
                self.end_tag()
            }
            b'0'..=b'9' | b'[' | b'<' => self.not_a_tag(),
            _ if byte.is_ascii_whitespace() => {
                if matches!(byte, b'\n' | b'\r') {
                    self.held.pop();
                    self.held.push(byte);
                }
                Passed::Nothing
            }
            _ => {
                self.held.pop();
                self.enter_tag()
            }
        }
    }

    fn enter_tag(&mut self) -> Passed {
        self.place = Place::Tag { value: false };
        Passed::Nothing
    }

    fn in_tag(&mut self, byte: u8, value: bool) -> Passed {
        match byte {
            b'>' => return self.end_tag(),
            b'<' => {
                self.held.clear();
                self.held.push(byte);
                self.place = Place::Name;
                return Passed::Space;
            }
            b'"' | b'\'' if value => self.place = Place::Quoted(byte),
            b'=' => self.place = Place::Tag { value: true },
            _ if byte.is_ascii_whitespace() => {}
            _ => self.place = Place::Tag { value: false },
        }
        Passed::Nothing
    }

    fn end_tag(&mut self) -> Passed {
        self.seen = true;
        self.place = Place::Text;
        self.held.make_ascii_lowercase();
        let (name, closes) = match &self.held[1..] {
            [b'/', name @ ..] => (name, true),
            name => (name, false),
        };
        match name {
            b"script" if !closes => self.enter_raw(b"</script"),
            b"style" if !closes => self.enter_raw(b"</style"),
            b"td" | b"th" if !closes => Passed::Cell,
            b"tr" => Passed::Row { opens: !closes },
            b"table" | b"thead" | b"tbody" | b"tfoot" => Passed::Row { opens: false },
            name if BLOCKS.contains(&name) => Passed::Block,
            _ => Passed::Space,
        }
    }

    fn enter_raw(&mut self, name: &'static [u8]) -> Passed {
        self.place = Place::Raw { name, matched: 0 };
        Passed::Space
    }

    fn in_raw(&mut self, byte: u8, name: &'static [u8], matched: u8) -> Passed {
        let next = name[usize::from(matched)];
        let matched = match byte {
            _ if byte.eq_ignore_ascii_case(&next) => matched + 1,
            b'<' => 1,
            _ => 0,
        };
        self.place = match usize::from(matched) == name.len() {
            true => Place::Tag { value: false },
            false => Place::Raw { name, matched },
        };
        if self.place == (Place::Tag { value: false }) {
            self.held.clear();
            self.held.extend_from_slice(name);
        }
        Passed::Nothing
    }

    fn in_declaration(&mut self, byte: u8, dashes: Option<u8>) -> Passed {
        let first = self.held.len() == 2;
        match (byte, dashes) {
            (b'-', Some(1)) => self.place = Place::Comment { dashes: 0 },
            (b'-', Some(0)) => {
                self.held.push(byte);
                self.place = Place::Declaration { dashes: Some(1) };
            }
            (b'a'..=b'z' | b'A'..=b'Z' | b'[', _) if first => {
                self.held.push(byte);
                self.place = Place::Declaration { dashes: None };
            }
            _ if first => return self.not_a_tag(),
            (b'>', _) => {
                self.seen = true;
                self.place = Place::Text;
                return Passed::Space;
            }
            _ => self.place = Place::Declaration { dashes: None },
        }
        Passed::Nothing
    }

    fn in_comment(&mut self, byte: u8, dashes: u8) -> Passed {
        let dashes = match byte {
            b'-' => (dashes + 1).min(2),
            b'>' if dashes == 2 => {
                self.seen = true;
                self.place = Place::Text;
                return Passed::Space;
            }
            _ => 0,
        };
        self.place = Place::Comment { dashes };
        Passed::Nothing
    }

    fn in_entity(&mut self, byte: u8) -> Passed {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'#' if self.held.len() < HELD_BYTES_MAX => {
                self.held.push(byte);
                Passed::Nothing
            }
            b';' => {
                self.place = Place::Text;
                self.held.make_ascii_lowercase();
                match &self.held[..] {
                    b"#58" | b"#x3a" | b"colon" => Passed::Colon,
                    _ => Passed::Space,
                }
            }
            _ => {
                self.place = Place::Text;
                Passed::SpaceAgain
            }
        }
    }
}

/// Elements that begin a line of their own.
const BLOCKS: &[&[u8]] = &[
    b"article",
    b"blockquote",
    b"body",
    b"br",
    b"dd",
    b"div",
    b"dl",
    b"dt",
    b"footer",
    b"form",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"head",
    b"header",
    b"hr",
    b"html",
    b"li",
    b"main",
    b"nav",
    b"ol",
    b"option",
    b"p",
    b"pre",
    b"section",
    b"select",
    b"textarea",
    b"title",
    b"ul",
];
