//! Where values come from: every kind of origin, and that secrets and what comes later stay so.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use runbook_lang::trace::{Given, step};
use runbook_model::trace::{From, Known, Read, Text, Trace};
use runbook_model::{NodeIx, Plan};
use serde_json::json;

mod support;

const OUTER: &str = "runbook: outer
inputs:
  first: { type: string, default: near }
vars:
  label: 'at {{inputs.first}}'
phases:
  - phase: one
    import: { file: middle.yaml, as: mid, with: { size: 10GiB, name: '{{inputs.first}}', text: '{{vars.label}}!' } }
";

const MIDDLE: &str = "runbook: middle
inputs:
  size: { type: size, required: true }
  name: { type: string, required: true }
  text: { type: string, required: true }
  other: { type: string, default: mine }
vars: { plain: [a, b] }
phases:
  - phase: inner
    import:
      file: ./inner.yaml
      with: { size: '{{inputs.size}}', count: 7 }
  - phase: own
    steps:
      - { step: set, uses: test.state, on: db, with: { name: '{{inputs.name}} {{inputs.text}} {{inputs.other}} {{json vars.plain}} {{inputs.size}}' } }
";

const INNER: &str = "runbook: inner
inputs:
  size: { type: size, required: true }
  count: { type: int, default: 1 }
  other: { type: string, default: theirs }
steps:
  - { step: deep, uses: test.state, on: db, with: { name: '{{inputs.size}} {{inputs.count}} {{inputs.other}}' } }
";

/// A name that is read: the path, who says it, the file and the line there, the value.
type Said = (String, From, Option<(String, u32)>, Known);

/// What a step of the imported runbooks reads.
fn imported(id: &str) -> Vec<Said> {
    let (plan, found) =
        support::imported::compiled(OUTER, &[("middle.yaml", MIDDLE), ("./inner.yaml", INNER)]);
    let plan = plan.unwrap_or_else(|| panic!("{found}"));
    let (at, _) = plan.step(id).unwrap();
    let trace = step(&plan, at, &[], &Given::default());
    let mut out = Vec::new();
    let mut open: Vec<&Read> = text(&trace.arguments, "name").reads.iter().collect();
    while let Some(read) = open.pop() {
        let place = read.place.map(|place| {
            let source = &plan.sources[place.source as usize];
            (source.name.clone(), place.line)
        });
        out.push((
            read.path.clone(),
            read.from.clone(),
            place,
            read.value.clone(),
        ));
        open.extend(&read.reads);
    }
    out.sort_by(|a, b| a.0.cmp(&b.0));
    out
}

#[test]
fn what_an_import_gives_is_led_back_to_the_import() {
    let said = |path: &str, from: From, file: &str, line: u32, value: serde_json::Value| {
        let place = Some((file.to_owned(), line));
        (path.to_owned(), from, place, Known::Value(value))
    };
    let (outer, middle, inner) = ("main.yaml", "middle.yaml", "./inner.yaml");
    assert_eq!(
        imported("mid_set"),
        [
            said("inputs.first", From::Default, outer, 3, json!("near")),
            said("inputs.name", From::Default, outer, 3, json!("near")),
            said("inputs.other", From::Default, middle, 6, json!("mine")),
            said("inputs.size", From::Import, outer, 8, json!("10GiB")),
            said("inputs.text", From::Import, outer, 8, json!("at near!")),
            said("vars.label", From::Variable, outer, 5, json!("at near")),
            said("vars.plain", From::Variable, middle, 7, json!(["a", "b"])),
        ]
    );
    assert_eq!(
        imported("mid_inner_deep"),
        [
            said("inputs.count", From::Import, middle, 12, json!(7)),
            said("inputs.other", From::Default, inner, 5, json!("theirs")),
            said("inputs.size", From::Import, outer, 8, json!("10GiB")),
        ]
    );
}

