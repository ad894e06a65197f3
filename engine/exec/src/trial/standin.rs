//! Stand-ins: small shell programs that answer for commands as a test says, and write down how they
//! were called.

use std::fmt::Write as _;

use runbook_lang::testfile::{Answer, Glob};
use runbook_remote::Script;

/// Where a stand-in finds real tools; scripts under test do not see this.
pub(super) const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How a stand-in writes down that no answer fits.
pub(super) const NONE: &str = "none";

/// A word, quoted for the shell.
fn quoted(text: &str) -> String {
    Script::words([text])
}

/// A pattern of `case` that fits what the glob fits.
fn pattern(glob: &Glob) -> String {
    let pieces: Vec<String> = glob.0.split('*').map(quoted).collect();
    pieces.join("*")
}

/// The program that stands for a command. `here` is the directory where it finds its answers and
/// leaves its traces; `answers` are all of the test, by their numbers.
pub(super) fn program(name: &str, answers: &[Answer], here: &str) -> String {
    let mine = || {
        answers
            .iter()
            .enumerate()
            .filter(|(_, answer)| answer.run.name() == name)
    };
    let mut out = format!(
        "#!/bin/sh\nPATH={SYSTEM_PATH}\nexport PATH\nhere={}\nme={}\nin=\n",
        quoted(here),
        quoted(name)
    );
    // Input is taken only where an answer asks for it: it may belong to whoever called.
    if mine().any(|(_, answer)| answer.run.input.is_some()) {
        out.push_str("in=$(cat; echo .)\nin=${in%.}\n");
    }
    out.push_str("if false; then :\n");
    for (number, answer) in mine() {
        let _ = writeln!(out, "elif {}; then answer={number}", condition(answer));
    }
    let _ = write!(
        out,
        "else answer={NONE}\nfi\nprintf '%s\\0' \"$answer\" \"$in\" \"$(($# + 1))\" \"$me\" \"$@\" >>\"$here/calls\"\n"
    );
    out.push_str("case $answer in\n");
    for (number, answer) in mine() {
        let _ = writeln!(out, "{number}) {} ;;", effect(number, answer));
    }
    let _ = write!(
        out,
        "*) echo \"the test has no answer for: $me $*\" >&2; exit 127 ;;\nesac\n"
    );
    out
}

fn condition(answer: &Answer) -> String {
    let (words, more) = answer.run.parts();
    let compare = if more { "-ge" } else { "-eq" };
    let mut parts = vec![format!("[ $# {compare} {} ]", words.len() - 1)];
    for (at, word) in words.iter().enumerate().skip(1) {
        if word.0 != "*" {
            parts.push(format!(
                "case ${{{at}}} in {}) ;; *) false ;; esac",
                pattern(word)
            ));
        }
    }
    if let Some(stdin) = &answer.run.input {
        parts.push(format!(
            "case $in in {}) ;; *) false ;; esac",
            pattern(stdin)
        ));
    }
    if let Some(fact) = &answer.after {
        parts.push(format!("[ -e \"$here/facts/{fact}\" ]"));
    }
    if let Some(fact) = &answer.until {
        parts.push(format!("[ ! -e \"$here/facts/{fact}\" ]"));
    }
    parts.join(" && ")
}

fn effect(number: usize, answer: &Answer) -> String {
    let mut parts = Vec::new();
    for (at, file) in answer.writes.keys().enumerate() {
        let to = quoted(&format!("/{file}"));
        parts.push(format!(
            "cat \"$here/answers/{number}.{at}\" >\"$here/scratch\"{to} || exit 126"
        ));
    }
    if let Some(fact) = &answer.sets {
        parts.push(format!(": >\"$here/facts/{fact}\""));
    }
    if !answer.stderr.is_empty() {
        parts.push(format!("cat \"$here/answers/{number}.err\" >&2"));
    }
    if !answer.stdout.is_empty() {
        parts.push(format!("cat \"$here/answers/{number}.out\""));
    }
    parts.push(format!("exit {}", answer.status));
    parts.join("; ")
}

/// A call of a stand-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The number of the answer; nothing if none fits.
    pub(super) answer: Option<usize>,
    /// What it got as input, if it was looked at.
    pub(super) stdin: String,
    /// The command and its arguments.
    pub(super) words: Vec<String>,
}

impl Call {
    /// As a person reads it.
    pub(super) fn shown(&self) -> String {
        let words: Vec<String> = self.words.iter().map(|word| shown(word)).collect();
        let mut text = words.join(" ");
        if !self.stdin.trim().is_empty() {
            let _ = write!(text, " <<< {}", shown(self.stdin.trim()));
        }
        text
    }
}

fn shown(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => quoted(word),
    }
}

/// Reads what stand-ins wrote down. What makes no sense ends the list.
pub(super) fn calls(log: &[u8]) -> Vec<Call> {
    let text = String::from_utf8_lossy(log);
    let mut parts = text.split('\0').map(str::to_owned);
    let mut calls = Vec::new();
    while let (Some(answer), Some(stdin), Some(count)) = (parts.next(), parts.next(), parts.next())
    {
        let Ok(count) = count.parse::<usize>() else {
            break;
        };
        calls.push(Call {
            answer: answer.parse().ok(),
            stdin,
            words: parts.by_ref().take(count).collect(),
        });
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_lang::testfile::Words;

    fn answer(run: &[&str]) -> Answer {
        Answer {
            run: Words::new(run.iter().map(|w| (*w).to_owned())),
            stdout: String::new(),
            stderr: String::new(),
            status: 0,
            writes: Default::default(),
            sets: None,
            after: None,
            until: None,
        }
    }

    #[test]
    fn the_program_of_a_command() {
        let answers = [
            Answer {
                stdout: "it's\n".into(),
                after: Some("pulled".into()),
                ..answer(&["podman", "image", "a b*", "..."])
            },
            answer(&["other"]),
            Answer {
                sets: Some("pulled".into()),
                status: 3,
                writes: [("x/y".to_owned(), String::new())].into(),
                ..answer(&["podman", "pull", "*", "<<<", "*select*"])
            },
        ];
        insta::assert_snapshot!(program("podman", &answers, "/tmp/x"));
    }

    #[test]
    fn calls_are_read_back() {
        let log = b"none\0\x001\0podman\x000\0in\n\x003\0podman\0a b\0\0";
        let calls = calls(log);
        assert_eq!(calls.len(), 2);
        assert_eq!(calls[0].shown(), "podman");
        assert_eq!(calls[0].answer, None);
        assert_eq!(calls[1].shown(), "podman 'a b' '' <<< in");
        assert_eq!(calls[1].answer, Some(0));
        assert_eq!(super::calls(b"x\0y"), []);
    }
}
