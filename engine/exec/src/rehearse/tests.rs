//! A rehearsal tells what a run would do, what its end leaves, and nothing that it cannot know.

use runbook_model::{Outcome, RunResult};
use serde_json::json;

use super::*;
use crate::remaining::tests::compiled;

const INVENTORY: &str = "hosts: { web01: {}, web02: {}, db01: {} }\ngroups: { web: { hosts: [web01, web02] }, db: { hosts: [db01] } }\n";

const TYPES: [(&str, &str); 3] = [
    (
        "demo.look",
        "type: demo.look\nsummary: A look\nparams: { name: { type: string } }\nprobe: true\noutputs: { version: { type: string }, restarts: { type: int } }\ncheck: 'true'\n",
    ),
    (
        "demo.thing",
        "type: demo.thing\nsummary: A thing\nparams: { key: { type: string, secret: true } }\ncheck: 'true'\napply: 'true'\nundo: 'true'\n",
    ),
    (
        "demo.once",
        "type: demo.once\nsummary: Cannot be looked at\nparams: {}\nalways: true\nin_doubt: ask\napply: 'true'\n",
    ),
];

const RUNBOOK: &str = "\
runbook: night
version: 1
inputs: { token: { type: secret, required: true }, motto: { type: string, default: hello } }
done_when: steps.survey.on.all(h, steps.survey.on[h].outputs.version == \"2\")
phases:
  - phase: look
    steps:
      - { step: survey, uses: demo.look, on: web }
      - { step: ready, uses: assert, on: control, with: { all: [{ check: 'steps.survey.on.all(h, steps.survey.on[h].outputs.version == \"1\")', message: not all run 1 }, { check: 'inputs.motto == \"hello\"', message: no motto }] } }
      - { step: approve, uses: gate.approve, with: { message: 'From {{steps.survey.on.web01.outputs.version}}?' } }
  - phase: change
    steps:
      - { step: stop, uses: demo.thing, on: web, outage: begin, retry: { attempts: 3, delay: 5s }, with: { key: '{{inputs.token}}' }, hold: { release: [start] } }
      - { step: once, uses: demo.once, on: db }
      - { step: start, uses: demo.thing, on: web, undo: none, outage: end, no_return: 'what clients push' }
      - { step: healthy, uses: demo.look, on: web, until: { every: 5s, within: 1m, fatal: 'outputs.restarts > 0' } }
finally:
  - { step: record, uses: run.record, on: control }
";

fn plan(text: &str) -> Arc<Plan> {
    let secrets: &[&str] = if text.contains("token") {
        &["token"]
    } else {
        &[]
    };
    compiled(text, INVENTORY, &TYPES, secrets)
}

fn run(plan: &Arc<Plan>, fail: Option<&str>, kill_at: Option<u64>) -> Rehearsal {
    let fail = fail.map(|id| plan.node(id).unwrap());
    let version = BTreeMap::from([("version".to_owned(), json!("3"))]);
    let plausible = BTreeMap::from([("demo.look".to_owned(), version)]);
    rehearse(plan, &plausible, Wish { fail, kill_at }).unwrap()
}

fn names(plan: &Plan, nodes: &[NodeIx]) -> Vec<String> {
    nodes
        .iter()
        .map(|node| plan.nodes[node.at()].id.clone())
        .collect()
}

fn failed(plan: &Plan, part: &Part) -> Vec<String> {
    let nodes = plan.nodes.iter().zip(&part.state.nodes);
    let failed = nodes.filter(|(_, n)| matches!(n.outcome, Some(Outcome::Failed(_))));
    failed.map(|(node, _)| node.id.clone()).collect()
}

const CLOSED: Ending = Ending::Closed(RunResult::Succeeded);

#[test]
fn a_run_without_trouble_ends_well_and_says_what_it_took_for_granted() {
    let plan = plan(RUNBOOK);
    let found = run(&plan, None, None);
    assert_eq!(found.first.ending, CLOSED);
    assert_eq!(found.resumed, None);
    let changed = [
        "stop@web01",
        "stop@web02",
        "once@db01",
        "start@web01",
        "start@web02",
        "record@control",
    ];
    assert_eq!(names(&plan, &found.changed), changed);
    assert_eq!(found.back, Some(Err(RollbackError::Closed)));
    insta::assert_debug_snapshot!((found.made_up, found.assumed));
}

#[test]
fn what_fails_leaves_the_rest_and_a_resume_does_only_that() {
    let plan = plan(RUNBOOK);
    let found = run(&plan, Some("stop@web02"), None);
    assert_eq!(found.first.ending, Ending::Closed(RunResult::Failed));
    assert_eq!(failed(&plan, &found.first), ["stop@web02"]);
    assert_eq!(
        names(&plan, &found.changed),
        ["stop@web01", "record@control"]
    );
    let back = found.back.unwrap().unwrap();
    assert_eq!(names(&plan, &back.back), ["stop@web02", "stop@web01"]);
    let resumed = found.resumed.unwrap();
    assert_eq!(resumed.ending, CLOSED);
    let begun = resumed
        .records
        .iter()
        .filter_map(|record| match &record.event {
            runbook_model::Event::Dispatched { instances, .. } => Some(instances[0].node),
            _ => None,
        });
    let begun: Vec<_> = begun.collect();
    assert!(!names(&plan, &begun).contains(&"stop@web01".to_owned()));
    assert!(names(&plan, &begun).contains(&"stop@web02".to_owned()));
}

#[test]
fn anything_can_fail_and_is_mended_by_a_resume() {
    let plan = plan(RUNBOOK);
    for (node, ..) in plan.instances() {
        let id = &plan.nodes[node.at()].id;
        let found = run(&plan, Some(id), None);
        if id == "record@control" {
            // What follows on the ending does not change how the run ended.
            assert_eq!(found.first.ending, CLOSED, "{id}");
            continue;
        }
        let wanted = match id.as_str() {
            "approve@control" => RunResult::Refused,
            _ => RunResult::Failed,
        };
        assert_eq!(found.first.ending, Ending::Closed(wanted), "{id}");
        assert_eq!(failed(&plan, &found.first), std::slice::from_ref(id));
        assert_eq!(found.resumed.unwrap().ending, CLOSED, "{id}");
    }
}

#[test]
fn a_controller_may_die_at_any_event() {
    let plan = plan(RUNBOOK);
    let all = run(&plan, None, None).first.records.len() as u64;
    for at in 1..all {
        let found = run(&plan, None, Some(at));
        assert_eq!(found.first.ending, Ending::Crashed, "{at}");
        assert_eq!(found.first.records.len() as u64, at);
        assert_eq!(found.resumed.unwrap().ending, CLOSED, "{at}");
    }
    let late = run(&plan, None, Some(all + 1));
    assert_eq!(late.first.ending, CLOSED);
}

#[test]
fn the_same_wish_gives_the_same_rehearsal() {
    let plan = plan(RUNBOOK);
    for at in [7, 20, 33] {
        let [one, two] = [(); 2].map(|()| run(&plan, Some("once@db01"), Some(at)));
        assert_eq!((one.first, one.resumed), (two.first, two.resumed));
    }
}

#[test]
fn what_depends_on_no_step_is_false_here_as_well() {
    let plan = plan(&RUNBOOK.replace("default: hello", "default: bye"));
    let found = run(&plan, None, None);
    assert_eq!(found.first.ending, Ending::Closed(RunResult::Failed));
    assert_eq!(failed(&plan, &found.first), ["ready@control"]);
}

#[test]
fn a_window_is_open_in_a_rehearsal() {
    for window in [
        "window: { opens: '2031-05-01T22:00:00Z', closes: '2031-05-02T02:00:00Z' }\n",
        "window: { closes: '2031-05-02T02:00:00Z' }\n",
    ] {
        let plan = plan(&RUNBOOK.replace("done_when:", &format!("{window}done_when:")));
        assert_eq!(run(&plan, None, None).first.ending, CLOSED, "{window}");
    }
}
