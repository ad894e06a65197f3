//! What a secret may look like in the output of a tool, as patterns.
//!
//! A pattern is a row of units, and each unit may be written in several ways: a character of a text as it is, as
//! `%2F`, `\u002f`, `\x2f`, `\057`, `&#47;`, and so on, in any mixture. So one pattern finds a text quoted for a
//! shell, for JSON, for XML or for a URL, whatever the tool chose to escape. Base64 has three patterns, one for each
//! place where the secret may begin in a group of three bytes; hex has one.
//!
//! A long secret is cut into blocks, each with patterns of its own: what is kept while a text is read stays small, and
//! a part of a secret is found too.

use std::collections::{BTreeMap, BTreeSet};

/// Shorter secrets, and shorter lines of a secret, are not looked for, in bytes: they would be found everywhere.
pub(super) const SHORTEST: usize = 4;
/// Characters of a block.
const BLOCK: usize = 48;
/// An escape begins with fewer backslashes than this more than its own.
const MORE: usize = 4;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// One way to write a unit, of two or more bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) bytes: Vec<u8>,
    /// `%2f` is `%2F`.
    any_case: bool,
}

impl Way {
    fn new(text: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: text.into(),
            any_case: false,
        }
    }

    fn any_case(text: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: text.into(),
            any_case: true,
        }
    }

    /// With so many more backslashes before each part of it.
    fn escaped(&self, more: usize) -> Self {
        let slash = |at: usize| self.bytes.get(at) == Some(&b'\\');
        let mut bytes = Vec::new();
        for (at, byte) in self.bytes.iter().enumerate() {
            // The second of two is what the first escapes.
            if slash(at) && !(at == 1 && slash(0)) {
                bytes.resize(bytes.len() + more, b'\\');
            }
            bytes.push(*byte);
        }
        Self {
            bytes,
            any_case: self.any_case,
        }
    }

    /// Whether the byte stands at this place of it.
    pub(super) fn has(&self, at: usize, byte: u8) -> bool {
        let here = self.bytes[at];
        here == byte || (self.any_case && here.eq_ignore_ascii_case(&byte))
    }
}

/// A part of a secret that is written as a whole: a character, or a digit of an encoding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Unit {
    /// The single ASCII bytes that it may be, a bit each.
    class: u128,
    pub(super) ways: Vec<Way>,
}

impl Unit {
    /// Whether this byte alone is the unit.
    pub(super) fn is(&self, byte: u8) -> bool {
        byte < 128 && self.class & (1 << byte) != 0
    }

    /// Whether it may begin with this byte.
    pub(super) fn begins_with(&self, byte: u8) -> bool {
        self.is(byte) || self.ways.iter().any(|way| way.has(0, byte))
    }
}

/// What may stand between two units without being a part of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    /// A shell that goes from one way of quoting to another.
    Quotes,
    /// What is put before each line: indentation, the marks of a diff.
    Margin,
    /// The end of a line of an encoded text, with the indentation of the next.
    Wrap,
}

/// A block of a secret in one form.
#[derive(Debug)]
pub(super) struct Pattern {
    /// Its units, and what may stand before each.
    pub(super) units: Vec<(usize, Gap)>,
    /// As many units are enough where a text was cut off.
    pub(super) few: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Char(char),
    Hex(u8),
    Digit(u128),
}

/// The patterns of all secrets, with the units that they share.
#[derive(Debug, Default)]
pub(super) struct Forms {
    pub(super) units: Vec<Unit>,
    pub(super) patterns: Vec<Pattern>,
    known: BTreeMap<Key, usize>,
    blocks: BTreeSet<String>,
}

impl Forms {
    /// Adds the patterns of a secret: of the whole, and of each of its lines.
    pub(super) fn add(&mut self, secret: &str) {
        let lines = secret.lines().map(str::trim);
        for piece in [secret].into_iter().chain(lines) {
            if piece.len() >= SHORTEST {
                for block in blocks(piece) {
                    self.block(block);
                }
            }
        }
    }

    fn block(&mut self, block: String) {
        let bytes = block.as_bytes();
        if self.blocks.contains(&block) {
            return;
        }
        let mut gap = Gap::Quotes;
        let text = block.chars().map(|c| {
            let before = gap;
            gap = if c == '\n' { Gap::Margin } else { Gap::Quotes };
            (Key::Char(c), before)
        });
        let text: Vec<_> = text.collect();
        // A character may be several bytes.
        self.pattern(text, SHORTEST.min(block.chars().count()));
        let hex = bytes.iter().map(|byte| (Key::Hex(*byte), Gap::Wrap));
        self.pattern(hex.collect(), SHORTEST);
        for lead in 0..3 {
            let digits = digits(bytes, lead).map(|class| (Key::Digit(class), Gap::Wrap));
            // So many digits hold as many bytes as the shortest secret.
            self.pattern(digits.collect(), (SHORTEST * 8).div_ceil(6) + 1);
        }
        self.blocks.insert(block);
    }

    fn pattern(&mut self, keys: Vec<(Key, Gap)>, few: usize) {
        let units = keys
            .into_iter()
            .map(|(key, gap)| (self.unit(key), gap))
            .collect();
        self.patterns.push(Pattern { units, few });
    }

    fn unit(&mut self, key: Key) -> usize {
        *self.known.entry(key).or_insert_with(|| {
            self.units.push(match key {
                Key::Char(c) => character(c),
                Key::Hex(byte) => hex(byte),
                Key::Digit(class) => digit(class),
            });
            self.units.len() - 1
        })
    }
}

