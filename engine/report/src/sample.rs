//! A plan and runs of it, built in code for the tests: a small upgrade of three nodes.

mod full;
mod tape;

use std::collections::BTreeMap;

use runbook_model::plan::{Input, Order, Phase, SecretSource, Source};
use runbook_model::preview::Finding;
use runbook_model::step::{Expr, Outage, Place, Retry, Until};
use runbook_model::step_type::{Example, InDoubt, Output, Param, Scripts, Shape, TypeKind};
use runbook_model::{
    Account, Connection, Forecast, Host, HostName, Node, NodeKind, Plan, Preview, RunState, Step,
    StepId, StepIx, StepType,
};
use serde_json::json;

pub(crate) use full::full;
pub(crate) use tape::{
    Tape, asked, failed, failed_twice, forgotten, held, impatient, in_doubt, interrupted,
    left_behind, looked_at, out_of_window, patient, refused, released, reopened, resumed,
    taken_back, to_be_taken_back, unanswered, unreachable, urged,
};

const SOURCE: &str = "\
runbook: upgrade
phases:
  - phase: survey
    order: per_host
    steps:
      - { step: survey, uses: quay.instance, on: quay, once: true }
      - { step: pull, uses: podman.image, on: quay, retry: { attempts: 3 } }
  - phase: decide
    steps:
      - step: approve
        uses: gate.approve
        with: { message: 'All registry nodes stop.' }
  - phase: freeze
    steps:
      - { step: stop, uses: podman.container, on: quay, outage: begin, with: { state: stopped } }
      - { step: dump, uses: postgres.dump, on: db, critical: true, timeout: 2h }
  - phase: first
    steps:
      - { step: healthy, uses: quay.health, on: 'quay[0]', until: { every: 5s, within: 10m, fatal: 'outputs.restarts > 0' } }
      - { step: open, uses: podman.container, on: 'quay[0]', outage: end, no_return: 'the first push after this is lost' }
  - phase: rest
    rolling: { batch: [1, 100%] }
    when: inputs.all
    steps:
      - { step: start, uses: podman.container, on: 'quay[1:]' }
      - { step: mirror, uses: podman.container, on: mirror }
";

pub(crate) fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

fn place(needle: &str) -> Place {
    let offset = SOURCE.find(needle).unwrap_or(0);
    let before = &SOURCE[..offset];
    let line = before.matches('\n').count() + 1;
    let column = offset - before.rfind('\n').map_or(0, |n| n + 1) + 1;
    let length = needle.len();
    let all = [line, column, offset, length].map(|n| u32::try_from(n).unwrap());
    Place {
        source: 0,
        line: all[0],
        column: all[1],
        offset: all[2],
        length: all[3],
    }
}

fn expr(text: &str) -> Expr {
    Expr {
        text: text.into(),
        place: place(text),
    }
}

fn step(id: &str, uses: &str, phase: u32) -> Step {
    Step {
        place: place(&format!("step: {id}")),
        ..Step::new(StepId::new(id).unwrap(), uses, phase)
    }
}

pub(crate) fn step_type(name: &str, summary: &str, kind: TypeKind) -> StepType {
    StepType {
        name: name.into(),
        summary: summary.into(),
        doc: String::new(),
        origin: "shipped".into(),
        digest: String::new(),
        kind,
        params: BTreeMap::new(),
        rules: Vec::new(),
        outputs: BTreeMap::new(),
        reads: Vec::new(),
        writes: Vec::new(),
        volatile: false,
        restarts_host: false,
        progress: None,
        in_doubt: InDoubt::Check,
        check_timeout_ms: 30_000,
        apply_timeout_ms: 600_000,
        scripts: Scripts::default(),
        content: None,
        examples: Vec::new(),
    }
}

