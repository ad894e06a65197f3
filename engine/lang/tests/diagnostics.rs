//! What is said about mistakes: one broken file and one snapshot for every code.
//!
//! The first word of a file's name says how it is read.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use runbook_lang::ast::parse_runbook;
use runbook_lang::diagnostic::{Code, Diagnostics};
use runbook_lang::inventory::parse_inventory;
use runbook_lang::source::{MAX_BYTES, Source, Sources};
use runbook_lang::steptype::{Catalog, SHIPPED, check_params};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken")
}

/// The names of the broken files, without `.yaml`.
fn names() -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn read(name: &str, sources: &mut Sources) -> Diagnostics {
    let file = format!("{name}.yaml");
    let bytes = fs::read(folder().join(&file)).unwrap();
    let source = match sources.add(&file, &bytes) {
        Ok(source) => source,
        Err(diagnostic) => {
            let mut diagnostics = Diagnostics::new();
            diagnostics.push(diagnostic);
            return diagnostics;
        }
    };
    match name.split('-').next() {
        Some("runbook") => parse_runbook(&source).1,
        Some("inventory") => parse_inventory(&source).1,
        Some("type") => catalog(sources).add(
            &name.replace('-', "_").replace("type_shadowed", "assert"),
            "own.yaml",
            &source,
        ),
        Some("params") => params(&source, sources),
        _ => panic!("{name}: how is it read?"),
    }
}

fn catalog(sources: &mut Sources) -> Catalog {
    let mut catalog = Catalog::new();
    let text = fs::read(folder().join("types/test.type.yaml")).unwrap();
    let source = sources.add("test.type.yaml", &text).unwrap();
    assert_eq!(
        catalog.add("test.type", SHIPPED, &source).render(sources),
        ""
    );
    catalog
}

fn params(source: &Source, sources: &mut Sources) -> Diagnostics {
    let catalog = catalog(sources);
    let (runbook, mut diagnostics) = parse_runbook(source);
    for (_, step) in runbook.unwrap().steps() {
        if let Some(step_type) = catalog.resolve(&step.uses, source.id(), &mut diagnostics) {
            check_params(
                step_type,
                &step.with,
                step.uses.span,
                source,
                &mut diagnostics,
            );
        }
    }
    diagnostics.sort();
    diagnostics
}

#[test]
fn every_broken_file_is_explained() {
    for name in names() {
        let mut sources = Sources::new();
        let rendered = read(&name, &mut sources).render(&sources);
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
    big.yaml:1:1: error[lang::too_large]: the file has 4194305 bytes, the limit is 4194304
      1 |
        | ^
      help: a runbook names files, it does not hold them
    ");
}

#[test]
fn five_mistakes_are_found_at_their_lines() {
    let mut sources = Sources::new();
    let diagnostics = read("runbook-five-mistakes", &mut sources);
    let found: Vec<_> = diagnostics
        .iter()
        .map(|d| {
            let label = &d.labels[0];
            (
                d.code,
                sources
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
            (Code::NotSupportedYet, 17),
        ]
    );
}

#[test]
fn every_code_of_reading_has_a_broken_file() {
    let mut seen = BTreeSet::from([Code::TooLarge]);
    for name in names() {
        let mut sources = Sources::new();
        seen.extend(read(&name, &mut sources).iter().map(|d| d.code));
    }
    // The codes after this one are those of the compiler.
    let missing: Vec<_> = Code::ALL
        .iter()
        .filter(|c| **c <= Code::BadParameter && !seen.contains(c))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
