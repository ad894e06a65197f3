//! What holds for all broken files together: how many there are, that no code of a mistake is
//! without one, and that each mistake is reported once, at its line, in words of this program.
//!
//! A file holds one mistake, unless it says where its mistakes are: `#!` at the end of a line is
//! one mistake in this line, `#!3` are three, and `#!at 7 9` are two in lines 7 and 9 (line 0 is
//! another file).

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

use std::collections::BTreeSet;
use std::fs;

use runbook_lang::diagnostic::{Code, Diagnostic};
use support::Case;

mod support;

/// Words of libraries, of Rust and of its types, which say nothing to an operator.
const FOREIGN: &[&str] = &[
    "granit",
    "saphyr",
    "serde",
    "handlebars",
    "miette",
    "petgraph",
    "antlr",
    "jiff",
    "unexpected token",
    "expected one of",
    "mismatched input",
    "extraneous input",
    "token recognition",
    "no viable alternative",
    "invalid type",
    "scalar",
    "parse error",
    "parser error",
    "regex",
    "no such overload",
    "undeclared reference",
    "unwrap",
    "none)",
    "some(",
    "ok(",
    "err(",
    "vec<",
    "string)",
    "::",
    "i64",
    "u64",
    "f64",
    "usize",
    "utf8error",
    "panicked",
];

fn cases() -> impl Iterator<Item = (String, Vec<u8>, Case)> {
    support::FOLDERS.into_iter().flat_map(|folder| {
        support::names(folder).into_iter().map(move |name| {
            let path = support::folder(folder).join(format!("{name}.yaml"));
            let case = support::read(folder, &name);
            (format!("{folder}/{name}"), fs::read(path).unwrap(), case)
        })
    })
}

/// The line of the first place of a mistake; 0 where it is in another file.
fn line(case: &Case, diagnostic: &Diagnostic) -> usize {
    let label = diagnostic.labels.first().unwrap();
    let source = case.sources.get(label.source).unwrap();
    match label.source == case.sources.iter().next().unwrap().id() {
        true => source.line_column(label.span.start).0,
        false => 0,
    }
}

/// The lines that a file says have mistakes.
fn marked(text: &str) -> Option<Vec<usize>> {
    let mut lines = Vec::new();
    let mut any = false;
    for (at, line) in text.lines().enumerate() {
        let Some((_, mark)) = line.split_once("#!") else {
            continue;
        };
        any = true;
        match mark.strip_prefix("at") {
            Some(list) => lines.extend(
                list.split_whitespace()
                    .map(|n| -> usize { n.parse().unwrap() }),
            ),
            None => lines.extend(vec![at + 1; mark.trim().parse().unwrap_or(1)]),
        }
    }
    lines.sort_unstable();
    any.then_some(lines)
}

#[test]
fn there_are_many() {
    let count: usize = support::FOLDERS
        .iter()
        .map(|f| support::names(f).len())
        .sum();
    assert!(count >= 150, "{count}");
}

#[test]
fn every_code_has_a_file() {
    // A file that is too large is made by a test of its own.
    let mut seen = BTreeSet::from([Code::TooLarge]);
    for (_, _, case) in cases() {
        seen.extend(case.diagnostics.iter().map(|d| d.code));
    }
    let missing: Vec<_> = Code::ALL.iter().filter(|c| !seen.contains(c)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_mistake_is_reported_once_and_at_its_line() {
    let mut wrong = String::new();
    for (name, bytes, case) in cases() {
        let mut found: Vec<_> = case.diagnostics.iter().map(|d| line(&case, d)).collect();
        found.sort_unstable();
        let ok = match marked(&String::from_utf8_lossy(&bytes)) {
            Some(lines) => lines == found,
            None => found.len() == 1,
        };
        if !ok {
            wrong += &format!("{name}: found in lines {found:?}\n");
        }
    }
    assert!(wrong.is_empty(), "mark the lines with `#!`\n{wrong}");
}

#[test]
fn what_is_underlined_is_in_the_file() {
    for (name, _, case) in cases() {
        for label in case.diagnostics.iter().flat_map(|d| &d.labels) {
            let text = case.sources.get(label.source).unwrap().text();
            assert_eq!(label.source, label.span.source, "{name}");
            assert!(text.get(label.span.range()).is_some(), "{name}: {label:?}");
        }
        for diagnostic in case.diagnostics.iter() {
            assert!(
                !diagnostic.labels.is_empty(),
                "{name}: {}",
                diagnostic.message
            );
        }
    }
}

#[test]
fn libraries_do_not_speak() {
    for (name, _, case) in cases() {
        for diagnostic in case.diagnostics.iter() {
            let labels = diagnostic.labels.iter().map(|label| label.text.as_str());
            let said = [diagnostic.message.as_str()]
                .into_iter()
                .chain(labels)
                .chain(diagnostic.help.as_deref());
            for text in said {
                let lower = text.to_lowercase();
                let word = FOREIGN.iter().find(|word| lower.contains(**word));
                assert!(word.is_none(), "{name}: {text}");
            }
        }
    }
}

/// Mistakes that nobody can mend who is only told that they are there.
const WITH_A_WAY_OUT: &[Code] = &[
    Code::BadImport,
    Code::BadInput,
    Code::Conflict,
    Code::SecretLeak,
];

#[test]
fn a_mistake_comes_with_a_way_out() {
    let mut without = String::new();
    for (name, _, case) in cases() {
        let told = case.diagnostics.iter().filter(|d| d.help.is_none());
        for diagnostic in told.filter(|d| WITH_A_WAY_OUT.contains(&d.code)) {
            without += &format!("{name}: {}\n", diagnostic.message);
        }
    }
    assert!(without.is_empty(), "{without}");
}

#[test]
fn ten_mistakes_are_ten_messages() {
    let mut files = 0;
    for (name, bytes, case) in
        cases().filter(|(name, ..)| name.contains("ten_mistakes") || name.contains("ten-mistakes"))
    {
        let lines = marked(&String::from_utf8_lossy(&bytes)).unwrap();
        assert_eq!((lines.len(), case.diagnostics.len()), (10, 10), "{name}");
        files += 1;
    }
    assert!(files >= 5, "{files}");
}

#[test]
fn no_snapshot_is_left_over() {
    let known: BTreeSet<_> = support::FOLDERS
        .iter()
        .zip(["diagnostics", "compile"])
        .flat_map(|(folder, driver)| {
            support::names(folder)
                .into_iter()
                .map(move |name| format!("{driver}__{name}.snap"))
        })
        .collect();
    for entry in fs::read_dir(support::folder("snapshots")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let of_driver = name.starts_with("diagnostics__") || name.starts_with("compile__");
        // What waits for a review is nothing yet.
        let waits = !name.ends_with(".snap");
        assert!(!of_driver || waits || known.contains(&name), "{name}");
    }
}
