//! A line that is in a file, or is not.

use regex::Regex;

use super::lines::{Place, bare, insert, split};

/// A line.
pub(in crate::driver::content) struct Line {
    /// The line, without its end.
    pub(in crate::driver::content) text: Option<String>,
    /// The line that it replaces, or the lines that are taken out.
    pub(in crate::driver::content) matching: Option<Regex>,
    /// Where a new one goes.
    pub(in crate::driver::content) place: Place,
    /// There should be none.
    pub(in crate::driver::content) absent: bool,
}

impl Line {
    /// The text with the line, or without it.
    pub(super) fn apply(&self, text: &str) -> Result<String, String> {
        if self.absent {
            return Ok(self.without(text));
        }
        let line = self.text.as_deref().unwrap_or_default();
        let lines = split(text);
        let found: Vec<usize> = match &self.matching {
            Some(regex) => lines
                .iter()
                .enumerate()
                .filter(|(_, line)| regex.is_match(bare(line)))
                .map(|(at, _)| at)
                .collect(),
            None => Vec::new(),
        };
        match found[..] {
            [at] => Ok(replaced(&lines, at, line)),
            [] if lines.iter().any(|now| bare(now) == line) => Ok(text.to_owned()),
            [] => Ok(insert(text, self.place.find(&lines)?, &[line])),
            [first, second, ..] => Err(format!(
                "`match` is true of {} lines, {} and {} among them, and a line replaces only one",
                found.len(),
                first + 1,
                second + 1
            )),
        }
    }

    fn without(&self, text: &str) -> String {
        let goes = |line: &&str| match (&self.matching, &self.text) {
            (Some(regex), _) => regex.is_match(bare(line)),
            (None, Some(text)) => bare(line) == text,
            (None, None) => false,
        };
        split(text).into_iter().filter(|line| !goes(line)).collect()
    }
}

fn replaced(lines: &[&str], at: usize, with: &str) -> String {
    let end = &lines[at][bare(lines[at]).len()..];
    let (before, after) = (lines[..at].concat(), lines[at + 1..].concat());
    format!("{before}{with}{end}{after}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(text: &str, matching: Option<&str>) -> Line {
        Line {
            text: Some(text.to_owned()),
            matching: matching.map(|regex| Regex::new(regex).unwrap()),
            place: Place::default(),
            absent: false,
        }
    }

    fn at(after: Option<&str>, before: Option<&str>) -> Place {
        let regex = |text: &str| Regex::new(text).unwrap();
        Place {
            after: after.map(regex),
            before: before.map(regex),
        }
    }

    #[test]
    fn a_line_is_added_once() {
        let wanted = line("b", None);
        assert_eq!(wanted.apply("a\nb\nc"), Ok("a\nb\nc".to_owned()));
        assert_eq!(wanted.apply("a\nbb\n"), Ok("a\nbb\nb\n".to_owned()));
        assert_eq!(wanted.apply("a"), Ok("a\nb\n".to_owned()));
        assert_eq!(wanted.apply("a\r\nc\r\n"), Ok("a\r\nc\r\nb\r\n".to_owned()));
        assert_eq!(wanted.apply(""), Ok("b\n".to_owned()));
    }

    #[test]
    fn a_match_is_replaced_where_it_stands() {
        let wanted = line("Port 22", Some("^#?Port "));
        assert_eq!(
            wanted.apply("a\r\n#Port 2222\r\nb"),
            Ok("a\r\nPort 22\r\nb".to_owned())
        );
        assert_eq!(wanted.apply("#Port 1"), Ok("Port 22".to_owned()));
        assert_eq!(wanted.apply("a\n"), Ok("a\nPort 22\n".to_owned()));
        assert_eq!(
            wanted.apply("Port 1\nx\nPort 2\nPort 3\n"),
            Err(
                "`match` is true of 3 lines, 1 and 3 among them, and a line replaces only one"
                    .to_owned()
            )
        );
    }

    #[test]
    fn a_new_line_has_its_place() {
        let mut wanted = line("x", None);
        wanted.place = at(Some("^a"), None);
        assert_eq!(wanted.apply("a1\na2\nb\n"), Ok("a1\na2\nx\nb\n".to_owned()));
        assert_eq!(
            wanted.apply("b\n"),
            Err("no line matches `after`".to_owned())
        );
        assert_eq!(wanted.apply(""), Ok("x\n".to_owned()));
        wanted.place = at(None, Some("^b"));
        assert_eq!(wanted.apply("a\nb1\nb2"), Ok("a\nx\nb1\nb2".to_owned()));
        assert_eq!(
            wanted.apply("a\n"),
            Err("no line matches `before`".to_owned())
        );
    }

    #[test]
    fn lines_are_taken_out() {
        let mut wanted = line("b", None);
        wanted.absent = true;
        assert_eq!(wanted.apply("b\na\nb\nbb"), Ok("a\nbb".to_owned()));
        wanted.matching = Some(Regex::new("^b").unwrap());
        assert_eq!(wanted.apply("b\na\nb\nbb"), Ok("a\n".to_owned()));
        assert_eq!(wanted.apply(""), Ok(String::new()));
    }

    proptest! {
        #[test]
        fn a_second_time_changes_nothing(
            text in "([ab]{0,2}\r?\n){0,6}[ab]{0,2}",
            matching in proptest::option::of("\\^?[ab]{1,2}"),
            absent: bool,
        ) {
            let mut wanted = line("ab", matching.as_deref());
            wanted.absent = absent;
            if let Ok(once) = wanted.apply(&text) {
                prop_assert_eq!(wanted.apply(&once), Ok(once.clone()));
                if !absent {
                    prop_assert!(split(&once).iter().any(|line| bare(line) == "ab"));
                }
                // The others are all there, in their order.
                let mut rest = split(&once).into_iter();
                let touched = |line: &str| bare(line) == "ab" || wanted.matching.as_ref().is_some_and(|m| m.is_match(bare(line)));
                for kept in split(&text).into_iter().filter(|line| !touched(line)) {
                    prop_assert!(rest.any(|line| bare(line) == bare(kept)));
                }
            }
        }
    }
}