#[test]
fn texts_of_an_import_are_shown_as_their_file_writes_them() {
    let main = "runbook: outer
inputs: { all: { type: bool, default: true } }
phases:
  - { phase: one, when: inputs.all, import: { file: inner.yaml, as: in1, with: { node: 'q{{vars.two}}', word: a }, groups: { nodes: quay } } }
  - { phase: two, import: { file: inner.yaml, as: in2, with: { node: q3, word: '{{default steps.in1.outputs.seen \"none\"}}' }, groups: { nodes: quay } } }
vars: { two: 2 }
";
    let inner = "runbook: inner
groups: { nodes: { min: 1 } }
inputs: { node: { type: host, in: nodes, required: true }, word: { type: string, required: true } }
vars: { path: '/x/{{inputs.word}}' }
phases:
  - phase: act
    when: size(groups.nodes) > 1
    steps:
      - { step: own, uses: test.look, on: '{{inputs.node}}', when: 'inputs.word != \"b\"', with: { name: '{{vars.path}}' } }
outputs: { seen: '{{default steps.own.only.outputs.revision \"none\"}}' }
";
    let (plan, found) = support::imported::compiled(main, &[("inner.yaml", inner)]);
    let plan = plan.unwrap_or_else(|| panic!("{found}"));
    let trace = |id: &str| step(&plan, plan.step(id).unwrap().0, &[], &Given::default());
    let value = |text: &Text| text.values.first().map(|(_, known)| known.clone());
    let one = trace("in1_own");
    let name = text(&one.arguments, "name");
    assert_eq!(name.written, "{{vars.path}}");
    assert_eq!(value(name), Some(Known::Value(json!("/x/a"))));
    let (path, word) = (&name.reads[0], &name.reads[0].reads[0]);
    assert_eq!(
        (path.path.as_str(), word.path.as_str()),
        ("vars.path", "inputs.word")
    );
    assert_eq!(word.from, From::Import);
    let on = text(&one.selectors, "on");
    assert_eq!(on.written, "{{inputs.node}}");
    assert_eq!(value(on), Some(Known::Value(json!("q2"))));
    assert_eq!(on.reads[0].reads[0].path, "vars.two");
    assert_eq!(
        text(&one.conditions, "when").written,
        "inputs.word != \"b\""
    );
    // The import says a part of it, at another place.
    let joined = &text(&one.conditions, "phase when").written;
    assert_eq!(joined, "(inputs.all) && (size(groups.quay) > 1)");
    let two = trace("in2_own");
    assert_eq!(
        text(&two.conditions, "phase when").written,
        "size(groups.nodes) > 1"
    );
    let name = text(&two.arguments, "name");
    assert_eq!(value(name), Some(Known::Later));
    let word = &name.reads[0].reads[0];
    assert_eq!(
        (word.path.as_str(), &word.from),
        ("inputs.word", &From::Import)
    );
    assert_eq!(word.reads[0].path, "steps.in1.outputs.seen");
    assert_eq!(word.reads[0].from, From::Variable);
}

const RUNBOOK: &str = "runbook: traced
inputs:
  to: { type: version, default: v3.8 }
  image: { type: string, required: true }
  password: { type: secret, required: true }
x-texts: { image: quay }
x-secrets: [password]
groups:
  quay: { min: 1, vars: { port: { type: int, default: 443 } } }
vars:
  target: '{{inputs.image}}:{{inputs.to}}'
  again: '{{vars.target}}'
  late: { cel: 'steps.look.on.all(h, true)' }
phases:
  - phase: act
    on: quay
    steps:
      - { step: look, uses: test.look }
      - step: traced
        uses: test.state
        when: host.port > 1
        with:
          name: '{{vars.again}} {{host.name}} {{host.color}} {{host.port}} {{host.zone}} {{host.size}}'
          password: 'x{{inputs.password}}'
          env: { COUNT: '{{steps.look.outputs.count}}' }
";

const INVENTORY: &str = "hosts:
  q1: { address: 192.0.2.1, vars: { color: red } }
  q2: { address: 192.0.2.2 }
groups:
  quay: { hosts: [q1, q2] }
  site: { children: [quay], vars: { color: blue } }
  inner: { hosts: [q1, q2], vars: { zone: near } }
  outer: { children: [inner], vars: { zone: far } }
vars: { size: large }
";

fn plan() -> Plan {
    let case = support::compiled("traced.yaml", RUNBOOK, INVENTORY);
    assert_eq!(case.diagnostics.render(&case.sources), "");
    case.plan.unwrap()
}

fn traced(only: &[&str]) -> (Plan, Trace) {
    let plan = plan();
    let (at, _) = plan.step("traced").unwrap();
    let only: Vec<NodeIx> = only.iter().map(|id| plan.node(id).unwrap()).collect();
    let given = Given {
        options: ["image".to_owned()].into(),
        file: None,
    };
    let trace = step(&plan, at, &only, &given);
    (plan, trace)
}

