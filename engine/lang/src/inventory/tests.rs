//! Tests of the module beside this file.

use runbook_model::Account;
use serde_json::json;

use super::*;
use crate::source::Sources;

fn read(text: &str) -> (Option<Inventory>, String) {
    let mut sources = Sources::new();
    let source = sources.add("inventory.yaml", text.as_bytes()).unwrap();
    let (inventory, diagnostics) = parse_inventory(&source);
    (inventory, diagnostics.render(&sources))
}

fn good(text: &str) -> Inventory {
    let (inventory, rendered) = read(text);
    assert_eq!(rendered, "");
    inventory.unwrap()
}

const LAB: &str = "
hosts:
  db01:   { address: 10.77.0.10, vars: { } }
  quay01: { address: 10.77.0.11, vars: { region: a } }
  quay02: { address: 10.77.0.12, port: 2222, become: false, vars: { region: a } }
  quay03:
groups:
  site: { children: [quay, db], vars: { region: none, site: north, level: site } }
  quay: { hosts: [quay02, quay01, quay03], vars: { region: b, level: quay } }
  db: { hosts: [db01] }
vars: { level: all, everywhere: true }
connection: { user: operator, ssh_config: /lab/ssh_config }
become: sudo
";

#[test]
fn connections_and_accounts_are_inherited() {
    let inventory = good(LAB);
    let order: Vec<_> = inventory
        .hosts
        .iter()
        .map(|h| h.host.name.as_str())
        .collect();
    assert_eq!(order, ["db01", "quay01", "quay02", "quay03"]);
    let quay02 = &inventory.host("quay02").unwrap().host;
    assert_eq!(quay02.connection.port, Some(2222));
    assert_eq!(quay02.connection.user.as_deref(), Some("operator"));
    assert_eq!(quay02.account, Account::Login);
    let quay03 = &inventory.host("quay03").unwrap().host;
    assert_eq!(quay03.connection.address, "quay03");
    assert_eq!(quay03.account, Account::Sudo("root".into()));
}

#[test]
fn the_nearest_says_what_a_variable_is() {
    let inventory = good(LAB);
    let var = |host: &str, name: &str| inventory.host(host).unwrap().host.vars[name].clone();
    assert_eq!(var("quay01", "region"), json!("a"), "its own");
    assert_eq!(
        var("quay03", "region"),
        json!("b"),
        "of the group, over its parent"
    );
    assert_eq!(var("db01", "region"), json!("none"), "of the parent");
    assert_eq!(var("quay01", "level"), json!("quay"));
    assert_eq!(
        var("db01", "level"),
        json!("site"),
        "a parent comes before all"
    );
    assert_eq!(var("db01", "everywhere"), json!(true));
    assert_eq!(
        (var("db01", "name"), var("db01", "address")),
        (json!("db01"), json!("10.77.0.10"))
    );
    let span = inventory.host("quay03").unwrap().var_spans["region"];
    assert_eq!(&LAB[span.range()], "b");
}

