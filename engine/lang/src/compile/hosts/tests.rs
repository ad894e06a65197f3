//! Tests of the module beside this file.

use runbook_model::Plan;
use serde_json::{Value, json};

use crate::ast::parse_runbook;
use crate::compile::{Given, Request, compile};
use crate::inventory::parse_inventory;
use crate::source::Sources;
use crate::steptype::Catalog;

const INVENTORY: &str = "
hosts:
  q1: { vars: { release: v3.8.1, stable: 90s, room: 1024, opens: '2026-03-01 22:00+01:00', ports: [443], mail: { host: q2 }, either: v3 } }
  q2: { vars: { release: 3.9.0-rc1 } }
  db1:
groups:
  quay: { hosts: [q1, q2] }
  web: { hosts: [q2] }
  db: { hosts: [db1] }
";

fn compiled(groups: &str) -> (Option<Plan>, String) {
    let mut sources = Sources::new();
    let text = format!(
        "runbook: test\ngroups:\n{groups}steps:\n  - {{ step: a, uses: assert, on: control, with: {{ all: [{{ check: 'true', message: no }}] }} }}\n"
    );
    let source = sources.add("runbook.yaml", text.as_bytes()).unwrap();
    let hosts = sources.add("inventory.yaml", INVENTORY.as_bytes()).unwrap();
    let (runbook, mut diagnostics) = parse_runbook(&source);
    let (inventory, found) = parse_inventory(&hosts);
    diagnostics.extend(found);
    let request = Request {
        sources: &sources,
        source: &source,
        runbook: &runbook.unwrap(),
        inventory: &inventory.unwrap(),
        catalog: &Catalog::new(),
        given: &Given::default(),
        allow_missing: false,
    };
    let (plan, found) = compile(&request);
    diagnostics.extend(found);
    diagnostics.sort();
    (plan, diagnostics.render(&sources))
}

fn plan(groups: &str) -> Plan {
    let (plan, rendered) = compiled(groups);
    assert_eq!(rendered, "");
    plan.unwrap()
}

fn mistakes(groups: &str) -> String {
    let (plan, rendered) = compiled(groups);
    assert!(plan.is_none());
    rendered
}

fn var(plan: &Plan, host: &str, name: &str) -> Value {
    let host = plan.hosts.iter().find(|(n, _)| n.as_str() == host);
    host.and_then(|(_, host)| host.vars.get(name))
        .cloned()
        .unwrap_or(Value::Null)
}

#[test]
fn variables_of_a_known_type_have_its_normal_form() {
    let plan = plan(
        "  quay:
    vars:
      release: { type: version, required: true }
      stable: { type: duration, default: 120s }
      room: { type: size }
      opens: { type: date }
      ports: { type: list, of: int }
      mail: { type: object, fields: { host: { type: host, required: true }, port: { type: int, default: 25 } } }
      either: { type: one_of, one_of: [ { type: int }, { type: version } ] }
",
    );
    for (name, value) in [
        ("release", json!("3.8.1")),
        ("stable", json!("1m30s")),
        ("room", json!("1KiB")),
        ("opens", json!("2026-03-01T22:00:00+01:00")),
        ("ports", json!([443])),
        ("mail", json!({"host": "q2", "port": 25})),
        ("either", json!("3")),
    ] {
        assert_eq!(var(&plan, "q1", name), value, "{name}");
    }
    assert_eq!(
        var(&plan, "q2", "stable"),
        json!("2m"),
        "a default has its normal form, too"
    );
    assert_eq!(var(&plan, "db1", "stable"), Value::Null, "not in the group");
}

#[test]
fn groups_that_share_a_host_mean_the_same_by_a_name() {
    let types = mistakes(
        "  quay: { vars: { release: { type: version }, stable: { type: duration, default: 1m } } }
  web: { vars: { release: { type: string }, stable: { type: duration, default: 2m } } }
  db: { vars: { release: { type: int } } }
",
    );
    insta::assert_snapshot!(types);
}

#[test]
fn what_two_groups_say_alike_is_no_conflict() {
    let plan = plan(
        "  quay: { vars: { release: { type: string, pattern: '^.*[0-9]$' }, stable: { type: duration, default: 60s } } }
  web: { vars: { release: { type: string }, stable: { type: duration, default: 1m } } }
",
    );
    assert_eq!(var(&plan, "q2", "stable"), json!("1m"));
}

#[test]
fn a_host_in_a_variable_is_one_of_the_inventory() {
    let rendered = mistakes(
        "  quay: { vars: { mail: { type: object, fields: { host: { type: enum, values: [a] } } } } }
  web: { vars: { release: { type: host } } }
",
    );
    assert!(
        rendered.contains("`release` of `q2` names `3.9.0-rc1`, which the inventory does not have"),
        "{rendered}"
    );
    assert!(
        rendered.contains(
            "`mail` of `q1` holds a value that is wrong at `host`: it should be one of `a`"
        ),
        "{rendered}"
    );
}
