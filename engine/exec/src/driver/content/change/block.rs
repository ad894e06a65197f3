//! Lines of a file between two marks.

use super::lines::{Place, bare, insert, split};

/// Lines between two marks.
pub(in crate::driver::content) struct Block {
    /// What is in both marks.
    pub(in crate::driver::content) name: String,
    /// What a mark begins with.
    pub(in crate::driver::content) comment: String,
    /// The lines.
    pub(in crate::driver::content) text: String,
    /// Where a new block goes.
    pub(in crate::driver::content) place: Place,
    /// There should be none.
    pub(in crate::driver::content) absent: bool,
}

impl Block {
    fn mark(&self, word: &str) -> String {
        format!("{} {word} {}", self.comment, self.name)
            .trim_start()
            .to_owned()
    }

    /// The text with the block, or without it.
    pub(super) fn apply(&self, text: &str) -> Result<String, String> {
        let (begin, end) = (self.mark("BEGIN"), self.mark("END"));
        let is_mark = |line: &str| line.trim() == begin || line.trim() == end;
        let inner: Vec<&str> = split(&self.text).into_iter().map(bare).collect();
        if inner.iter().any(|line| is_mark(line)) {
            return Err("a line of the text is a mark of the block itself".to_owned());
        }
        let lines = split(text);
        let marks: Vec<(usize, bool)> = lines
            .iter()
            .enumerate()
            .filter(|(_, line)| is_mark(line))
            .map(|(at, line)| (at, line.trim() == begin))
            .collect();
        match marks[..] {
            [] if self.absent => Ok(text.to_owned()),
            [] => {
                let mut new = vec![begin.as_str()];
                new.extend(inner);
                new.push(&end);
                Ok(insert(text, self.place.find(&lines)?, &new))
            }
            [(from, true), (to, false)] if self.absent => {
                Ok([&lines[..from], &lines[to + 1..]].concat().concat())
            }
            [(from, true), (to, false)] => {
                let same = lines[from + 1..to]
                    .iter()
                    .map(|line| bare(line))
                    .eq(inner.iter().copied());
                match same {
                    true => Ok(text.to_owned()),
                    false => {
                        let around = [&lines[..=from], &lines[to..]].concat().concat();
                        Ok(insert(&around, from + 1, &inner))
                    }
                }
            }
            _ => Err(damage(&marks)),
        }
    }
}

/// What is wrong with the marks that are there, by line.
fn damage(marks: &[(usize, bool)]) -> String {
    let begins: Vec<usize> = marks.iter().filter(|m| m.1).map(|m| m.0 + 1).collect();
    let ends: Vec<usize> = marks.iter().filter(|m| !m.1).map(|m| m.0 + 1).collect();
    let what = match (&begins[..], &ends[..]) {
        ([begin], []) => format!("the one in line {begin} has no end"),
        ([], [end]) => format!("the one that ends in line {end} has no begin"),
        ([begin], [end]) => format!("it ends in line {end}, before it begins in line {begin}"),
        _ => format!(
            "there are {} begins and {} ends of it",
            begins.len(),
            ends.len()
        ),
    };
    format!("the marks of the block are damaged: {what}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(text: &str) -> Block {
        Block {
            name: "x".to_owned(),
            comment: "#".to_owned(),
            text: text.to_owned(),
            place: Place::default(),
            absent: false,
        }
    }

    #[test]
    fn a_block_is_added_changed_and_taken_out() {
        let wanted = block("1\n2");
        assert_eq!(
            wanted.apply("a"),
            Ok("a\n# BEGIN x\n1\n2\n# END x\n".to_owned())
        );
        assert_eq!(
            wanted.apply("a\r\n  # BEGIN x \r\nold\r\n# END x\r\nb"),
            Ok("a\r\n  # BEGIN x \r\n1\r\n2\r\n# END x\r\nb".to_owned())
        );
        let mut none = block("");
        none.absent = true;
        assert_eq!(
            none.apply("a\n# BEGIN x\n1\n# END x\nb\n"),
            Ok("a\nb\n".to_owned())
        );
        assert_eq!(none.apply("a"), Ok("a".to_owned()));
        assert_eq!(
            block("").apply("# BEGIN x\n1\n# END x"),
            Ok("# BEGIN x\n# END x".to_owned())
        );
    }

    #[test]
    fn other_marks_are_text() {
        let mut wanted = block("1\n");
        wanted.comment = String::new();
        assert_eq!(
            wanted.apply("# BEGIN x\nBEGIN xy\n"),
            Ok("# BEGIN x\nBEGIN xy\nBEGIN x\n1\nEND x\n".to_owned())
        );
    }

    #[test]
    fn damaged_marks_are_said() {
        let said = |text: &str| block("1\n").apply(text).unwrap_err();
        insta::assert_snapshot!(said("a\n# BEGIN x\n"), @"the marks of the block are damaged: the one in line 2 has no end");
        insta::assert_snapshot!(said("# END x\n"), @"the marks of the block are damaged: the one that ends in line 1 has no begin");
        insta::assert_snapshot!(said("# END x\n# BEGIN x\n"), @"the marks of the block are damaged: it ends in line 1, before it begins in line 2");
        insta::assert_snapshot!(said("# BEGIN x\n# BEGIN x\n# END x\n"), @"the marks of the block are damaged: there are 2 begins and 1 ends of it");
        insta::assert_snapshot!(block("# END x\n").apply("").unwrap_err(), @"a line of the text is a mark of the block itself");
    }

    proptest! {
        #[test]
        fn a_second_time_changes_nothing(
            text in "((a|b|# BEGIN x|# END x)?\r?\n){0,6}a?",
            inner in "([ab]{0,2}\n){0,3}",
            absent: bool,
        ) {
            let mut wanted = block(&inner);
            wanted.absent = absent;
            if let Ok(once) = wanted.apply(&text) {
                prop_assert_eq!(wanted.apply(&once), Ok(once.clone()));
                prop_assert_eq!(once.contains("BEGIN"), !absent);
                // Without the block, it is what it was without it.
                wanted.absent = true;
                let bare = |text: &str| text.strip_suffix("\r\n").or(text.strip_suffix('\n')).unwrap_or(text).to_owned();
                prop_assert_eq!(bare(&wanted.apply(&once).unwrap()), bare(&wanted.apply(&text).unwrap()));
            }
        }
    }
}