#[test]
fn groups_hold_hosts_of_their_children_once() {
    let inventory = good(LAB);
    let hosts = |name: &str| {
        inventory
            .group(name)
            .unwrap()
            .hosts
            .iter()
            .map(|h| h.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(hosts("site"), ["quay02", "quay01", "quay03", "db01"]);
    assert_eq!(hosts("quay"), ["quay02", "quay01", "quay03"]);
    assert_eq!(
        inventory.host("quay01").unwrap().host.groups,
        ["site", "quay"]
    );
}

#[test]
fn groups_that_disagree_are_both_named_unless_the_host_decides() {
    let text = |own: &str| {
        format!(
            "hosts:\n  h1: {{ vars: {{ {own} }} }}\ngroups:\n  a: {{ hosts: [h1], vars: {{ x: 1, y: 1 }} }}\n  b: {{ hosts: [h1], vars: {{ x: 2, y: 1 }} }}\n"
        )
    };
    let (_, rendered) = read(&text(""));
    assert!(
        rendered.contains("the groups `a` and `b` disagree about `x` of `h1`"),
        "{rendered}"
    );
    assert!(
        !rendered.contains("`y`"),
        "what is the same is no conflict: {rendered}"
    );
    assert_eq!(good(&text("x: 3")).hosts[0].host.vars["x"], json!(3));
}

#[test]
fn a_group_in_a_diamond_is_nearer_than_both_parents() {
    let inventory = good(
        "hosts: { h1: }\ngroups:\n  low: { hosts: [h1], vars: { x: low } }\n  one: { children: [low], vars: { x: one } }\n  two: { children: [low], vars: { x: two } }\n",
    );
    assert_eq!(inventory.hosts[0].host.vars["x"], json!("low"));
}

/// Hosts, groups and variables of a test: `x` is said in each of these places, as its name.
fn said(places: &[&str]) -> String {
    let at = |place: &str| match places.contains(&place) {
        true => format!("vars: {{ x: {place} }}"),
        false => "vars: {}".to_owned(),
    };
    format!(
        "hosts:\n  h1: {{ {} }}\ngroups:\n  site: {{ children: [area], {} }}\n  area: {{ children: [quay], {} }}\n  quay: {{ hosts: [h1], {} }}\n{}\n",
        at("host"),
        at("site"),
        at("area"),
        at("quay"),
        at("all"),
    )
}

#[test]
fn of_any_two_places_the_nearer_decides() {
    let nearest_first = ["host", "quay", "area", "site", "all"];
    for (at, near) in nearest_first.iter().enumerate() {
        for far in &nearest_first[at + 1..] {
            let inventory = good(&said(&[near, far]));
            assert_eq!(
                inventory.hosts[0].host.vars["x"],
                json!(near),
                "{near} and {far}"
            );
        }
        let inventory = good(&said(&nearest_first[at..]));
        assert_eq!(inventory.hosts[0].host.vars["x"], json!(near));
    }
}

/// A diamond: `top` over `one` and `two`, both over `low`, which has the host.
fn diamond(vars: &[(&str, &str)]) -> (Option<Inventory>, String) {
    let of = |group: &str| {
        let x = vars.iter().find(|(name, _)| *name == group);
        x.map_or(String::new(), |(_, x)| format!(", vars: {{ x: {x} }}"))
    };
    read(&format!(
        "hosts: {{ h1: }}\ngroups:\n  top: {{ children: [one, two]{} }}\n  one: {{ children: [low]{} }}\n  two: {{ children: [low]{} }}\n  low: {{ hosts: [h1]{} }}\n",
        of("top"),
        of("one"),
        of("two"),
        of("low"),
    ))
}

#[test]
fn the_two_sides_of_a_diamond_must_agree() {
    let x = |vars: &[(&str, &str)]| {
        let (inventory, rendered) = diamond(vars);
        match rendered.is_empty() {
            true => Ok(inventory.unwrap().hosts[0].host.vars["x"].clone()),
            false => Err(rendered),
        }
    };
    assert_eq!(x(&[("top", "a"), ("low", "b")]), Ok(json!("b")));
    assert_eq!(
        x(&[("top", "a"), ("one", "b")]),
        Ok(json!("b")),
        "one side is nearer than the top"
    );
    assert_eq!(x(&[("one", "b"), ("two", "b")]), Ok(json!("b")));
    assert_eq!(
        x(&[("one", "b"), ("two", "c"), ("low", "d")]),
        Ok(json!("d")),
        "what is nearer than both decides"
    );
    for both in [
        vec![("one", "b"), ("two", "c")],
        vec![("top", "a"), ("one", "b"), ("two", "c")],
    ] {
        let why = x(&both).unwrap_err();
        assert!(
            why.contains("the groups `one` and `two` disagree about `x` of `h1`"),
            "{why}"
        );
        assert_eq!(why.matches("error[").count(), 1, "{why}");
    }
}

#[test]
fn a_group_with_the_host_itself_is_not_nearer_than_an_unrelated_parent() {
    let text = "hosts: { h1: }\ngroups:\n  site: { children: [quay], vars: { x: a } }\n  quay: { hosts: [h1] }\n  other: { hosts: [h1], vars: { x: b } }\n";
    let (_, rendered) = read(text);
    assert!(
        rendered.contains("the groups `site` and `other` disagree about `x` of `h1`"),
        "{rendered}"
    );
    // A host that belongs to a group and to its parent is in the group.
    let both = "hosts: { h1: }\ngroups:\n  site: { hosts: [h1], children: [quay], vars: { x: a } }\n  quay: { hosts: [h1], vars: { x: b } }\n";
    assert_eq!(good(both).hosts[0].host.vars["x"], json!("b"));
}

#[test]
fn a_cycle_is_reported_once() {
    let (_, rendered) = read(
        "hosts: { h1: }\ngroups:\n  a: { children: [b] }\n  b: { children: [c] }\n  c: { children: [a] }\n  d: { children: [a] }\n",
    );
    assert_eq!(rendered.matches("error[").count(), 1, "{rendered}");
    assert!(rendered.contains("lang::group_cycle"), "{rendered}");
}

#[test]
fn what_ssh_would_take_as_more_than_a_name_is_refused() {
    for bad in ["'-oProxyCommand=x'", "'a b'", "\"a\\nb\"", "''", "'a;b'"] {
        let (_, rendered) = read(&format!("hosts:\n  h1: {{ address: {bad} }}\n"));
        assert!(rendered.contains("lang::bad_name"), "{bad}: {rendered}");
        let (_, rendered) = read(&format!("hosts:\n  h1: {{ user: {bad} }}\n"));
        assert!(rendered.contains("lang::bad_name"), "{bad}: {rendered}");
    }
    let (_, rendered) = read("hosts:\n  control: { address: a }\n");
    assert!(
        rendered.contains("`control` is the controller itself"),
        "{rendered}"
    );
    assert!(
        read("hosts: { h1: { address: '[fe80::1%eth0]' } }\n")
            .1
            .is_empty()
    );
}
