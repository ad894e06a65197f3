//! Two runs that share hosts begin at the same time, from two state directories that know nothing of each other: one has
//! the locks of all its hosts, the other is told who that is, and holds nothing.
//!
//! `RUNBOOK_ROUNDS` is how often (3).

use std::process::{Command, Output};
use std::sync::mpsc;
use std::time::Instant;

use runbook_tests::chance::number;
use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::Operator;
use runbook_tests::root;
use runbook_tests::terminal::{DEADLINE, say};

use super::assert_says;

/// Rounds, if nobody says how many.
const ROUNDS: u64 = 3;
/// Where effects are counted.
const PATH: &str = "/var/tmp/survive-overlap";
/// How long an effect takes: so long the hosts are looked at.
const SECONDS: u32 = 8;
/// What each of the two appends.
const LINES: [&str; 2] = ["first", "second"];

/// Hosts of both: the first ones are one within the other, the second ones share only what both lock last.
const SHARED: [[&[&str]; 2]; 2] = [
    [&NODES, &["quay02", "quay03"]],
    [&["quay01", "quay03"], &["quay02", "quay03"]],
];

/// Who has this effect on these hosts.
pub(super) fn operator(lab: &Lab, hosts: &[&str], line: &str, seconds: u32) -> Operator {
    let folder = lab.inventory.parent();
    let folder = folder.expect("the inventory lies in the lab's directory");
    inventory(
        &format!("{}/ssh_config", folder.display()),
        hosts,
        line,
        seconds,
    )
}

/// The same, by another configuration of ssh.
pub(super) fn inventory(ssh_config: &str, hosts: &[&str], line: &str, seconds: u32) -> Operator {
    let file = root().join("tests/survive/overlap.yaml");
    let mut operator = Operator::new(&file, &file);
    operator.inventory = operator.file("inventory.yaml", &inventory_text(ssh_config, hosts));
    let inputs = format!("path: {PATH}\nline: {line}\nseconds: {seconds}\n");
    operator.inputs = Some(operator.file("inputs.yaml", &inputs));
    operator
}

/// An inventory of these hosts.
pub(super) fn inventory_text(ssh_config: &str, hosts: &[&str]) -> String {
    let each: Vec<_> = hosts.iter().map(|host| format!("{host}: {{}}")).collect();
    format!(
        "hosts: {{ {} }}\ngroups:\n  quay: {{ hosts: [{}] }}\nconnection: {{ user: operator, ssh_config: {ssh_config} \
         }}\nbecome: sudo\n",
        each.join(", "),
        hosts.join(", ")
    )
}

/// What has the lock of a host.
pub(super) fn lock(lab: &Lab, host: &str) -> String {
    lab.on(host, "cat /var/lib/runbook/lock 2>/dev/null || true")
}

/// What was counted on a host, sorted.
pub(super) fn counted(lab: &Lab, host: &str, path: &str) -> Vec<String> {
    let text = lab.on(host, &format!("sort {path} 2>/dev/null || true"));
    text.lines().map(str::to_owned).collect()
}

/// What a command wrote, in one line.
pub(super) fn said(output: &Output) -> String {
    let text = [&output.stderr, &output.stdout].map(|out| String::from_utf8_lossy(out));
    let words: Vec<_> = text
        .iter()
        .flat_map(|text| text.split_whitespace())
        .collect();
    words.join(" ")
}

/// What is told of whoever has this lock.
fn told(lock: &str) -> String {
    let mut words = lock.trim_end().splitn(4, ' ');
    let mut word = || words.next().expect("a lock has four words");
    let (run, _, since, who) = (word(), word(), word(), word());
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("Linux has it");
    assert!(who.ends_with(&format!(" on {}", name.trim())), "{who}");
    let since = Command::new("date")
        .args(["-u", "-d", &format!("@{since}"), "+%FT%TZ"])
        .output();
    let since = String::from_utf8(since.expect("it is there").stdout).expect("it is a time");
    format!(
        "the run `{run}` has the lock of this host ({who}, since {})",
        since.trim()
    )
}

#[test]
fn of_two_runs_that_begin_at_once_one_has_all_its_hosts_and_the_other_none() {
    let lab = Lab::fresh();
    let mut wins = [0; 2];
    for round in 0..number("RUNBOOK_ROUNDS").unwrap_or(ROUNDS) {
        let sets = SHARED[usize::from(round % 2 == 1)];
        wins[at_once(&lab, sets)] += 1;
    }
    say(&format!(
        "  the first had its hosts {} times, the second {} times",
        wins[0], wins[1]
    ));
}

/// Has both begin at once; who had its hosts.
fn at_once(lab: &Lab, sets: [&[&str]; 2]) -> usize {
    for node in NODES {
        lab.on(node, &format!("rm -f {PATH}"));
    }
    let both = [0, 1].map(|at| operator(lab, sets[at], LINES[at], SECONDS));
    let winner = std::thread::scope(|scope| {
        let (ended, end) = mpsc::channel();
        for (at, operator) in both.iter().enumerate() {
            let ended = ended.clone();
            scope.spawn(move || ended.send((at, operator.run_alone())));
        }
        let (loser, refused) = end.recv_timeout(DEADLINE).expect("nobody waits for ever");
        let (winner, text) = (1 - loser, said(&refused));
        assert_eq!(refused.status.code(), Some(6), "{text}");
        let run = both[winner].runs()[0].to_string();
        // While the other one has its hosts: at once, before it ends.
        let looked = NODES
            .map(|node| scope.spawn(move || (node, lock(lab, node), counted(lab, node, PATH))));
        let looked = looked.map(|look| look.join().expect("every host answers"));
        let holds = |held: &str| held.starts_with(&format!("{run} "));
        for (node, held, lines) in &looked {
            let wanted = sets[winner].contains(node);
            assert_eq!(holds(held), wanted, "{node}: {held}");
            assert_eq!(held.is_empty(), !wanted, "{node}: {held}");
            assert!(
                !lines.contains(&LINES[loser].to_owned()),
                "{node}: {lines:?}"
            );
        }
        let mut held = looked
            .iter()
            .map(|(_, held, _)| held)
            .filter(|held| holds(held));
        assert!(held.any(|held| text.contains(&told(held))), "{text}");
        let (_, done) = end.recv_timeout(DEADLINE).expect("nobody waits for ever");
        assert_eq!(done.status.code(), Some(0), "{}", said(&done));
        winner
    });
    let loser = 1 - winner;
    let begun = Instant::now();
    let through = both[loser].run_alone();
    assert_eq!(through.status.code(), Some(0), "{}", said(&through));
    assert!(begun.elapsed() < DEADLINE);
    for node in NODES {
        let mine = |at: &usize| sets[*at].contains(&node);
        let wanted: Vec<_> = [0, 1]
            .into_iter()
            .filter(mine)
            .map(|at| LINES[at])
            .collect();
        assert_eq!(counted(lab, node, PATH), wanted, "{node}");
        assert_eq!(lock(lab, node), "", "{node}");
    }
    assert_says(&said(&through), &["succeeded"]);
    winner
}
