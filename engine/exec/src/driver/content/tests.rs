//! What a look at a file comes to, and which version a swap expects.

use runbook_model::event::{Controller, Intent, NodeSummary, Purpose};
use runbook_model::{AttemptId, Epoch, Event, HostName, NodeIx, Record, RunId, RunState};
use runbook_remote::{Excerpt, Rights};

use super::*;

fn wanted(secret: bool) -> Wanted {
    Wanted {
        path: "/etc/x".to_owned(),
        goal: Goal::Text("new\n".to_owned()),
        secret,
        rights: Rights {
            owner: Some("root".to_owned()),
            group: Some("4".to_owned()),
            mode: Some(0o640),
        },
        create_only: false,
        validate: Vec::new(),
    }
}

fn report(records: &[(&str, &str)]) -> Report {
    Report {
        verdict: runbook_remote::Verdict::Satisfied,
        outputs: records
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        before: Vec::new(),
        status: Some(0),
        stale: false,
        timed_out: false,
        lossy: false,
        stdout: Excerpt::default(),
        stderr: Excerpt::default(),
    }
}

fn there<'a>(text: &'a str, sum: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("state", "file"),
        ("seen", sum),
        ("sha256", sum),
        ("text", text),
        ("mode", "640"),
        ("owner", "root"),
        ("uid", "0"),
        ("group", "adm"),
        ("gid", "4"),
    ]
}

#[test]
fn names_and_numbers_of_accounts_are_both_good() {
    let sum = digest("new\n");
    let finding = judge(&wanted(false), &report(&there("", &sum)), &Past::default());
    assert_eq!(finding.verdict, Verdict::Satisfied);
    assert_eq!(finding.outputs["sha256"], sum.as_str());
}

#[test]
fn a_text_that_did_not_arrive_whole_is_not_shown() {
    let finding = judge(
        &wanted(false),
        &report(&there("ol", &digest("old"))),
        &Past::default(),
    );
    let Verdict::Differs(reasons) = finding.verdict else {
        panic!("it differs")
    };
    assert_eq!(
        reasons,
        ["text differs; what is there is too large to be shown, or is not text"]
    );
}

#[test]
fn a_digest_of_a_secret_is_kept_nowhere() {
    let sum = digest("old");
    let mut records = there("", &sum);
    records[1] = ("seen", "inode 7");
    let finding = judge(&wanted(true), &report(&records), &Past::default());
    assert!(
        !format!(
            "{:?}{:?}{:?}",
            finding.verdict, finding.outputs, finding.before
        )
        .contains(&sum)
    );
}

/// What a later controller swaps against is what an earlier one has journaled.
#[test]
fn the_version_that_was_looked_at_is_journaled() {
    let host = HostName::control();
    let attempt = AttemptId::new("a1").unwrap();
    let node = NodeIx(0);
    let opened = || Event::Opened {
        controller: Controller {
            host: "h".into(),
            pid: 1,
            user: "u".into(),
            engine: "0".into(),
        },
    };
    let finding = judge(
        &wanted(false),
        &report(&[("state", "absent"), ("seen", "absent")]),
        &Past::default(),
    );
    assert_eq!(finding.outputs["existed"], false);
    let events = [
        Event::RunCreated {
            run: RunId::new("r1").unwrap(),
            runbook: "r".into(),
            plan: "p".into(),
            nodes: vec![NodeSummary {
                id: "s@control".into(),
                phase: "p".into(),
                host: Some(host.clone()),
            }],
        },
        opened(),
        Event::Looking {
            node,
            purpose: Purpose::Before,
        },
        Event::Looked {
            node,
            verdict: finding.verdict,
            outputs: finding.outputs,
        },
        Event::Dispatched {
            unit: attempt.clone(),
            instances: vec![Intent {
                node,
                attempt,
                number: 1,
                before: finding.before,
            }],
            host,
            boot: "b".into(),
        },
        opened(),
    ];
    let mut state = RunState::default();
    for (seq, event) in (1..).zip(events) {
        let event = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
        state
            .apply(&Record {
                seq,
                epoch: Epoch(1),
                at: 0,
                event,
            })
            .unwrap();
    }
    let past = Past::of(state.node(node));
    assert_eq!(
        past,
        Past {
            seen: Some("absent".to_owned()),
            existed: Some(false)
        }
    );
    // After the swap it is there, and was not before.
    let sum = digest("new\n");
    let after = judge(&wanted(false), &report(&there("", &sum)), &past);
    assert_eq!(after.outputs["existed"], false);
}
