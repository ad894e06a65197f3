//! What is tried with any bytes: nothing panics, every place is inside its text, nothing that is
//! shown can steer a terminal, and what is written is read again.

use std::collections::BTreeMap;
use std::path::Path;

use runbook_lang::ast::parse_runbook;
use runbook_lang::compile::{Given, Request, compile};
use runbook_lang::condition::Condition;
use runbook_lang::diagnostic::Diagnostics;
use runbook_lang::inventory::parse_inventory;
use runbook_lang::scope::Scope;
use runbook_lang::select::{Known, resolve};
use runbook_lang::source::{Source, Sources};
use runbook_lang::steptype::{Catalog, parse_type};
use runbook_lang::template::Template;
use runbook_lang::testfile::parse_scenarios;
use runbook_lang::value::{Version, format_duration, format_size, parse_duration, parse_size};
use runbook_model::HostName;
use serde_json::{Map, json};

/// A target: what it is called, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("yaml", yaml),
    ("runbook", runbook),
    ("inventory", inventory),
    ("step_type", step_type),
    ("scenarios", scenarios),
    ("template", template),
    ("condition", condition),
    ("selector", selector),
    ("journal", journal),
    ("quantity", quantity),
];

/// Hosts for a runbook of anybody.
const HOSTS: &str = "hosts: { h1: { vars: { region: a } }, h2: {} }\ngroups: { quay: { hosts: [h1, h2] }, db: { hosts: [h1] } }\n";

fn source(sources: &mut Sources, bytes: &[u8]) -> Option<Source> {
    sources.add("any.yaml", bytes).ok()
}

/// Mistakes have places, and can be shown.
fn shown(found: &Diagnostics, sources: &Sources) {
    for label in found.iter().flat_map(|mistake| &mistake.labels) {
        let text = sources
            .get(label.source)
            .expect("a place is in a text")
            .text();
        assert!(text.get(label.span.range()).is_some(), "{label:?}");
    }
    let text = found.render(sources);
    assert!(
        !text.chars().any(|c| c.is_control() && c != '\n'),
        "{text:?}"
    );
    assert_eq!(found.reports(sources).len(), found.len());
}

/// The tree of YAML.
pub fn yaml(bytes: &[u8]) {
    let mut sources = Sources::new();
    let Some(source) = source(&mut sources, bytes) else {
        return;
    };
    let mut found = Diagnostics::new();
    let tree = runbook_lang::yaml::read(&source, &mut found);
    assert!(found.has_errors() || !tree.has_error());
    let _ = tree.to_value();
    tree.texts(&mut |_, node| {
        assert!(source.text().get(node.span.range()).is_some());
        assert!(source.text().get(node.site().range()).is_some());
    });
    shown(&found, &sources);
}

/// A runbook, compiled for two hosts.
pub fn runbook(bytes: &[u8]) {
    let mut sources = Sources::new();
    let Some(source) = source(&mut sources, bytes) else {
        return;
    };
    let hosts = sources
        .add("inventory.yaml", HOSTS.as_bytes())
        .expect("the hosts are text");
    let (runbook, mut found) = parse_runbook(&source);
    if let (Some(runbook), Some(inventory)) = (&runbook, &parse_inventory(&hosts).0) {
        let request = Request {
            sources: &sources,
            source: &source,
            runbook,
            inventory,
            catalog: &Catalog::new(),
            given: &Given::default(),
            allow_missing: true,
        };
        let (plan, more) = compile(&request);
        assert!(plan.is_some() != more.has_errors());
        found.extend(more);
    }
    shown(&found, &sources);
}

/// An inventory.
pub fn inventory(bytes: &[u8]) {
    let mut sources = Sources::new();
    if let Some(source) = source(&mut sources, bytes) {
        shown(&parse_inventory(&source).1, &sources);
    }
}

/// A file of a step type.
pub fn step_type(bytes: &[u8]) {
    let mut sources = Sources::new();
    if let Some(source) = source(&mut sources, bytes) {
        shown(&parse_type("own", "own.yaml", &source).1, &sources);
    }
}

/// A file of scenarios.
pub fn scenarios(bytes: &[u8]) {
    let mut sources = Sources::new();
    if let Some(source) = source(&mut sources, bytes) {
        shown(&parse_scenarios(&source).1, &sources);
    }
}

/// A scope with a value of every kind.
fn scope() -> Scope {
    let map = |value: serde_json::Value| -> Map<String, serde_json::Value> {
        value.as_object().cloned().unwrap_or_default()
    };
    let mut scope = Scope::new();
    scope.set_vars(map(json!({
        "text": "a", "number": 7, "yes": true, "nothing": null, "fraction": 1.5,
        "list": ["a", "b"], "map": { "a": 1, "b": { "c": [] } },
    })));
    scope.set_host(map(json!({ "name": "h1", "address": "10.0.0.1" })));
    scope.set_outputs(map(json!({ "count": 3 })));
    scope
}

/// A template, and what becomes of it.
pub fn template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Template::parse(text) {
        Ok(template) => {
            assert_eq!(template.text(), text);
            let _ = template.render(&scope());
        }
        Err(error) => assert!(text.get(error.range).is_some()),
    }
}

/// A condition, and what it says.
pub fn condition(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Condition::parse(text) {
        Ok(condition) => {
            let (one, two) = (condition.evaluate(&scope()), condition.evaluate(&scope()));
            assert_eq!(one.is_ok(), two.is_ok());
        }
        Err(error) => assert!(text.get(error.range).is_some()),
    }
}

/// A selector: it picks each host at most once, and only hosts that there are.
pub fn selector(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let host = |name: &str| HostName::new(name).expect("a name of a host");
    let hosts = [host("h1"), host("h2"), host("h3")];
    let groups = BTreeMap::from([
        ("quay".to_owned(), hosts[..2].to_vec()),
        ("none".to_owned(), Vec::new()),
    ]);
    let known = Known {
        hosts: &hosts,
        groups: &groups,
    };
    match resolve(text, known) {
        Ok(picked) => {
            let mut once = picked.clone();
            once.sort();
            once.dedup();
            assert_eq!(once.len(), picked.len());
            let there = |h: &HostName| hosts.contains(h) || h.as_str() == "control";
            assert!(picked.iter().all(there));
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            assert!(errors.iter().all(|e| text.get(e.range.clone()).is_some()));
        }
    }
}

/// A journal: what is read of it folds, or is refused.
pub fn journal(bytes: &[u8]) {
    let Ok(loaded) = runbook_exec::journal::read_from(bytes, Path::new("journal.jsonl")) else {
        return;
    };
    let ascending = loaded.records.windows(2).all(|two| two[0].seq < two[1].seq);
    assert!(ascending, "records are in their order");
    let _ = loaded.state();
}

/// Durations, sizes and versions: what is written of them is read as the same.
pub fn quantity(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(duration) = parse_duration(text) {
        assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }
    if let Ok(size) = parse_size(text) {
        assert_eq!(parse_size(&format_size(size)), Ok(size));
    }
    if let Some(version) = Version::parse(text) {
        assert_eq!(Version::parse(version.text()), Some(version));
    }
}
