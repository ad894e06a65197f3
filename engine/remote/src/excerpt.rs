//! Output that may be large, kept as its first and last part.

use std::collections::VecDeque;

/// Bytes kept from the beginning of an output.
pub(crate) const HEAD: usize = 16 << 10;
/// Bytes kept from its end.
pub(crate) const TAIL: usize = 48 << 10;

/// All of a small output, or the two ends of a large one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Excerpt {
    /// The text, as it came: control characters are still in it.
    pub text: String,
    /// Bytes that there were.
    pub size: u64,
    /// A part in the middle is left out; the text says where.
    pub cut: bool,
    /// Some bytes were not UTF-8 and are replaced.
    pub lossy: bool,
}

impl Excerpt {
    /// Puts the parts together; `size` is the whole size in bytes.
    pub(crate) fn new(head: &[u8], tail: &[u8], size: u64) -> Self {
        let kept = (head.len() + tail.len()) as u64;
        let size = size.max(kept);
        let cut = size > kept;
        let (head, tail) = (String::from_utf8_lossy(head), String::from_utf8_lossy(tail));
        let lossy = matches!(head, std::borrow::Cow::Owned(_))
            || matches!(tail, std::borrow::Cow::Owned(_));
        let text = if cut {
            format!("{head}\n[… {} bytes left out …]\n{tail}", size - kept)
        } else {
            format!("{head}{tail}")
        };
        Self {
            text,
            size,
            cut,
            lossy,
        }
    }
}

/// Takes an output piece by piece and keeps its ends.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    size: u64,
}

impl Ends {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        let free = HEAD - self.head.len();
        let (first, rest) = bytes.split_at(free.min(bytes.len()));
        self.head.extend_from_slice(first);
        self.tail.extend(&rest[rest.len().saturating_sub(TAIL)..]);
        let over = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..over);
    }

    pub(crate) fn excerpt(&mut self) -> Excerpt {
        // head and tail touch when nothing is left out: a character across the border stays whole
        if self.size == (self.head.len() + self.tail.len()) as u64 {
            let mut all = self.head.clone();
            all.extend(&self.tail);
            Excerpt::new(&all, &[], self.size)
        } else {
            Excerpt::new(&self.head, self.tail.make_contiguous(), self.size)
        }
    }

    /// The last bytes as text, for a message.
    pub(crate) fn last_words(&mut self) -> String {
        let text = self.excerpt().text;
        let from = text.len().saturating_sub(2000);
        let from = (from..=text.len())
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(text.len());
        text[from..].trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_large_output_are_kept() {
        let mut ends = Ends::default();
        let all: Vec<u8> = (0..200_000u32)
            .flat_map(|i| format!("{i}\n").into_bytes())
            .collect();
        for piece in all.chunks(7001) {
            ends.push(piece);
        }
        let excerpt = ends.excerpt();
        assert_eq!(excerpt.size, all.len() as u64);
        assert!(excerpt.cut && !excerpt.lossy);
        assert!(excerpt.text.starts_with("0\n1\n2\n"));
        assert!(excerpt.text.ends_with("199998\n199999\n"));
        assert!(excerpt.text.len() < HEAD + TAIL + 100);
    }

    #[test]
    fn what_is_not_text_is_marked() {
        let mut ends = Ends::default();
        ends.push(b"a\xffb");
        let excerpt = ends.excerpt();
        assert!(excerpt.lossy && !excerpt.cut);
        assert_eq!(excerpt.text, "a\u{fffd}b");
        ends.push("é".repeat(HEAD).as_bytes());
        assert!(ends.excerpt().text.contains('é'));
    }
}
