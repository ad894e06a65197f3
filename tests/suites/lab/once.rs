//! Effects are counted on the hosts: whatever breaks meanwhile, each is there once, or a person was
//! asked.

use std::time::Duration;

use runbook_model::{Event, FailureKind, Outcome, Record};
use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::Operator;
use runbook_tests::root;

use super::assert_says;

/// The effects that every node has in the end.
const EFFECTS: [&str; 5] = ["one", "two", "long", "three", "four"];
/// Where they are counted.
const PATH: &str = "/var/tmp/survive-effects";
/// How long the cable is out.
const CUT: Duration = Duration::from_secs(60);

/// Who runs the counted effects, with these seconds for the long one and the blind one.
fn operator(lab: &Lab, long: u32, blind: u32) -> Operator {
    for node in NODES {
        lab.on(node, &format!("rm -f {PATH} {PATH}.new"));
    }
    let mut operator = Operator::new(&root().join("tests/survive/survive.yaml"), &lab.inventory);
    operator.inputs =
        Some(operator.file("inputs.yaml", &format!("long: {long}\nblind: {blind}\n")));
    operator
}

/// What was counted on a host, sorted.
fn counted(lab: &Lab, host: &str) -> Vec<String> {
    let text = lab.on(host, &format!("sort {PATH} 2>/dev/null || true"));
    text.lines().map(str::to_owned).collect()
}

#[track_caller]
fn assert_once(lab: &Lab) {
    for node in NODES {
        let mut wanted: Vec<&str> = EFFECTS.to_vec();
        if node == NODES[0] {
            wanted.push("blind");
        }
        wanted.sort_unstable();
        assert_eq!(counted(lab, node), wanted, "{node}");
    }
}

/// Whether an attempt of this step has been launched.
fn is_launched(step: &'static str) -> impl FnMut(&Record, &str) -> bool {
    move |record, node| matches!(record.event, Event::Launched { .. }) && node.starts_with(step)
}

#[test]
fn a_link_that_is_out_for_a_minute_costs_only_time() {
    let lab = Lab::fresh();
    let operator = operator(&lab, 180, 0);
    let mut night = operator.run();
    night.until("the long effect runs", is_launched("long@quay01"));
    lab.run(&["cut", NODES[0]]);
    std::thread::sleep(CUT);
    lab.run(&["heal", NODES[0]]);
    night.ends_with(0);
    assert_once(&lab);
}

#[test]
fn a_run_goes_on_from_a_copy_and_the_old_controller_is_refused() {
    let lab = Lab::fresh();
    let operator = operator(&lab, 20, 0);
    let mut night = operator.run();
    night.until("the long effect runs", is_launched("long@quay02"));
    night.terminal.kill();
    let colleague = operator.copied();
    colleague.resume().ends_with(0);
    assert_once(&lab);
    let text = operator.resume().ends_with(6);
    assert_says(&text, &["cannot be used"]);
    assert_once(&lab);
}

#[test]
fn a_host_that_loses_its_power_is_asked_what_it_knows() {
    let lab = Lab::fresh();
    let operator = operator(&lab, 20, 0);
    let mut night = operator.run();
    night.until("the long effect runs", is_launched("long@quay03"));
    lab.run(&["kill", NODES[2]]);
    lab.run(&["boot", NODES[2]]);
    night.ends_with(0);
    assert_once(&lab);
}

#[test]
fn what_no_check_can_tell_is_asked_and_done_only_by_decision() {
    let lab = Lab::fresh();
    let operator = operator(&lab, 1, 20);
    let mut night = operator.run();
    night.until("the blind effect runs", is_launched("blind@quay01"));
    lab.run(&["kill", NODES[0]]);
    lab.run(&["boot", NODES[0]]);
    let text = night.ends_with(1);
    assert_says(&text, &["blind@quay01", "--retry", "--done"]);
    let failed = |operator: &Operator| {
        let seen = operator.seen();
        let node = seen.plan.node("blind@quay01").expect("it is in the plan");
        seen.state.nodes[node.at()].outcome.clone()
    };
    let in_doubt = |outcome: &Option<Outcome>| matches!(outcome, Some(Outcome::Failed(f)) if f.kind == FailureKind::InDoubt);
    assert!(in_doubt(&failed(&operator)), "{:?}", failed(&operator));
    // A resume alone decides nothing.
    operator.resume().ends_with(1);
    assert!(in_doubt(&failed(&operator)));
    assert!(!counted(&lab, NODES[0]).contains(&"blind".to_owned()));
    let args = [
        "resume",
        "--retry",
        "blind@quay01",
        "--reason",
        "the file has no such line",
    ];
    let ended = operator.alone(&args.map(Into::into));
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    assert_once(&lab);
}

