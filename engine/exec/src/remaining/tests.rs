//! What a person gets to type: whole, in order, readable by a shell, and without secrets.

use std::process::{Command, Stdio};

use runbook_lang::ast::parse_runbook;
use runbook_lang::compile::{Given, Request, compile};
use runbook_lang::inventory::parse_inventory;
use runbook_lang::source::Sources;
use runbook_lang::steptype::{Catalog, SHIPPED};
use runbook_model::event::{AttemptEnd, Controller, Intent, NodeSummary};
use runbook_model::plan::SecretSource;
use runbook_model::{
    AttemptId, Epoch, Event, Failure, FailureKind, Outcome, Record, RunId, RunResult,
};

use super::*;

const INVENTORY: &str = "\
connection: { user: ops }
become: sudo
hosts: { web01: {}, web02: {} }
groups: { web: { hosts: [web01, web02] } }
";

const DEMO: &str = "\
type: demo.thing
summary: A thing
params:
  name: { type: string, required: true }
  flags: { type: list }
  key: { type: string, secret: true }
outputs: { id: { type: string } }
functions: |
  path_of() { printf '/tmp/%s' \"$1\"; }
check: |
  if [ ! -e \"$(path_of \"$name\")\" ]; then differs \"$name is not there\"; fi
  before was nothing
  output id 7
apply: |
  eval \"set -- $flags\"
  touch \"$(path_of \"$name\")\" \"$@\"
undo: |
  rm -f \"$(path_of \"$name\")\" # $before_was
";

const CONTENT: &str = "\
type: demo.file
summary: A file
params:
  path: { type: path, required: true }
  text: { type: string, required: true }
content: { path: '{{path}}', text: '{{text}}', mode: '0640' }
";

const RUNBOOK: &str = "\
runbook: typed
version: 3
inputs: { token: { type: secret, required: true }, motto: { type: string, default: \"it's \\e[1m; $(id)\" } }
phases:
  - phase: make
    steps:
      - { step: one, uses: demo.thing, on: web, with: { name: '{{inputs.motto}}', flags: [a b, \"c'd\"], key: '{{inputs.token}}' } }
      - { step: sure, uses: gate.approve, with: { message: \"Is {{inputs.motto}} right?\\nReally?\" } }
  - phase: use
    steps:
      - { step: two, uses: demo.thing, on: 'web[0]', needs: [one], when: 'steps.one.outputs.id == \"7\"', with: { name: '{{steps.one.outputs.id}}' }, no_return: 'all of it' }
      - { step: three, uses: demo.file, on: 'web[0]', with: { path: /etc/motd, text: \"hello\\nyou\\n\" } }
      - { step: four, uses: assert, on: control, with: { all: [{ check: 'inputs.motto != \"\"', message: no motto }] } }
finally:
  - { step: record, uses: run.record, on: control }
";

fn plan() -> Arc<Plan> {
    let types = [("demo.thing", DEMO), ("demo.file", CONTENT)];
    compiled(RUNBOOK, INVENTORY, &types, &["token"])
}

/// A plan from texts; `secrets` are inputs that are secret.
pub(crate) fn compiled(
    runbook: &str,
    inventory: &str,
    types: &[(&str, &str)],
    secrets: &[&str],
) -> Arc<Plan> {
    let mut sources = Sources::new();
    let mut catalog = Catalog::new();
    for (name, text) in types {
        let source = sources.add(name, text.as_bytes()).unwrap();
        let found = catalog.add(name, SHIPPED, &source);
        assert!(found.is_empty(), "{}", found.render(&sources));
    }
    let source = sources.add("typed.yaml", runbook.as_bytes()).unwrap();
    let (runbook, found) = parse_runbook(&source);
    assert!(found.is_empty(), "{}", found.render(&sources));
    let hosts = sources.add("inventory.yaml", inventory.as_bytes()).unwrap();
    let (inventory, found) = parse_inventory(&hosts);
    assert!(found.is_empty(), "{}", found.render(&sources));
    let given = Given {
        secrets: secrets
            .iter()
            .map(|name| ((*name).to_owned(), SecretSource::Prompt))
            .collect(),
        ..Given::default()
    };
    let (plan, found) = compile(&Request {
        sources: &sources,
        source: &source,
        runbook: &runbook.unwrap(),
        inventory: &inventory.unwrap(),
        catalog: &catalog,
        given: &given,
        allow_missing: false,
    });
    Arc::new(plan.unwrap_or_else(|| panic!("{}", found.render(&sources))))
}

/// A state by events, each written down in turn.
struct Tape {
    state: RunState,
}

impl Tape {
    fn new(plan: &Plan) -> Self {
        let summary = |node: &runbook_model::Node| NodeSummary {
            id: node.id.clone(),
            phase: String::new(),
            host: None,
        };
        let mut tape = Self {
            state: RunState::default(),
        };
        tape.add(Event::RunCreated {
            run: RunId::new("k3").unwrap(),
            runbook: plan.runbook.clone(),
            plan: plan.digest.clone(),
            nodes: plan.nodes.iter().map(summary).collect(),
        });
        tape.add(Event::Opened {
            controller: Controller {
                host: "c".into(),
                pid: 1,
                user: "u".into(),
                engine: "0".into(),
            },
        });
        tape
    }

    fn add(&mut self, event: Event) {
        let record = Record {
            seq: self.state.seq + 1,
            epoch: Epoch(1),
            at: 1_000,
            event,
        };
        self.state.apply(&record).unwrap();
    }

    fn intend(&mut self, plan: &Plan, id: &str, attempt: &str) {
        let attempt = AttemptId::new(attempt).unwrap();
        let node = plan.node(id).unwrap();
        self.add(Event::Dispatched {
            unit: attempt.clone(),
            instances: vec![Intent {
                node,
                attempt,
                number: 1,
                before: [("was".to_owned(), "no\x1bthing".to_owned())].into(),
            }],
            host: plan.runs_on(node).unwrap().clone(),
            boot: "b".into(),
        });
    }

    fn finish(&mut self, plan: &Plan, id: &str, outcome: Outcome) {
        self.add(Event::Finished {
            node: plan.node(id).unwrap(),
            outcome,
            outputs: [("id".to_owned(), "7".into())].into(),
        });
    }
}

/// One has changed, the other was begun.
fn half(plan: &Plan) -> Tape {
    let mut tape = Tape::new(plan);
    for id in ["one@web01", "one@web02"] {
        let attempt = format!("a-{}", id.replace('@', "-"));
        tape.intend(plan, id, &attempt);
        tape.add(Event::Launched {
            unit: AttemptId::new(attempt).unwrap(),
        });
    }
    let attempt = AttemptId::new("a-one-web01").unwrap();
    let end = AttemptEnd::Completed {
        outputs: Default::default(),
    };
    tape.add(Event::Ended { attempt, end });
    let node = plan.node("one@web01").unwrap();
    let purpose = runbook_model::event::Purpose::After;
    tape.add(Event::Looking { node, purpose });
    tape.add(Event::Looked {
        node,
        verdict: runbook_model::event::Verdict::Satisfied,
        outputs: Default::default(),
    });
    tape.finish(plan, "one@web01", Outcome::Changed);
    tape
}

fn readable(text: &str) {
    use std::io::Write as _;
    let mut sh = Command::new("sh")
        .arg("-n")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    sh.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = sh.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{text}");
    let raw = |c: char| !"\n\t".contains(c) && printable(&c.to_string()) != c.to_string();
    assert!(!text.chars().any(raw), "{text}");
}

#[test]
fn the_rest_of_a_run_can_be_typed() {
    let plan = plan();
    let text = commands(&plan, &half(&plan).state, Path::new("/state/runs/k3")).unwrap();
    readable(&text);
    let (_, parts) = text.split_once("as_the_engine_does() {").unwrap();
    insta::assert_snapshot!(parts);
}

#[test]
fn what_has_ended_is_not_left() {
    let plan = plan();
    let mut tape = half(&plan);
    let names =
        |nodes: &[NodeIx]| -> Vec<String> { nodes.iter().map(|n| name(&plan, *n)).collect() };
    let all = left(&plan, &tape.state).unwrap();
    let main = [
        "one@web02",
        "sure@control",
        "two@web01",
        "three@web01",
        "four@control",
    ];
    assert_eq!(names(&all.main), main);
    assert_eq!(names(&all.ending), ["record@control"]);
    tape.add(Event::Closed {
        result: RunResult::Abandoned,
    });
    assert!(left(&plan, &tape.state).unwrap().is_empty());
    let text = commands(&plan, &tape.state, Path::new("/s")).unwrap();
    assert!(text.contains("# ==== nothing is left to be done"), "{text}");
    readable(&text);
}

#[test]
fn a_run_that_never_began_is_left_whole() {
    let plan = plan();
    let text = commands(&plan, &RunState::default(), Path::new("/s")).unwrap();
    assert_eq!(left(&plan, &RunState::default()).unwrap().main.len(), 6);
    readable(&text);
    assert!(!text.contains("the way back"), "{text}");
}

#[test]
fn the_file_is_for_its_owner_alone_and_is_replaced() {
    use std::os::unix::fs::PermissionsExt as _;
    let plan = plan();
    let dir = tempfile::tempdir().unwrap();
    let store = crate::store::Store::open(dir.path()).unwrap();
    let controller = half(&plan).state.controller.unwrap();
    let run = store.create(&plan, &controller).unwrap();
    let mut tape = half(&plan);
    keep(&plan, &tape.state, &run.home).unwrap();
    let path = run.home.dir().join(FILE);
    let first = std::fs::read_to_string(&path).unwrap();
    let failure = Failure::new(FailureKind::Refused, "no\x1b");
    tape.finish(&plan, "sure@control", Outcome::Failed(failure));
    keep(&plan, &tape.state, &run.home).unwrap();
    let second = std::fs::read_to_string(&path).unwrap();
    assert!(
        first != second && second.contains("# it failed: no\\u{1b}"),
        "{second}"
    );
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn every_function_that_scripts_may_call_is_there() {
    let prelude = concat!(env!("CARGO_MANIFEST_DIR"), "/../remote/src/sh/prelude.sh");
    let prelude = std::fs::read_to_string(prelude).unwrap();
    let names = prelude.lines().filter_map(|line| line.split_once("() {"));
    let names = names
        .map(|(name, _)| name.trim())
        .filter(|name| !name.starts_with("rb_"));
    let names: Vec<_> = names.collect();
    assert!(names.contains(&"differs"));
    for name in names {
        assert!(WORDS.contains(&format!("{name}() {{")), "{name} is missing");
    }
}