pub(crate) fn container_type() -> StepType {
    let param = |shape, help: &str| Param {
        shape,
        required: false,
        default: None,
        help: help.into(),
        pattern: None,
        values: Vec::new(),
        secret: false,
        schema: None,
    };
    let mut t = step_type(
        "podman.container",
        "A container in the wanted state",
        TypeKind::Ordinary,
    );
    t.doc = "Started, stopped or absent.\nA container that differs from what is wanted is *replaced*, after its configuration was read.".into();
    t.params = BTreeMap::from([
        (
            "name".into(),
            Param {
                required: true,
                pattern: Some("^[a-z]+$".into()),
                ..param(Shape::String, "its name")
            },
        ),
        (
            "state".into(),
            Param {
                values: ["running", "stopped", "absent"].map(String::from).to_vec(),
                default: Some(json!("running")),
                ..param(Shape::Enum, "")
            },
        ),
        (
            "token".into(),
            Param {
                secret: true,
                ..param(Shape::String, "never shown\x1b[0m")
            },
        ),
    ]);
    t.outputs = BTreeMap::from([(
        "id".into(),
        Output {
            shape: Shape::String,
            secret: false,
            help: "the id of the container".into(),
        },
    )]);
    t.writes = vec!["container:{{name}}".into()];
    t.scripts = Scripts {
        check: "have podman\nif x; then\n\tdiffers \"$name\"\nfi\n".into(),
        ..Scripts::default()
    };
    t.examples = vec![Example {
        title: "stop a registry".into(),
        with: BTreeMap::from([
            ("name".into(), json!("quay")),
            ("state".into(), json!("stopped")),
        ]),
    }];
    t
}

pub(crate) fn plan() -> Plan {
    let quay = ["quay01", "quay02", "quay03"].map(host);
    let db = [host("db01")];
    let control = [HostName::control()];
    let mut steps = vec![
        Step {
            once: true,
            ..step("survey", "quay.instance", 0)
        },
        Step {
            retry: Retry {
                attempts: 3,
                ..Retry::default()
            },
            ..step("pull", "podman.image", 0)
        },
        Step {
            with: BTreeMap::from([("message".into(), json!("All registry nodes stop."))]),
            ..step("approve", "gate.approve", 1)
        },
        Step {
            outage: Some(Outage::Begin),
            ..step("stop", "podman.container", 2)
        },
        Step {
            critical: true,
            timeout_ms: Some(7_200_000),
            undo_none: true,
            ..step("dump", "postgres.dump", 2)
        },
        Step {
            until: Some(Until {
                every_ms: 5_000,
                passes: 3,
                within_ms: 600_000,
                fatal: Some(expr("'outputs.restarts > 0'")),
            }),
            ..step("healthy", "quay.health", 3)
        },
        Step {
            outage: Some(Outage::End),
            no_return: Some(expr("the first push after this is lost")),
            ..step("open", "podman.container", 3)
        },
        Step {
            fresh_ms: Some(0),
            ..step("start", "podman.container", 4)
        },
        step("mirror", "podman.container", 4),
    ];
    steps[7].when = Some(expr("inputs.all"));
    let on: [&[HostName]; 9] = [
        &quay,
        &quay,
        &control,
        &quay,
        &db,
        &quay[..1],
        &quay[..1],
        &quay[1..],
        &[],
    ];
    let phases = ["survey", "decide", "freeze", "first", "rest"];
    let mut nodes = Vec::new();
    for (phase, id) in (0u32..).zip(phases) {
        nodes.push(Node {
            id: format!("phase {id}"),
            kind: NodeKind::PhaseBegin { phase },
        });
        for (ix, (step, hosts)) in (0u32..).zip(steps.iter().zip(on)) {
            for host in hosts.iter().filter(|_| step.phase == phase) {
                let kind = NodeKind::instance(StepIx(ix), host.clone());
                nodes.push(Node {
                    id: format!("{}@{host}", step.id),
                    kind,
                });
            }
        }
        nodes.push(Node {
            id: format!("end of phase {id}"),
            kind: NodeKind::barrier(phase),
        });
    }
    let phase = |id: &str| Phase {
        order: if id == "survey" {
            Order::PerHost
        } else {
            Order::Steps
        },
        when: (id == "rest").then(|| expr("inputs.all")),
        batches: if id == "rest" {
            vec![quay[1..2].to_vec(), quay[2..].to_vec()]
        } else {
            Vec::new()
        },
        place: place(&format!("phase: {id}")),
        ..Phase::new(id)
    };
    let types = [
        step_type(
            "quay.instance",
            "What runs on a registry node",
            TypeKind::Probe,
        ),
        step_type(
            "podman.image",
            "An image in the local store, by name and digest, pulled with the account's login",
            TypeKind::Ordinary,
        ),
        step_type(
            "gate.approve",
            "A person decides whether the run goes on",
            TypeKind::Gate,
        ),
        container_type(),
        step_type("postgres.dump", "A dump of a database", TypeKind::Ordinary),
        step_type(
            "quay.health",
            "Quay answers and is healthy",
            TypeKind::Probe,
        ),
    ];
    Plan {
        version: "2".into(),
        summary: "Upgrade Quay on three nodes that share one database, with one migration and no two versions at the same time".into(),
        digest: "3f9c1d00a5b7e2".into(),
        sources: vec![Source { name: "upgrade.yaml".into(), text: SOURCE.into() }],
        inputs: BTreeMap::from([
            ("to".into(), Input { kind: json!("version"), value: Some(json!("v3.8.0")), secret: None }),
            ("token".into(), Input { kind: json!("secret"), value: None, secret: Some(SecretSource::Prompt) }),
            ("window".into(), Input { kind: json!("map"), value: None, secret: None }),
        ]),
        hosts: quay.iter().chain(&db).map(|name| (name.clone(), a_host(name))).collect(),
        groups: BTreeMap::from([("db".into(), db.to_vec()), ("mirror".into(), vec![]), ("quay".into(), quay.to_vec())]),
        types: types.into_iter().map(|t| (t.name.clone(), t)).collect(),
        done_when: Some(expr("inputs.all")),
        phases: phases.map(phase).into(),
        steps,
        nodes,
        ..Plan::empty("upgrade")
    }
}

