//! What an import gives has the type of the input that it is given for.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

use runbook_model::plan::Var;
use support::imported::{compiled, plan};

mod support;

/// What is wrong where `main` imports `leaf`; nothing, if there is a plan.
fn found(main: &'static str, leaf: &'static str) -> String {
    let (plan, found) = compiled(main, &[("leaf.yaml", leaf)]);
    assert_eq!(plan.is_some(), found.is_empty(), "{found}");
    found
}

const TYPED: &str = "
runbook: leaf
inputs:
  digest: { type: string, pattern: '^sha256:', default: 'sha256:0' }
  mode: { type: enum, values: [wait, report], default: wait }
  size: { type: size, default: 10MiB }
  number: { type: int, default: 3 }
  name: { type: string, default: x }
  file: { type: path, default: /x }
  node: { type: host, in: db, default: db01 }
  rules:
    - { check: 'inputs.size >= \"5MiB\"', message: 'too small: {{inputs.size}}' }
steps:
  - { step: look, uses: test.look, on: '{{inputs.node}}', when: 'inputs.size >= \"5MiB\" && inputs.number > 2', with: { name: '{{inputs.name}} {{inputs.file}} {{inputs.digest}} {{inputs.mode}}' } }
";

#[test]
fn what_an_import_gives_has_the_type_of_its_input() {
    let main = "
runbook: main
inputs:
  size: { type: string, default: 9KiB }
  digest: { type: string, default: 'md5:1' }
  mode: { type: string, default: explode }
  number: { type: string, default: three }
  first: { type: host, in: quay, default: q2 }
vars: { node: q1, few: 'q{{inputs.number}}' }
phases:
  - phase: a
    import: { file: leaf.yaml, with: { size: '{{inputs.size}}', digest: '{{inputs.digest}}', mode: '{{inputs.mode}}', number: '{{inputs.number}}', node: '{{inputs.first}}' } }
  - phase: b
    import: { file: leaf.yaml, with: { size: '{{inputs.first}}', number: '1{{inputs.number}}', node: '{{vars.few}}', mode: '{{vars.node}}', name: '{{groups.quay}}' } }
";
    insta::assert_snapshot!(found(main, TYPED));
}

#[test]
fn what_an_import_gives_is_converted() {
    let main = "
runbook: main
inputs:
  size: { type: string, default: 5120KiB }
  number: { type: int, default: 7 }
  first: { type: host, in: quay, default: q2 }
vars: { label: 'at {{inputs.first}}', mode: report }
phases:
  - phase: a
    import: { file: leaf.yaml, with: { size: '{{inputs.size}}', number: '{{inputs.number}}', name: '{{vars.label}}!', mode: '{{vars.mode}}', file: '/srv/{{steps.look.only.outputs.revision}}' } }
  - phase: b
    import: { file: leaf.yaml, with: { size: '{{inputs.number}}GiB' } }
";
    let before =
        "  - phase: look\n    steps: [{ step: look, uses: test.look, on: db }]\n  - phase: a\n";
    let main = Box::leak(main.replace("  - phase: a\n", before).into_boxed_str());
    let plan = plan(main, &[("leaf.yaml", TYPED)]);
    let value = |name: &str| plan.inputs[name].value.clone().unwrap();
    assert_eq!(value("a_size"), "5MiB");
    assert_eq!(value("b_size"), "7GiB");
    assert_eq!(value("a_name"), "at q2!");
    assert_eq!(value("a_mode"), "report");
    assert!(!plan.inputs.contains_key("a_file"), "known only later");
    let Var::Template(file) = &plan.vars["a_file"] else {
        panic!("no template");
    };
    assert_eq!(file.text, "/srv/{{steps.look.only.outputs.revision}}");
    let (_, look) = plan.step("a_look").unwrap();
    assert_eq!(
        look.with["name"],
        "{{inputs.a_name}} {{vars.a_file}} {{inputs.a_digest}} {{inputs.a_mode}}"
    );
}

#[test]
fn what_is_known_only_later_must_fit_for_certain() {
    let main = "
runbook: main
vars:
  state: { cel: 'steps.look.only.outputs.revision == \"a\" ? \"wait\" : \"report\"' }
  text: 'at {{steps.look.only.outputs.revision}}'
phases:
  - phase: look
    steps: [{ step: look, uses: test.look, on: db }]
  - phase: a
    import: { file: leaf.yaml, with: { name: '{{vars.text}}', file: '{{run.dir}}', number: '{{steps.look.only.outputs.count}}' } }
  - phase: b
    import: { file: leaf.yaml, with: { name: '{{vars.state}}', mode: '{{vars.state}}', size: '{{steps.look.only.outputs.count}}', digest: 'sha256:{{vars.text}}', number: '{{steps.look.only.outputs.revision}}', file: '{{vars.text}}', node: '{{steps.look.only.host}}' } }
";
    insta::assert_snapshot!(found(main, TYPED));
}

#[test]
fn what_is_missing_is_no_value_of_an_import() {
    let main = "
runbook: main
inputs: { word: { type: string }, size: { type: size } }
phases:
  - phase: a
    import: { file: leaf.yaml, with: { word: '{{inputs.word}}', size: '{{inputs.size}}' } }
  - phase: b
    import: { file: leaf.yaml, with: { word: 'a {{inputs.word}}' } }
";
    let leaf = "
runbook: leaf
inputs: { word: { type: string, required: true }, size: { type: size, default: 1GiB } }
steps: [{ step: look, uses: test.look, on: db, with: { name: '{{inputs.word}} {{inputs.size}}' } }]
";
    insta::assert_snapshot!(found(main, leaf));
    // Without what must be given it is the default.
    let main: &'static str = Box::leak(
        main.replace(
            "word: { type: string }",
            "word: { type: string, default: w }",
        )
        .into_boxed_str(),
    );
    let plan = plan(main, &[("leaf.yaml", leaf)]);
    assert_eq!(plan.inputs["a_size"].value, Some("1GiB".into()));
    assert_eq!(plan.inputs["b_word"].value, Some("a w".into()));
}

#[test]
fn an_import_may_give_what_another_one_puts_out() {
    let main = "
runbook: main
inputs: { first: { type: string, default: '3.10' } }
phases:
  - phase: a
    import: { file: leaf.yaml, with: { to: '{{inputs.first}}' } }
  - phase: b
    import: { file: leaf.yaml, with: { to: '{{steps.a.outputs.next}}' } }
";
    let leaf = "
runbook: leaf
inputs: { to: { type: version, default: 3.8.1 } }
vars: { next: '{{inputs.to}}' }
steps: [{ step: look, uses: test.look, on: db, when: 'inputs.to > \"3.9\"', with: { name: '{{inputs.to}}' } }]
outputs: { next: '{{vars.next}}' }
";
    let plan = plan(main, &[("leaf.yaml", leaf)]);
    assert_eq!(plan.inputs["a_to"].value, Some("3.10".into()));
    assert_eq!(plan.inputs["b_to"].value, Some("3.10".into()));
}
