//! The registry is closed at its load balancer from the freeze to the last word: what clients see of it, who
//! decides, and when nobody may decide any more.

use runbook_model::{Event, Millis, Outcome};
use runbook_tests::client::{Client, Door, Request};
use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::Operator;
use serde_json::Value;

use crate::{PROOF, assert_all_serve, assert_says, assert_upgraded, date};

/// After the load balancer took its order a request that had begun before may still fail.
const GRACE: Millis = 500;

/// When a step began to have its effect, and when it ended.
fn span(operator: &Operator, node: &str) -> (Millis, Millis) {
    let seen = operator.seen();
    let at = seen.plan.node(node).expect("it is in the plan");
    let records = &seen.journal.records;
    let begun = records.iter().find(|record| match &record.event {
        Event::Dispatched { instances, .. } => instances.iter().any(|i| i.node == at),
        _ => false,
    });
    let ended = records.iter().find(|record| match &record.event {
        Event::Finished { node, outcome, .. } => *node == at && *outcome == Outcome::Changed,
        _ => false,
    });
    let at = |record: Option<&runbook_model::Record>| record.expect("it was changed").at;
    (at(begun), at(ended))
}

#[test]
fn clients_are_cut_off_from_the_freeze_to_the_last_word_and_never_else() {
    let lab = Lab::fresh();
    let operator = Operator::of_upgrade(&lab);
    let client = Client::start(Door::of(&lab, "db01"));
    operator.run().ends_with(0);
    let told = client.end();
    assert_upgraded(&lab, &operator);

    let (freeze, unfreeze) = (
        span(&operator, "freeze@db01"),
        span(&operator, "unfreeze@db01"),
    );
    let is_wrong = |r: &&Request| match r.served {
        true => r.begun > freeze.1 && r.over < unfreeze.0,
        false => r.over < freeze.0 || r.begun > unfreeze.1 + GRACE,
    };
    let wrong: Vec<_> = told.iter().filter(is_wrong).collect();
    assert!(
        wrong.is_empty(),
        "freeze {freeze:?}, unfreeze {unfreeze:?}: {wrong:?}"
    );
    let refused: Vec<_> = told.iter().filter(|r| !r.served).collect();
    assert!(refused.len() > 10, "{told:?}");
    assert!(told.first().is_some_and(|r| r.served));
    assert!(told.last().is_some_and(|r| r.served));

    // What the run says of it is what the client has seen.
    let (first, last) = (refused[0].begun, refused[refused.len() - 1].over);
    let seen = (last - first) / 1000;
    let measured = |outages: &Value| {
        let [outage] = outages.as_array().expect("a list").as_slice() else {
            panic!("not one outage: {outages}");
        };
        assert_eq!(outage["begun_by"], "freeze");
        assert_eq!(outage["ended_by"], "unfreeze");
        let seconds = outage["seconds"].as_i64().expect("it is measured");
        assert!((seconds - seen).abs() <= 4, "{outage}, seen {seen} s");
        outage.clone()
    };
    let status = operator.status();
    let outage = measured(&status["outages"]);
    let record = operator.record();
    assert_eq!(measured(&record["outages"]), outage);
    let approvals = record["answers"].as_array().expect("a list");
    assert_eq!(approvals.len(), 4, "{approvals:?}");
    assert_eq!(record["steps"]["restore_proof"]["minutes"], 12);
    // Each node was pushed to, and each push was another one.
    let pushed = record["steps"]["smoke_direct"].as_object();
    let pushed = pushed
        .expect("a map")
        .values()
        .map(|of| of["digest"].to_string());
    let pushed: std::collections::BTreeSet<_> = pushed.collect();
    assert_eq!(pushed.len(), NODES.len(), "{pushed:?}");
    assert!(pushed.iter().all(|digest| digest.contains("sha256:")));
}

#[test]
fn two_people_approve_who_are_not_the_one_who_runs_it() {
    let lab = Lab::fresh();
    let operator =
        Operator::of_upgrade(&lab).with_inputs(&[("approvers", "2"), ("not_runner", "true")]);
    let mut night = operator.run();
    night.terminal.answer("restore_proof@control", PROOF);
    night.terminal.wait_for("approve@control asks:");
    let id = operator.runs()[0].to_string();
    let says = |by: &str, gate: &str, words: &[&str]| {
        let mut args = vec!["approve", id.as_str(), gate, "--by", by];
        args.extend(words);
        let args: Vec<std::ffi::OsString> = args.into_iter().map(Into::into).collect();
        operator.alone(&args)
    };
    // Whoever runs it may say yes as often as they like.
    night.terminal.wait_for("no to stop: ");
    night.terminal.send("yes\n");
    night.terminal.wait_for("2 people must agree; nobody yet");
    let ada = says("ada", "approve", &["--say", "yes"]);
    assert!(ada.status.success(), "{ada:?}");
    let again = says("ada", "approve", &["--say", "yes"]);
    assert!(again.status.success(), "{again:?}");
    assert_all_serve(&lab);
    let bob = says("bob", "approve", &["--say", "yes"]);
    assert!(bob.status.success(), "{bob:?}");
    night.terminal.wait_for("approve_rest@control asks:");
    let go = says("bob", "approve_rest", &["--say", "go"]);
    assert!(go.status.success(), "{go:?}");
    night.terminal.wait_for("last_word@control asks:");
    let wrong = says("cy", "last_word", &["--word", "close"]);
    assert!(!wrong.status.success(), "{wrong:?}");
    let word = says("cy", "last_word", &["--word", "open"]);
    assert!(word.status.success(), "{word:?}");
    night.ends_with(0);
    assert_upgraded(&lab, &operator);
    let record = operator.record();
    let by = |gate: &str| {
        let all = record["answers"].as_array().expect("a list");
        let found = all.iter().find(|answer| answer["gate"] == gate);
        found.expect("it was answered")["by"].to_string()
    };
    let approved = by("approve@control");
    assert!(
        approved.contains("ada") && approved.contains("bob"),
        "{approved}"
    );
    assert!(by("last_word@control").contains("cy"));
}

#[test]
fn outside_of_its_window_nothing_is_closed() {
    let lab = Lab::fresh();
    for (opens, says) in [
        ("-3 hours", "nobody had decided by"),
        ("+30 minutes", "the window opens at"),
    ] {
        let window = format!(
            "{{ opens: {}, no_return_before: {}, closes: {} }}",
            date(opens),
            date("+1 hour"),
            date("+2 hours")
        );
        let operator = Operator::of_upgrade(&lab).with_inputs(&[("window", &window)]);
        let mut night = operator.run();
        let ended = night.end();
        assert_ne!(ended.code, Some(0), "{opens}");
        assert_says(&ended.text, &[says, "clients are served"]);
        assert_all_serve(&lab);
        assert!(Door::of(&lab, "db01").ask().served);
        let id = operator.runs()[0].to_string();
        let words = ["abandon", &id, "--reason", "too late", "--confirm", &id];
        let ended = operator.alone(&words.map(Into::into));
        assert!(ended.status.success(), "{ended:?}");
    }
}
