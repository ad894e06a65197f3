//! What a chain writes, cut where the marks of its runner are: NUL, `rb-UNIT`, words, NUL.

use runbook_model::AttemptId;

use crate::report::RECORDS;

/// The longest mark of the runner, and some.
const MARK: usize = 200;

/// One of the outputs: a mark with the number of the section is at the end of each section.
#[derive(Debug)]
pub(super) struct Output {
    prefix: String,
    section: u32,
    pending: Vec<u8>,
}

impl Output {
    pub(super) fn new(unit: &AttemptId) -> Self {
        Self {
            prefix: format!("\0rb-{unit} "),
            section: 1,
            pending: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// What is there of the current section, and whether that is its end: then the next one is the current one.
    pub(super) fn take(&mut self) -> (Vec<u8>, bool) {
        let mark = format!("{}{}\0", self.prefix, self.section).into_bytes();
        match find(&self.pending, &mark) {
            Some(at) => {
                let bytes = self.pending[..at].to_vec();
                self.pending.drain(..at + mark.len());
                self.section += 1;
                (bytes, true)
            }
            None => {
                let keep = begun(&self.pending, &mark);
                let bytes = self.pending.drain(..self.pending.len() - keep).collect();
                (bytes, false)
            }
        }
    }

    /// All that is left: nothing more comes.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }
}

/// A piece of the records.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The records of the section before the mark, and whether there were more than are kept.
    Section(Vec<u8>, bool),
    /// The words of a mark.
    Mark(String),
}

/// The records of all sections.
#[derive(Debug)]
pub(super) struct Records {
    prefix: Vec<u8>,
    pending: Vec<u8>,
    section: Vec<u8>,
    overflow: bool,
    at_mark: bool,
}

impl Records {
    pub(super) fn new(unit: &AttemptId) -> Self {
        Self {
            prefix: format!("\0rb-{unit} ").into_bytes(),
            pending: Vec::new(),
            section: Vec::new(),
            overflow: false,
            at_mark: false,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// What comes next, if all of it is there.
    pub(super) fn next(&mut self) -> Option<Piece> {
        if self.at_mark {
            let text = &self.pending[self.prefix.len()..];
            let words = match text.iter().take(MARK).position(|byte| *byte == 0) {
                Some(end) => String::from_utf8_lossy(&text[..end]).into_owned(),
                None if text.len() < MARK => return None,
                None => String::new(),
            };
            self.pending
                .drain(..(self.prefix.len() + words.len() + 1).min(self.pending.len()));
            self.at_mark = false;
            return Some(Piece::Mark(words));
        }
        let found = find(&self.pending, &self.prefix);
        let upto = found.unwrap_or_else(|| self.pending.len() - begun(&self.pending, &self.prefix));
        self.keep(upto);
        self.at_mark = found.is_some();
        found.map(|_| self.section())
    }

    /// The records of a section that has no end.
    pub(super) fn rest(&mut self) -> (Vec<u8>, bool) {
        if !self.at_mark {
            self.keep(self.pending.len());
        }
        (
            std::mem::take(&mut self.section),
            std::mem::take(&mut self.overflow),
        )
    }

    fn section(&mut self) -> Piece {
        Piece::Section(
            std::mem::take(&mut self.section),
            std::mem::take(&mut self.overflow),
        )
    }

    fn keep(&mut self, upto: usize) {
        let room = RECORDS.saturating_sub(self.section.len()).min(upto);
        self.overflow |= room < upto;
        self.section.extend_from_slice(&self.pending[..room]);
        self.pending.drain(..upto);
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == 0) {
        if bytes[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// How many of the last bytes may be the beginning of what is wanted.
fn begun(bytes: &[u8], wanted: &[u8]) -> usize {
    let most = bytes.len().min(wanted.len() - 1);
    (1..=most)
        .rev()
        .find(|count| wanted.starts_with(&bytes[bytes.len() - count..]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unit() -> AttemptId {
        AttemptId::new("u-1").unwrap()
    }

    fn sections(bytes: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut output = Output::new(&unit());
        let mut sections = vec![Vec::new()];
        for piece in bytes.chunks(piece) {
            output.push(piece);
            loop {
                let (bytes, over) = output.take();
                sections.last_mut().unwrap().extend(bytes);
                if !over {
                    break;
                }
                sections.push(Vec::new());
            }
        }
        sections.last_mut().unwrap().extend(output.rest());
        sections
    }

    #[test]
    fn an_output_is_cut_at_its_marks_alone() {
        let bytes = b"a\0rb-u-1 2\0b\0rb-u-1 1\0\0\0rb-u-1 2\0c\0rb-u-2 3\0\0rb-u-1";
        for piece in 1..bytes.len() {
            assert_eq!(
                sections(bytes, piece),
                [
                    b"a\0rb-u-1 2\0b".to_vec(),
                    b"\0".to_vec(),
                    b"c\0rb-u-2 3\0\0rb-u-1".to_vec()
                ]
            );
        }
    }

    #[test]
    fn a_torn_record_stays_torn() {
        let mut records = Records::new(&unit());
        records.push(b"\0rb-u-1 open check 0\0end - ok\0out");
        records.push(b"put a\0rb-u-1 over check 0 1 failed\0x\0rb-u-1 ");
        let mut pieces = Vec::new();
        while let Some(piece) = records.next() {
            pieces.push(piece);
        }
        assert_eq!(
            pieces,
            [
                Piece::Section(Vec::new(), false),
                Piece::Mark("open check 0".to_owned()),
                Piece::Section(b"end - ok\0output a".to_vec(), false),
                Piece::Mark("over check 0 1 failed".to_owned()),
                Piece::Section(b"x".to_vec(), false),
            ]
        );
        assert_eq!(records.rest(), (Vec::new(), false));
    }

    #[test]
    fn more_records_than_may_be_are_counted_and_not_kept() {
        let mut records = Records::new(&unit());
        for _ in 0..3 {
            records.push(&vec![b'x'; RECORDS / 2]);
            assert_eq!(records.next(), None);
        }
        records.push(b"\0rb-u-1 stop member\0");
        let Some(Piece::Section(kept, overflow)) = records.next() else {
            panic!("no section")
        };
        assert!(kept.len() == RECORDS && overflow);
        assert_eq!(records.next(), Some(Piece::Mark("stop member".to_owned())));
        records.push(format!("\0rb-u-1 {}", "y".repeat(MARK)).as_bytes());
        assert_eq!(records.next(), Some(Piece::Section(Vec::new(), false)));
        assert_eq!(records.next(), Some(Piece::Mark(String::new())));
    }

    proptest! {
        #[test]
        fn any_bytes_are_cut(bytes: Vec<u8>, piece in 1..20usize) {
            let back: Vec<u8> = sections(&bytes, piece).concat();
            prop_assert_eq!(back, bytes);
        }
    }
}
