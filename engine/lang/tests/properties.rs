//! Nothing that is read makes the reader panic, and every place is inside its text.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

use proptest::prelude::*;
use runbook_lang::ast::parse_runbook;
use runbook_lang::diagnostic::Diagnostics;
use runbook_lang::inventory::parse_inventory;
use runbook_lang::source::{Source, Sources, Span};
use runbook_lang::steptype::{Catalog, check_params, parse_type};
use runbook_lang::yaml::{self, Kind, Node};

const RUNBOOK: &str = include_str!("good/everything.yaml");
const TYPE: &str = include_str!("broken/types/test.type.yaml");
const INVENTORY: &str = "hosts:\n  q1: { address: 10.0.0.1, vars: { a: 1 } }\n  q2:\ngroups:\n  quay: { hosts: [q1, q2], vars: { b: x } }\n  site: { children: [quay] }\nbecome: sudo\n";

fn inside(source: &Source, span: Span) {
    assert!(
        span.start <= span.end && span.end <= source.text().len(),
        "{span:?}"
    );
    assert!(
        source.text().is_char_boundary(span.start) && source.text().is_char_boundary(span.end),
        "{span:?}"
    );
}

fn nodes_inside(source: &Source, node: &Node) {
    inside(source, node.span);
    inside(source, node.site());
    match &node.kind {
        Kind::Seq(items) => items.iter().for_each(|n| nodes_inside(source, n)),
        Kind::Map(entries) => entries.iter().for_each(|e| {
            inside(source, e.key.span);
            nodes_inside(source, &e.value);
        }),
        _ => {}
    }
}

fn places_inside(sources: &Sources, diagnostics: &Diagnostics) {
    for label in diagnostics.iter().flat_map(|d| &d.labels) {
        inside(sources.get(label.source).unwrap(), label.span);
    }
    let rendered = diagnostics.render(sources);
    assert!(
        !rendered.chars().any(|c| c.is_control() && c != '\n'),
        "{rendered:?}"
    );
    assert_eq!(diagnostics.reports(sources).len(), diagnostics.len());
}

/// Reads bytes in every way that there is.
fn read(bytes: &[u8]) {
    let mut sources = Sources::new();
    let Ok(source) = sources.add("any\x1b.yaml", bytes) else {
        return;
    };
    let mut diagnostics = Diagnostics::new();
    nodes_inside(&source, &yaml::read(&source, &mut diagnostics));
    places_inside(&sources, &diagnostics);
    let (runbook, mut diagnostics) = parse_runbook(&source);
    let catalog = Catalog::new();
    for (_, step) in runbook.iter().flat_map(|r| r.steps()) {
        if let Some(step_type) = catalog.resolve(&step.uses, source.id(), &mut diagnostics) {
            check_params(
                step_type,
                &step.with,
                step.uses.span,
                &source,
                &mut diagnostics,
            );
        }
    }
    places_inside(&sources, &diagnostics);
    places_inside(&sources, &parse_inventory(&source).1);
    places_inside(&sources, &parse_type("test.type", "own", &source).1);
}

/// A text with a few pieces cut out, doubled, or replaced.
fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ \n:{}\\[\\]'\"&*!|>#,?%@-]{0,3}",
        Just("{{".to_owned()),
        Just("<<: *new".to_owned()),
        Just("\n---\n".to_owned()),
        Just("ü\u{2028}".to_owned()),
        Just("\t".to_owned()),
        Just("assert".to_owned()),
    ];
    proptest::collection::vec((any::<prop::sample::Index>(), 0..12_usize, piece), 1..4).prop_map(
        move |changes| {
            let mut text = text.to_owned();
            for (at, cut, piece) in changes {
                let at = text.floor_char_boundary(at.index(text.len() + 1));
                let end = text.ceil_char_boundary((at + cut).min(text.len()));
                text.replace_range(at..end, &piece);
            }
            text
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read(&bytes);
    }

    #[test]
    fn anything_that_looks_like_yaml(text in "([a-c]{0,2}(: |:\n|- |, |\n|\n  |\\{|\\}|\\[|\\]|'|\"|&a |\\*a|<<: |\\||>|#|\\? |!t |\\{\\{|\\}\\}|ü|~|1)){0,40}") {
        read(text.as_bytes());
    }

    #[test]
    fn broken_runbooks(text in mutated(RUNBOOK)) {
        read(text.as_bytes());
    }

    #[test]
    fn broken_types(text in mutated(TYPE)) {
        read(text.as_bytes());
    }

    #[test]
    fn broken_inventories(text in mutated(INVENTORY)) {
        read(text.as_bytes());
    }
}
