//! What is refused: a second run beside an unfinished one, a host under two names, and going on
//! while something that the run has stopped is there again.

use runbook_model::Event;
use runbook_tests::lab::Lab;
use runbook_tests::operator::{Operator, replaced};
use runbook_tests::proof;

use crate::{assert_all_serve, assert_says};

#[test]
fn an_old_container_that_came_back_is_found_before_anything_migrates() {
    let lab = Lab::fresh();
    let operator = Operator::of_upgrade(&lab);
    let mut night = operator.run();
    let mut stopped = 0;
    night.until("all nodes are stopped", |record, node| {
        let is_stop = matches!(&record.event, Event::Finished { outcome, .. } if outcome.is_success()) && node.starts_with("stop@");
        stopped += usize::from(is_stop);
        stopped == 3
    });

    // Beside a run that a controller has, and beside one whose controller is gone.
    let id = operator.runs()[0].clone();
    for killed in [false, true] {
        if killed {
            night.terminal.kill();
        }
        let second = operator.run_alone();
        let text = String::from_utf8_lossy(&second.stderr);
        assert_eq!(second.status.code(), Some(5), "{text}");
        assert_says(&text, &[id.as_str()]);
        if killed {
            assert_says(&text, &[&format!("runbook resume {id}")]);
        }
    }
    assert_eq!(operator.runs().len(), 1, "a refused run leaves nothing");

    let old = lab.fault("old-container", "quay03");
    let by_hand = lab
        .containers("quay03")
        .into_iter()
        .find(|c| c.name == "old-by-hand")
        .unwrap();
    let text = operator.resume().ends_with(1);
    assert_says(
        &text,
        &[
            "none_runs@quay03 failed",
            "old-by-hand",
            &format!("runbook resume {id}"),
        ],
    );
    let done = |event: &str| {
        lab.events()
            .iter()
            .any(|e| e.version == "v3.8.0" || e.event == event)
    };
    assert!(!done("migrate_begin"), "{}", lab.run(&["events"]));

    old.off();
    operator.resume().ends_with(0);
    let seen = operator.seen();
    let mut wrong = proof::of_journal(&seen.plan, &seen.journal.records, &seen.state);
    let mut events = lab.events();
    events.retain(|event| !by_hand.id.starts_with(&event.container));
    wrong.extend(proof::of_database(&events));
    wrong.extend(proof::of_containers(&lab));
    assert!(
        wrong.is_empty(),
        "{}\n{}",
        wrong.join("\n"),
        lab.run(&["events"])
    );
}

#[test]
fn one_machine_under_two_names_is_refused() {
    let lab = Lab::fresh();
    let mut operator = Operator::of_upgrade(&lab);
    let text = std::fs::read_to_string(&lab.inventory).unwrap();
    let line = |host: &str| {
        text.lines()
            .find(|line| line.trim_start().starts_with(&format!("{host}:")))
            .unwrap()
    };
    let address = |host: &str| {
        let rest = line(host).split_once("address: ").unwrap().1;
        rest.split(',').next().unwrap().to_owned()
    };
    let twin = line("quay03").replace(&address("quay03"), &address("quay02"));
    operator.inventory = operator.file(
        "twins.yaml",
        &replaced(text.clone(), &[(line("quay03"), &twin)]),
    );
    let refused = operator.run_alone();
    let text = String::from_utf8_lossy(&refused.stdout);
    assert_eq!(refused.status.code(), Some(6), "{text}");
    let both = text
        .lines()
        .any(|line| line.contains("quay02") && line.contains("quay03") && line.contains("machine"));
    assert!(both, "no line names both hosts:\n{text}");
    assert_all_serve(&lab);
}