fn a_host(name: &HostName) -> Host {
    Host {
        name: name.clone(),
        connection: Connection::default(),
        account: Account::Login,
        vars: BTreeMap::new(),
        groups: Vec::new(),
        meaning: Default::default(),
    }
}

/// A live forecast with something of every kind.
pub(crate) fn preview(plan: &Plan) -> Preview {
    let text = |s: &str| s.to_owned();
    let of = |node: &Node| match node.id.as_str() {
        "survey@quay01" | "survey@quay02" => Forecast::Probe(Finding::Content),
        "survey@quay03" => Forecast::Unreachable(text("Connection refused\n\x1b[31m")),
        "pull@quay01" => Forecast::NoChange,
        "pull@quay02" => Forecast::Change(vec![text("the image is not there")]),
        "pull@quay03" => Forecast::Unreachable(text("Connection refused\n\x1b[31m")),
        "approve@control" => Forecast::Gate,
        "dump@db01" => Forecast::Always,
        "healthy@quay01" => Forecast::Probe(Finding::Differs(vec![text(
            "version is v3.7.0, not v3.8.0",
        )])),
        "open@quay01" => Forecast::Maybe(text(
            "`stop` changes container:quay, which its check reads, and what comes after it",
        )),
        "start@quay02" => Forecast::Skipped(text("`when` is false")),
        "start@quay03" => Forecast::Error(text("podman: status 125")),
        id if id.starts_with("stop@") => Forecast::Change(vec![
            text("the container runs, and is to be stopped"),
            text(
                "a second thing that differs and takes so many words that no line of this width holds all of them at once",
            ),
        ]),
        _ => Forecast::None,
    };
    Preview {
        live: true,
        nodes: plan.nodes.iter().map(of).collect(),
        unusable: BTreeMap::from([(host("quay03"), text("Connection refused\n\x1b[31m"))]),
        already_there: Some(false),
        vars: BTreeMap::from([("state".into(), json!("before"))]),
    }
}

/// A forecast for which no host was asked.
pub(crate) fn offline(plan: &Plan) -> Preview {
    let of = |node: &Node| match node.kind {
        NodeKind::Instance { .. } => Forecast::Unknown,
        _ => Forecast::None,
    };
    Preview {
        nodes: plan.nodes.iter().map(of).collect(),
        ..Preview::default()
    }
}

/// A plan with one step on many hosts, all of them being looked at.
pub(crate) fn wide(hosts: usize) -> (Plan, RunState) {
    let mut plan = plan();
    let names: Vec<HostName> = (0..hosts).map(|n| host(&format!("node{n:03}"))).collect();
    plan.nodes = names
        .iter()
        .map(|h| Node {
            id: format!("survey@{h}"),
            kind: NodeKind::instance(StepIx(0), h.clone()),
        })
        .collect();
    let mut tape = Tape::begin(plan);
    let ids: Vec<String> = tape.plan.nodes.iter().map(|n| n.id.clone()).collect();
    for id in ids {
        tape.looking(&id, runbook_model::event::Purpose::Probe);
    }
    let state = tape.state();
    (tape.plan, state)
}

/// The text without the sequences that colour it.
pub(crate) fn without_colour(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    out + rest
}