fn text<'t>(all: &'t [Text], what: &str) -> &'t Text {
    all.iter().find(|t| t.what == what).unwrap()
}

fn read<'t>(all: &'t [Read], path: &str) -> Vec<&'t Read> {
    all.iter().filter(|r| r.path == path).collect()
}

#[test]
fn a_value_is_led_back_to_who_says_it() {
    let (_, trace) = traced(&[]);
    let name = text(&trace.arguments, "name");
    let again = read(&name.reads, "vars.again")[0];
    assert_eq!(
        (&again.from, again.place.unwrap().line),
        (&From::Variable, 12)
    );
    let target = read(&again.reads, "vars.target")[0];
    assert_eq!(target.value, Known::Value(json!("quay:3.8")));
    let image = read(&target.reads, "inputs.image")[0];
    assert_eq!((&image.from, image.place.unwrap().line), (&From::Option, 4));
    let to = read(&target.reads, "inputs.to")[0];
    assert_eq!((&to.from, to.place.unwrap().line), (&From::Default, 3));
}

#[test]
fn variables_of_hosts_name_the_nearest_that_says_them() {
    let (_, trace) = traced(&[]);
    let reads = &text(&trace.arguments, "name").reads;
    let colors: Vec<_> = read(reads, "host.color")
        .into_iter()
        .map(|r| {
            (
                r.hosts[0].to_string(),
                r.from.clone(),
                r.place.unwrap().line,
            )
        })
        .collect();
    assert_eq!(
        colors,
        [
            ("q1".to_owned(), From::Host, 2),
            ("q2".to_owned(), From::Group("site".into()), 6),
        ]
    );
    let zone = read(reads, "host.zone");
    assert_eq!(zone.len(), 1, "both hosts have it from one place");
    assert_eq!(zone[0].from, From::Group("inner".into()));
    assert_eq!(zone[0].hosts.len(), 2);
    assert_eq!(read(reads, "host.size")[0].from, From::All);
    assert_eq!(
        read(reads, "host.port")[0].from,
        From::GroupDefault("quay".into())
    );
    assert_eq!(read(reads, "host.name")[1].from, From::Itself);
}

#[test]
fn each_instance_has_its_value() {
    let (plan, trace) = traced(&[]);
    let values = &text(&trace.arguments, "name").values;
    let of = |id: &str| {
        let node = plan.node(id).unwrap();
        values
            .iter()
            .find(|(nodes, _)| nodes.contains(&node))
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(
        of("traced@q1"),
        Known::Value(json!("quay:3.8 q1 red 443 near large"))
    );
    assert_eq!(
        of("traced@q2"),
        Known::Value(json!("quay:3.8 q2 blue 443 near large"))
    );
    let when = text(&trace.conditions, "when");
    assert_eq!(when.values.len(), 1);
    assert_eq!(when.values[0].1, Known::Value(json!(true)));
}

#[test]
fn secrets_stay_secret_and_what_comes_later_is_not_made_up() {
    let (_, trace) = traced(&[]);
    let password = text(&trace.arguments, "password");
    assert!(password.values.iter().all(|(_, v)| *v == Known::Secret));
    assert_eq!(password.reads[0].value, Known::Secret);
    let state = text(&trace.arguments, "env");
    assert!(state.values.iter().all(|(_, v)| *v == Known::Later));
    assert_eq!(state.reads[0].from, From::Output("look".into()));
    let shown = serde_json::to_string(&trace).unwrap();
    assert!(!shown.contains("hunter2"));
}

#[test]
fn selectors_are_those_of_the_phase_where_the_step_has_none() {
    let (_, trace) = traced(&[]);
    let on = text(&trace.selectors, "phase on");
    assert_eq!(
        (on.written.as_str(), on.place.unwrap().line),
        (Some("quay"), 16)
    );
}

#[test]
fn one_instance_is_traced_alone() {
    let (_, trace) = traced(&["traced@q2"]);
    let name = text(&trace.arguments, "name");
    assert_eq!(name.values.len(), 1);
    assert_eq!(read(&name.reads, "host.color")[0].hosts.len(), 1);
}