/// Cuts a text into blocks; the last one is as long as the others, and reaches back for that.
fn blocks(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= BLOCK {
        return vec![text.to_owned()];
    }
    let rest = chars.chunks_exact(BLOCK).remainder();
    let last = (!rest.is_empty()).then(|| &chars[chars.len() - BLOCK..]);
    chars
        .chunks_exact(BLOCK)
        .chain(last)
        .map(|block| block.iter().collect())
        .collect()
}

/// The ways to write a character.
fn character(c: char) -> Unit {
    let mut buffer = [0; 4];
    let raw = c.encode_utf8(&mut buffer).as_bytes();
    let code = u32::from(c);
    let each = |form: fn(u8) -> String| raw.iter().map(|byte| form(*byte)).collect::<String>();
    let mut unit = Unit::default();
    match raw {
        [one] => unit.class = 1 << one,
        many => unit.ways.push(Way::new(many)),
    }
    let mut escapes = vec![
        Way::any_case(each(|byte| format!("\\x{byte:02x}"))),
        Way::new(each(|byte| format!("\\{byte:03o}"))),
        Way::any_case(format!("\\u{{{code:x}}}")),
        Way::any_case(format!("\\U{code:08x}")),
        Way::any_case(utf16(c)),
    ];
    if !c.is_ascii() && code < 0x100 {
        escapes.push(Way::any_case(format!("\\x{code:02x}")));
    }
    if c == ' ' || c.is_ascii_punctuation() {
        escapes.push(Way::new(format!("\\{c}")));
    }
    let letter = match c {
        '\n' => "n",
        '\r' => "r",
        '\t' => "t",
        '\u{7}' => "a",
        '\u{8}' => "b",
        '\u{b}' => "v",
        '\u{c}' => "f",
        '\u{1b}' => "e",
        _ => "",
    };
    if !letter.is_empty() {
        escapes.push(Way::any_case(format!("\\{letter}")));
    }
    // Escaped again, and half unescaped by a shell's `echo` on the way.
    for way in &escapes {
        unit.ways.extend((0..MORE).map(|more| way.escaped(more)));
    }
    unit.ways
        .push(Way::any_case(each(|byte| format!("%{byte:02x}"))));
    for entity in [
        format!("&#{code};"),
        format!("&#{code:03};"),
        format!("&#x{code:x};"),
        format!("&#x{code:02x};"),
        format!("&#x{code:04x};"),
    ] {
        unit.ways.push(Way::any_case(entity));
    }
    let named: &[&str] = match c {
        '&' => &["&amp;"],
        '<' => &["&lt;"],
        '>' => &["&gt;"],
        '"' => &["&quot;", r#"'"'"#, r#"""""#],
        '\'' => &["&apos;", r"'\''", r#"'"'"'"#, "''"],
        '\n' => &["\r\n"],
        _ => &[],
    };
    unit.ways.extend(named.iter().map(|name| Way::new(*name)));
    if c == ' ' {
        unit.class |= 1 << b'+';
    }
    unit.ways.dedup();
    unit
}

/// As JSON escapes it: in halves, above the first plane.
fn utf16(c: char) -> String {
    let mut buffer = [0; 2];
    c.encode_utf16(&mut buffer)
        .iter()
        .map(|half| format!("\\u{half:04x}"))
        .collect()
}

fn hex(byte: u8) -> Unit {
    Unit {
        class: 0,
        ways: vec![Way::any_case(format!("{byte:02x}"))],
    }
}

/// The digits of base64, of either alphabet.
fn digit(class: u128) -> Unit {
    let mut ways = Vec::new();
    for (sign, forms) in [(b'+', ["%2B", r"\+"]), (b'/', ["%2F", r"\/"])] {
        if class & (1 << sign) != 0 {
            ways.extend(forms.map(Way::any_case));
        }
    }
    Unit { class, ways }
}

/// The digits of base64 that hold bits of these bytes, after `lead` bytes of the same group. The first and the last
/// may hold bits of others, which are not known.
fn digits(bytes: &[u8], lead: usize) -> impl Iterator<Item = u128> + '_ {
    let (begin, end) = (lead * 8, (lead + bytes.len()) * 8);
    let bit = move |at: usize| {
        (begin..end)
            .contains(&at)
            .then(|| bytes[(at - begin) / 8] >> (7 - at % 8) & 1)
    };
    (begin / 6..end.div_ceil(6)).map(move |place| {
        let fits = |value: &u8| {
            (0..6).all(|of| bit(place * 6 + of).is_none_or(|known| value >> (5 - of) & 1 == known))
        };
        (0..64u8).filter(fits).fold(0, |class, value| {
            let url_safe = match value {
                62 => b'-',
                63 => b'_',
                _ => BASE64[usize::from(value)],
            };
            class | 1 << BASE64[usize::from(value)] | 1 << url_safe
        })
    })
}

impl Gap {
    /// What it is made of.
    pub(super) fn ways(self) -> &'static [&'static [u8]] {
        match self {
            Self::Quotes => &[b"''", b"'$'", b"\"\""],
            Self::Margin => &[b" ", b"\t", b"+", b"-", b">", b"|", b"#", b"''"],
            Self::Wrap => &[
                b" ", b"\t", b"\r", b"\n", b":", b"\\n", b"\\r", b"\\\\n", b"\\\\r", b"%0A",
                b"%0D", b"\\\n",
            ],
        }
    }
}
