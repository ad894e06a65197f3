//! The page of the manual about the journal says what the engine writes.

use std::collections::BTreeMap;
use std::path::Path;

use runbook_exec::journal::{MAX_JOURNAL, MAX_LINE, MAX_NESTING};
use runbook_model::Event;

use crate::events::every_kind;

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src/reference/journal.md");
    std::fs::read_to_string(page).unwrap()
}

/// Every kind of event, as the reader of events lists them when it is given another one.
fn kinds() -> Vec<String> {
    let error = serde_json::from_str::<Event>(r#"{"kind":"?"}"#)
        .unwrap_err()
        .to_string();
    let (_, listed) = error.split_once("expected one of ").unwrap();
    let names = listed.split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

/// The rows of the table of kinds: kind, and the rest.
fn rows(page: &str) -> BTreeMap<&str, &str> {
    let (_, table) = page.split_once("## Kinds of events").unwrap();
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.collect()
}

#[test]
fn every_kind_has_a_row_and_no_row_is_of_another() {
    let page = page();
    let rows = rows(&page);
    let kinds = kinds();
    assert!(kinds.len() > 30, "{kinds:?}");
    for kind in &kinds {
        assert!(
            rows.contains_key(kind.as_str()),
            "the page has no row for `{kind}`"
        );
    }
    let strange: Vec<_> = rows
        .keys()
        .filter(|row| !kinds.iter().any(|kind| kind == **row))
        .collect();
    assert!(strange.is_empty(), "no event is {strange:?}");
}

#[test]
fn every_field_is_named() {
    let page = page();
    let rows = rows(&page);
    for record in every_kind() {
        let event = serde_json::to_value(&record.event).unwrap();
        let kind = event["kind"].as_str().unwrap();
        for field in event
            .as_object()
            .unwrap()
            .keys()
            .filter(|field| *field != "kind")
        {
            assert!(
                rows[kind].contains(&format!("`{field}`")),
                "`{kind}` has no `{field}`"
            );
        }
    }
}

#[test]
fn the_limits_are_those_of_the_engine() {
    let page = page();
    assert_eq!(
        (MAX_LINE >> 20, MAX_JOURNAL >> 30, MAX_NESTING),
        (8, 1, 100)
    );
    assert!(page.contains("8 MiB") && page.contains("1 GiB") && page.contains("100 deep"));
}
