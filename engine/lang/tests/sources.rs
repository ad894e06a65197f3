//! Text files that steps name: read when the runbook is compiled, with the names of the runbook that names them.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

use support::imported::{compiled, plan};

mod support;

const MAIN: &str = "
runbook: main
inputs: { port: { type: int, default: 443 } }
steps:
  - { step: look, uses: test.look, on: db }
  - { step: conf, uses: template, on: quay, with: { path: /etc/conf, source: conf.tpl } }
";

#[test]
fn the_text_of_a_file_is_part_of_the_plan() {
    let text = "listen {{inputs.port}}\nsee {{steps.look.only.outputs.revision}}\n";
    let plan = plan(MAIN, &[("conf.tpl", text)]);
    assert_eq!(plan.steps[1].with["source"], text);
    // What it reads comes first, as for a text in the step.
    let node = |id: &str| plan.node(id).unwrap();
    let after = node("conf@q2");
    assert!(
        plan.edges
            .iter()
            .any(|edge| edge.from == node("look@db01") && edge.to == after),
        "{:?}",
        plan.edges
    );
}

#[test]
fn names_of_an_imported_runbook_are_its_own_in_its_files_too() {
    let main = "
runbook: main
inputs: { port: { type: int, default: 443 } }
phases: [{ phase: web, import: { file: web.yaml, with: { port: '{{inputs.port}}' }, groups: { nodes: quay } } }]
";
    let web = "
runbook: web
inputs: { port: { type: int, required: true } }
groups: { nodes: {} }
vars: { where: 'port {{inputs.port}}' }
steps: [{ step: conf, uses: template, on: nodes, with: { path: /etc/conf, source: conf.tpl } }]
";
    let text = "{{vars.where}} {{inputs.port}}{{#each groups.nodes}} {{this}}{{/each}}\n";
    let plan = plan(main, &[("web.yaml", web), ("conf.tpl", text)]);
    assert_eq!(
        plan.steps[0].with["source"],
        "{{vars.web_where}} {{inputs.port}}{{#each groups.quay}} {{this}}{{/each}}\n"
    );
}

#[test]
fn what_is_wrong_is_shown_in_the_file_where_it_stands() {
    let refused = |text: &'static str| {
        let (plan, found) = compiled(MAIN, &[("conf.tpl", text)]);
        assert!(plan.is_none(), "{found}");
        found
    };
    insta::assert_snapshot!(refused("a\nb {{inputs.prot}}\nc {{vars.x}}\n"));
    insta::assert_snapshot!(refused("a\n{{#if inputs.port}}b\n"));
}

#[test]
fn a_file_has_a_plain_name_and_can_be_read() {
    let refused = |main: &'static str| {
        let (plan, found) = compiled(main, &[]);
        assert!(plan.is_none(), "{found}");
        found
    };
    insta::assert_snapshot!(refused(MAIN));
    insta::assert_snapshot!(refused(
        "
runbook: main
inputs: { name: { type: string, default: a } }
steps:
  - { step: one, uses: template, on: quay, with: { path: /etc/one, source: '{{inputs.name}}.tpl' } }
  - { step: two, uses: template, on: quay, with: { path: /etc/two, source: [conf.tpl] } }
  - { step: three, uses: template, on: quay, with: { path: /etc/three } }
"
    ));
}
