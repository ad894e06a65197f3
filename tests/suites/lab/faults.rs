//! What is broken before the upgrade is found while everything serves; what breaks later ends in
//! a card. When the cause is gone, `resume` goes on.

use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::Operator;
use runbook_tests::terminal::say;

use crate::{PROOF, assert_all_serve, assert_says, assert_upgraded};

/// Fails with this card while everything serves.
#[track_caller]
fn found(operator: &Operator, first: bool, code: i32, card: &[&str]) {
    let mut session = if first {
        operator.run()
    } else {
        operator.resume()
    };
    let text = session.ends_with(code);
    let id = operator.runs()[0].clone();
    let at = text
        .rfind(&format!("run {id} (quay-geo-upgrade) stopped"))
        .unwrap_or_else(|| panic!("there is no card:\n{text}"));
    assert_says(&text[at..], card);
    assert_says(
        &text[at..],
        &["clients are served", &format!("runbook resume {id}")],
    );
}

#[test]
fn hosts_that_cannot_be_used_are_found_before_anything_begins() {
    let lab = Lab::fresh();
    let operator = Operator::of_upgrade(&lab);
    lab.run(&["kill", "quay03"]);
    found(
        &operator,
        true,
        6,
        &["quay03 cannot be used", "cannot be used\n  quay03: "],
    );
    lab.run(&["boot", "quay03"]);
    // A container does not come back by itself after a power loss.
    lab.on("quay03", "podman start quay03");
    for (fault, host, cause) in [
        ("wrong-key", "quay02", "host key"),
        ("no-sudo", "quay01", "sudo"),
        ("sudo-password", "db01", "password"),
        ("requiretty", "quay03", "tty"),
    ] {
        say(fault);
        let broken = lab.fault(fault, host);
        found(
            &operator,
            false,
            6,
            &[
                &format!("{host} cannot be used"),
                &format!("\n  {host}: "),
                cause,
            ],
        );
        broken.off();
    }

    // Nobody approves for lack of a terminal, and a person may say no: nothing is stopped.
    let alone = operator.alone(&["resume".into()]);
    let text = String::from_utf8_lossy(&alone.stdout);
    assert_eq!(alone.status.code(), Some(3), "{text}");
    assert_says(&text, &["there is no terminal to ask at"]);
    let mut session = operator.resume();
    session.terminal.answer("restore_proof@control", PROOF);
    session.terminal.answer("approve@control", "no");
    let text = session.ends_with(3);
    assert_says(&text, &["a gate was not approved", "clients are served"]);
    let events = lab.events();
    assert!(
        events
            .iter()
            .all(|e| e.node == "quay03" && e.event != "stop"),
        "{}",
        lab.run(&["events"])
    );
    for node in NODES {
        assert!(
            lab.containers(node)
                .iter()
                .any(|c| c.name == node && c.status == "running"),
            "{node}"
        );
    }
}

#[test]
fn no_image_and_no_room_are_found_before_the_outage() {
    let lab = Lab::fresh();
    let operator = Operator::of_upgrade(&lab);
    let full = lab.fault("disk-full", "quay02");
    found(
        &operator,
        true,
        1,
        &["space@quay02 failed", "/var/lib/containers"],
    );
    full.off();
    let refuses = lab.fault("registry-refuses", "");
    found(&operator, false, 1, &["pull@quay", "registry.redhat.io"]);
    refuses.off();
    let full = lab.fault("disk-full", "db01");
    found(
        &operator,
        false,
        1,
        &["db_space@db01 failed", "/var/backups/quay"],
    );
    full.off();
    assert_all_serve(&lab);
    operator.resume().ends_with(0);
    assert_upgraded(&lab, &operator);
}

#[test]
fn a_first_node_that_is_never_healthy_stays_alone() {
    let lab = Lab::fresh();
    let healthy = "with: { <<: *healthy, log_free_of: [Traceback] }, until: { passes: 3, every: 5s, within: 15m, fatal: 'outputs.restarts > 0' } }
      - { step: others_silent";
    let shorter = healthy.replace("within: 15m", "within: 30s");
    let operator = Operator::of_upgrade(&lab).with(&[(healthy, &shorter)]);
    let broken = lab.fault("never-healthy", NODES[0]);
    let text = operator.run().ends_with(1);
    assert_says(
        &text,
        &[
            "healthy_first@quay01 failed",
            "clients are cut off",
            "rest (all",
            "runbook resume",
        ],
    );
    let started: Vec<_> = lab
        .events()
        .into_iter()
        .filter(|e| e.mode == "registry" && e.event == "start")
        .map(|e| e.node)
        .collect();
    assert_eq!(started, [NODES[0]], "{}", lab.run(&["events"]));
    broken.off();
    operator.resume().ends_with(0);
    assert_upgraded(&lab, &operator);
}
