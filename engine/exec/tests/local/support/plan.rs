//! Plans from text, for hosts that are this machine.

use runbook_lang::ast::parse_runbook;
use runbook_lang::compile::{Given, Request, compile};
use runbook_lang::inventory::parse_inventory;
use runbook_lang::source::Sources;
use runbook_lang::steptype::{Catalog, SHIPPED};
use runbook_model::Plan;
use runbook_model::plan::SecretSource;

/// `a`, `b` and `c` are this machine; nobody listens where `gone` is.
const INVENTORY: &str = "\
hosts:
  a: { address: 192.0.2.1 }
  b: { address: 192.0.2.2 }
  c: { address: 192.0.2.3 }
  gone: { address: 127.0.0.1, port: 1 }
groups:
  all_of_them: { hosts: [a, b] }
";
const GONE: &str = "gone";

/// The plan of a runbook with these types, by name and text.
pub(crate) fn plan(text: &str, types: &[(&str, &str)], given: &Given) -> Plan {
    let mut sources = Sources::new();
    let source = sources.add("test.yaml", text.as_bytes()).unwrap();
    let hosts = sources.add("inventory.yaml", INVENTORY.as_bytes()).unwrap();
    let mut catalog = Catalog::new();
    for (name, text) in types {
        let of_type = sources.add(name, text.as_bytes()).unwrap();
        assert_eq!(catalog.add(name, SHIPPED, &of_type).render(&sources), "");
    }
    let (runbook, mut diagnostics) = parse_runbook(&source);
    let (inventory, found) = parse_inventory(&hosts);
    diagnostics.extend(found);
    assert_eq!(diagnostics.render(&sources), "");
    let request = Request {
        sources: &sources,
        source: &source,
        runbook: &runbook.unwrap(),
        inventory: &inventory.unwrap(),
        catalog: &catalog,
        given,
        allow_missing: false,
    };
    let (plan, diagnostics) = compile(&request);
    let mut plan = plan.unwrap_or_else(|| panic!("{}", diagnostics.render(&sources)));
    for (name, host) in &mut plan.hosts {
        host.connection.local = name.as_str() != GONE;
    }
    plan
}

/// Inputs that are secrets: a plan knows where each comes from, and not its value.
pub(crate) fn secrets_of<'a>(names: impl IntoIterator<Item = &'a String>) -> Given {
    let nowhere = |name: &String| (name.clone(), SecretSource::Env("NONE".to_owned()));
    Given {
        secrets: names.into_iter().map(nowhere).collect(),
        ..Given::default()
    }
}
