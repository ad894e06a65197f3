//! What is said about mistakes: files that are read alone, and a snapshot of
//! each.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

use runbook_lang::diagnostic::{Code, Diagnostics};
use runbook_lang::source::{MAX_BYTES, Sources};

mod support;

#[test]
fn every_broken_file_is_explained() {
    for name in support::names("broken") {
        let case = support::read("broken", &name);
        let rendered = case.diagnostics.render(&case.sources);
        assert!(
            rendered.is_ascii() || !rendered.chars().any(|c| c.is_control() && c != '\n'),
            "{name}"
        );
        insta::assert_snapshot!(name, rendered);
    }
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let mut sources = Sources::new();
    let mut diagnostics = Diagnostics::new();
    diagnostics.push(
        sources
            .add("big.yaml", &vec![b'a'; MAX_BYTES + 1])
            .unwrap_err(),
    );
    insta::assert_snapshot!(diagnostics.render(&sources), @r"
    big.yaml:1:1: error[lang::too_large]: the file has more than 4 MiB
      1 |
        | ^
      help: a runbook names files, it does not hold them
    ");
}

#[test]
fn five_mistakes_are_found_at_their_lines() {
    let case = support::read("broken", "runbook-five-mistakes");
    let found: Vec<_> = case
        .diagnostics
        .iter()
        .map(|d| {
            let label = &d.labels[0];
            (
                d.code,
                case.sources
                    .get(label.source)
                    .unwrap()
                    .line_column(label.span.start)
                    .0,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (Code::BadValue, 4),
            (Code::UnknownKey, 8),
            (Code::DuplicateId, 9),
            (Code::BadValue, 14),
            (Code::UnknownKey, 17),
        ]
    );
}
