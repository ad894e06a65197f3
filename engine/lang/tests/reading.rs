//! What a runbook without mistakes is read as.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

use std::path::Path;

use runbook_lang::ast::{Runbook, Share, VarValue, parse_runbook};
use runbook_lang::keys::{self, Section};
use runbook_lang::source::{Source, Sources};
use runbook_lang::value::InputType;
use runbook_model::plan::{Order, Part};
use runbook_model::step::Outage;
use serde_json::json;

fn everything() -> (Source, Runbook) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good/everything.yaml");
    let mut sources = Sources::new();
    let source = sources
        .add("everything.yaml", &std::fs::read(path).unwrap())
        .unwrap();
    let (runbook, diagnostics) = parse_runbook(&source);
    assert_eq!(diagnostics.render(&sources), "");
    (source, runbook.unwrap())
}

#[test]
fn every_key_of_a_runbook_is_in_the_example() {
    let (source, _) = everything();
    let sections = [
        Section::Runbook,
        Section::Input,
        Section::Rule,
        Section::Group,
        Section::GroupVar,
        Section::Var,
        Section::Phase,
        Section::Rolling,
        Section::Step,
        Section::Retry,
        Section::Until,
        Section::Window,
        Section::Import,
        Section::Hold,
        Section::Rollback,
    ];
    for key in sections.into_iter().flat_map(keys::of) {
        // The one key that excludes another one of its section.
        let excluded = key.section == Section::Runbook && key.name == "steps";
        assert!(
            excluded || source.text().contains(&format!("{}:", key.name)),
            "{:?} {}",
            key.section,
            key.name
        );
    }
}

#[test]
fn the_top_level_is_read() {
    let (source, runbook) = everything();
    assert_eq!(runbook.name.value, "every-key");
    assert_eq!(runbook.version.unwrap().value, "1.0.0");
    let input = |name: &str| {
        runbook
            .inputs
            .iter()
            .find(|i| i.name.value == name)
            .unwrap()
    };
    assert!(input("from").required && !input("digest").required);
    assert_eq!(
        input("drain").kind.value,
        InputType::Enum(vec!["wait".into(), "report".into()])
    );
    assert_eq!(
        input("limits").kind.value,
        InputType::Map(Box::new(InputType::Size))
    );
    assert_eq!(
        input("limits").default.as_ref().unwrap().to_value(),
        json!({"dump": "10GiB"})
    );
    assert_eq!(input("first").in_group.as_ref().unwrap().value, "quay");
    assert_eq!(runbook.rules.len(), 1);
    assert_eq!(runbook.groups[0].vars.len(), 4);
    assert_eq!(runbook.groups[1].exactly.unwrap().value, 1);
    assert!(matches!(runbook.vars[0].value, VarValue::Literal(_)));
    assert!(matches!(runbook.vars[1].value, VarValue::Template(_)));
    assert!(matches!(runbook.vars[2].value, VarValue::Cel(_)));
    assert_eq!(
        source.slice(runbook.done_when.unwrap().span),
        "vars.state == \"done\""
    );
}

#[test]
fn phases_and_steps_are_read() {
    let (source, runbook) = everything();
    let phases: Vec<_> = runbook
        .phases
        .iter()
        .map(|phase| (phase.id.value.as_str(), phase.part, phase.order))
        .collect();
    assert_eq!(
        phases,
        [
            ("survey", Part::Main, Order::PerHost),
            ("act", Part::Main, Order::Steps),
            ("others", Part::Main, Order::Graph),
            ("batches", Part::Main, Order::Steps),
            ("elsewhere", Part::Main, Order::Steps),
            ("going_back", Part::Rollback, Order::Steps),
            ("finally", Part::Finally, Order::Steps),
        ]
    );
    let act = &runbook.phases[1];
    let batch: Vec<_> = act
        .rolling
        .as_ref()
        .unwrap()
        .batch
        .iter()
        .map(|b| b.value)
        .collect();
    assert_eq!(batch, [Share::Count(1), Share::Percent(50)]);
    let step = |id: &str| {
        runbook
            .steps()
            .map(|(_, s)| s)
            .find(|s| s.id.value == id)
            .unwrap()
    };
    assert!(step("look").once.is_some() && step("again").fresh_ms.unwrap().value == 1_800_000);
    let pull = step("pull");
    let needs: Vec<_> = pull
        .needs
        .as_ref()
        .unwrap()
        .iter()
        .map(|n| (n.step.value.as_str(), n.same_host))
        .collect();
    assert_eq!(needs, [("look", false), ("again", true)]);
    assert_eq!(pull.when.as_ref().unwrap().value, "true");
    assert_eq!(pull.timeout_ms.unwrap().value, 5_400_000);
    let retry = pull.retry.unwrap().retry;
    assert_eq!(
        (retry.attempts, retry.delay_ms, retry.max_delay_ms),
        (3, 5_000, 60_000)
    );
    assert!(pull.undo_none && step("stop").critical);
    assert_eq!(step("stop").outage.unwrap().value, Outage::Begin);
    assert_eq!(step("start").outage.unwrap().value, Outage::End);
    let until = step("healthy").until.as_ref().unwrap();
    assert_eq!(
        (until.every_ms, until.passes, until.within_ms),
        (10_000, 3, 900_000)
    );
    assert_eq!(
        source.slice(until.fatal.as_ref().unwrap().span),
        "'outputs.restarts > 0'"
    );
    // What is written wins over what is merged, and each value knows where it is written.
    let stop: Vec<_> = step("stop")
        .with
        .iter()
        .map(|e| (e.key.value.as_str(), e.value.as_str().unwrap()))
        .collect();
    assert_eq!(stop, [("state", "stopped"), ("name", "{{host.name}}")]);
    let start = step("start");
    assert_eq!(source.line_column(start.with[0].value.span.start).0, 33);
}

#[test]
fn a_runbook_of_steps_has_one_phase() {
    let mut sources = Sources::new();
    let text = b"runbook: hello\nsteps:\n  - { step: port, uses: firewalld.port, on: web, with: { port: 443/tcp } }\n";
    let (runbook, diagnostics) = parse_runbook(&sources.add("hello.yaml", text).unwrap());
    assert!(diagnostics.is_empty());
    let runbook = runbook.unwrap();
    assert_eq!(
        (runbook.phases.len(), runbook.phases[0].id.value.as_str()),
        (1, "main")
    );
    assert!(runbook.phases[0].steps[0].needs.is_none());
}

#[test]
fn a_step_with_a_mistake_can_still_be_referred_to() {
    let mut sources = Sources::new();
    let text = b"runbook: hello\nsteps:\n  - { step: one }\n  - { step: two, uses: host.two, needs: one }\n";
    let (runbook, diagnostics) = parse_runbook(&sources.add("hello.yaml", text).unwrap());
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(runbook.unwrap().steps().count(), 2);
}
