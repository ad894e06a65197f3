//! What a script said: its records, its status, its verdict.

use crate::Excerpt;

/// Bytes of records that one script may write.
pub(crate) const RECORDS: usize = 1 << 20;

/// What the records and the status of a script come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The script reached its end and had nothing to object.
    Satisfied,
    /// It reached its end; each reason why the wanted state is not there.
    Differs(Vec<String>),
    /// Not applicable here, and why.
    Skipped(String),
    /// Anything else: what `fail` said, or how the script ended.
    Failed(String),
}

/// All that a script left behind.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    /// What it comes to.
    pub verdict: Verdict,
    /// `output` records in their order; some may be secret.
    pub outputs: Vec<(String, String)>,
    /// `before` records in their order.
    pub before: Vec<(String, String)>,
    /// Exit status, 128 + signal when killed; none when it is not known.
    pub status: Option<i32>,
    /// It did nothing, because a file that it should have kept for undo is not the one that its check saw.
    pub stale: bool,
    /// Ended because it took too long.
    pub timed_out: bool,
    /// Some record was not UTF-8; the bytes are replaced.
    pub lossy: bool,
    /// Standard output; of a check it is in `stderr`, in the order of printing.
    pub stdout: Excerpt,
    /// Standard error.
    pub stderr: Excerpt,
}

impl std::fmt::Debug for Report {
    /// Outputs can be secret: only their names are shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.outputs.iter().map(|(name, _)| name).collect();
        f.debug_struct("Report")
            .field("verdict", &self.verdict)
            .field("outputs", &names)
            .field("before", &self.before.len())
            .field("status", &self.status)
            .field("timed_out", &self.timed_out)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .finish_non_exhaustive()
    }
}

impl Report {
    /// Reads records; never fails: what makes no sense makes the verdict `Failed`.
    pub(crate) fn read(
        records: &[u8],
        overflow: bool,
        status: Option<i32>,
        stdout: Excerpt,
        stderr: Excerpt,
    ) -> Self {
        let mut read = Read::default();
        for record in records.split_inclusive(|byte| *byte == 0) {
            match record.split_last() {
                Some((0, record)) => read.record(record),
                // the writer was stopped in the middle of it
                _ => read.torn = true,
            }
        }
        let verdict = read.verdict(overflow, status, &stderr);
        Self {
            verdict,
            outputs: read.outputs,
            before: read.before,
            status,
            stale: read.stale,
            timed_out: false,
            lossy: read.lossy,
            stdout,
            stderr,
        }
    }

    /// A script that did not end by itself has no verdict of its own.
    pub(crate) fn overruled(mut self, reason: String, timed_out: bool) -> Self {
        self.verdict = Verdict::Failed(reason);
        self.timed_out = timed_out;
        self
    }
}

#[derive(Default)]
struct Read {
    outputs: Vec<(String, String)>,
    before: Vec<(String, String)>,
    differs: Vec<String>,
    skip: Option<String>,
    fail: Option<String>,
    bad: Option<String>,
    ended: bool,
    stale: bool,
    torn: bool,
    lossy: bool,
}

impl Read {
    fn record(&mut self, record: &[u8]) {
        let text = String::from_utf8_lossy(record);
        self.lossy |= matches!(text, std::borrow::Cow::Owned(_));
        let mut parts = text.splitn(3, ' ');
        let (Some(kind), Some(name), Some(value)) = (parts.next(), parts.next(), parts.next())
        else {
            self.bad.get_or_insert_with(|| text.into_owned());
            return;
        };
        let value = value.to_owned();
        match kind {
            "differs" => self.differs.push(value),
            "output" => self.outputs.push((name.to_owned(), value)),
            "before" => self.before.push((name.to_owned(), value)),
            "skip" => drop(self.skip.get_or_insert(value)),
            "fail" => drop(self.fail.get_or_insert(value)),
            "stale" => {
                self.stale = true;
                self.fail.get_or_insert(value);
            }
            "end" => self.ended = true,
            _ => drop(self.bad.get_or_insert_with(|| text.into_owned())),
        }
    }