#[test]
fn what_a_controller_leaves_that_is_killed_after_its_last_event_goes_with_a_resume() {
    let lab = Lab::fresh();
    let operator = operator(&lab, 0, 0);
    let mut night = operator.run();
    night.until("it is over", |record, _| {
        matches!(record.event, Event::Closed { .. })
    });
    night.terminal.kill();
    let ended = operator.alone(&["resume".into(), operator.runs()[0].as_str().into()]);
    assert!(ended.status.success(), "{ended:?}");
    for node in NODES {
        let left = lab.on(
            node,
            "cd /var/lib/runbook && ls -d lock runs/*/undo 2>/dev/null || true",
        );
        assert_eq!(left, "", "{node}");
    }
    assert_once(&lab);
}

#[test]
fn a_server_that_is_restarted_costs_nothing() {
    let lab = Lab::fresh();
    let operator = operator(&lab, 20, 0);
    let mut night = operator.run();
    night.until("the long effect runs", is_launched("long@quay01"));
    for node in NODES {
        lab.on(node, "systemctl restart ssh");
        lab.on(node, "pkill -f '[s]shd.*operator' || true");
    }
    night.ends_with(0);
    assert_once(&lab);
}

#[test]
fn sudo_that_is_refused_half_way_stops_the_run_and_nothing_is_lost() {
    let lab = Lab::fresh();
    let operator = operator(&lab, 15, 0);
    let mut night = operator.run();
    night.until("the long effect runs", is_launched("long@quay02"));
    let refuses = lab.fault("no-sudo", NODES[1]);
    lab.on(NODES[1], "pkill -f '[s]shd.*operator' || true");
    let ended = night.end();
    assert_ne!(ended.code, Some(0), "{}", ended.text);
    refuses.off();
    operator.resume().ends_with(0);
    assert_once(&lab);
}

#[test]
fn a_full_disk_stops_the_run_and_nothing_is_done_twice() {
    let lab = Lab::fresh();
    let operator = operator(&lab, 15, 0);
    // A disk of its own for what attempts write, so that nothing else on the host suffers.
    lab.on(NODES[2], "rm -rf /var/lib/runbook; mkdir -p /var/lib/runbook; mount -t tmpfs -o size=2m,mode=0700 none /var/lib/runbook");
    let mut night = operator.run();
    night.until("the long effect runs", is_launched("long@quay03"));
    lab.on(
        NODES[2],
        "head -c 4m /dev/zero >/var/lib/runbook/full 2>/dev/null || true",
    );
    let ended = night.end();
    lab.on(NODES[2], "rm /var/lib/runbook/full");
    // The result of what ran had its room already; whether the next step found any is not sure.
    if ended.code != Some(0) {
        operator.resume().ends_with(0);
    }
    lab.on(NODES[2], "umount /var/lib/runbook");
    assert_once(&lab);
}

/// Two controllers on one run, and two runs on one host.
#[test]
fn the_second_controller_and_the_second_run_are_told_who_is_there() {
    let lab = Lab::fresh();
    let operator = operator(&lab, 20, 0);
    let mut night = operator.run();
    night.until("the long effect runs", is_launched("long@quay01"));
    let second = operator.alone(&["resume".into(), operator.runs()[0].as_str().into()]);
    assert_eq!(second.status.code(), Some(5));
    assert_says(&String::from_utf8_lossy(&second.stderr), &["process"]);
    // Another operator, with a state directory of their own, on the same hosts.
    let mut other = Operator::new(&root().join("tests/survive/survive.yaml"), &lab.inventory);
    other.inputs = operator.inputs.clone();
    let refused = other.run_alone();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned()
        + &String::from_utf8_lossy(&refused.stdout);
    assert_eq!(refused.status.code(), Some(6), "{said}");
    assert_says(&said, &[operator.runs()[0].as_str()]);
    night.ends_with(0);
    assert_once(&lab);
    // The hosts are free now. What has no check is done by each run.
    assert_eq!(other.run_alone().status.code(), Some(0));
}