    fn verdict(&mut self, overflow: bool, status: Option<i32>, stderr: &Excerpt) -> Verdict {
        if let Some(reason) = self.fail.take() {
            return Verdict::Failed(reason);
        }
        if overflow {
            return Verdict::Failed(format!("wrote more than {RECORDS} bytes of records"));
        }
        if let Some(record) = &self.bad {
            return Verdict::Failed(format!("wrote a record that is none: {}", shorten(record)));
        }
        match (status, self.skip.take()) {
            (Some(0), Some(reason)) => Verdict::Skipped(reason),
            (Some(0), None) if !self.ended || self.torn => {
                Verdict::Failed("ended with status 0 before its end was reached".to_owned())
            }
            (Some(0), None) if self.differs.is_empty() => Verdict::Satisfied,
            (Some(0), None) => Verdict::Differs(std::mem::take(&mut self.differs)),
            (None, _) => Verdict::Failed("it is not known how it ended".to_owned()),
            (Some(status), _) => Verdict::Failed(describe(status, stderr)),
        }
    }
}

fn describe(status: i32, stderr: &Excerpt) -> String {
    let how = match status {
        127 => "status 127, a command was not found".to_owned(),
        129..=192 => format!("killed by signal {}", status - 128),
        _ => format!("status {status}"),
    };
    match stderr
        .text
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
    {
        Some(line) => format!("{how}: {}", shorten(line.trim())),
        None => how,
    }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(300).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(records: &str, status: i32) -> Report {
        Report::read(
            records.as_bytes(),
            false,
            Some(status),
            Excerpt::default(),
            Excerpt::new(b"one\nlast line\n", b"", 0),
        )
    }

    #[test]
    fn verdicts_follow_the_records() {
        assert_eq!(read("end - ok\0", 0).verdict, Verdict::Satisfied);
        assert_eq!(
            read("differs - a\0differs - b c\0end - ok\0", 0).verdict,
            Verdict::Differs(vec!["a".into(), "b c".into()])
        );
        assert_eq!(
            read("skip - no x\0", 0).verdict,
            Verdict::Skipped("no x".into())
        );
        assert_eq!(
            read("skip - no x\0fail - broken\0end - ok\0", 0).verdict,
            Verdict::Failed("broken".into())
        );
        assert_eq!(
            read("fail - swallowed\0end - ok\0", 0).verdict,
            Verdict::Failed("swallowed".into())
        );
        assert_eq!(
            read("", 3).verdict,
            Verdict::Failed("status 3: last line".into())
        );
        assert_eq!(
            read("skip - x\0", 1).verdict,
            Verdict::Failed("status 1: last line".into())
        );
        assert_eq!(
            read("end - ok\0", 137).verdict,
            Verdict::Failed("killed by signal 9: last line".into())
        );
        assert!(
            matches!(read("", 0).verdict, Verdict::Failed(_)),
            "no end marker"
        );
        assert!(
            matches!(
                read("end - ok\0differs - cu", 0).verdict,
                Verdict::Failed(_)
            ),
            "torn"
        );
        assert!(
            matches!(read("what\0end - ok\0", 0).verdict, Verdict::Failed(_)),
            "not a record"
        );
    }

    #[test]
    fn what_is_stale_has_failed() {
        let report = read("stale - /x was changed\0", 1);
        assert!(report.stale);
        assert_eq!(report.verdict, Verdict::Failed("/x was changed".into()));
        assert!(!read("fail - other\0", 1).stale);
    }

    #[test]
    fn outputs_keep_order_spaces_and_lines() {
        let report = read("output a  x \0output b l1\nl2\0before a \0end - ok\0", 0);
        assert_eq!(
            report.outputs,
            [("a".into(), " x ".into()), ("b".into(), "l1\nl2".into())]
        );
        assert_eq!(report.before, [("a".into(), String::new())]);
        assert!(!format!("{report:?}").contains("l1"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>, status: Option<i32>, overflow: bool) {
            let report = Report::read(&bytes, overflow, status, Excerpt::default(), Excerpt::default());
            prop_assert!(status == Some(0) || matches!(report.verdict, Verdict::Failed(_)));
        }

        #[test]
        fn records_come_back(values in prop::collection::vec("[^\0]{0,40}", 0..8)) {
            let mut bytes = Vec::new();
            for value in &values {
                bytes.extend_from_slice(format!("output n {value}\0").as_bytes());
            }
            bytes.extend_from_slice(b"end - ok\0");
            let report = Report::read(&bytes, false, Some(0), Excerpt::default(), Excerpt::default());
            prop_assert_eq!(report.verdict, Verdict::Satisfied);
            let got: Vec<_> = report.outputs.into_iter().map(|(_, value)| value).collect();
            prop_assert_eq!(got, values);
        }
    }
}
