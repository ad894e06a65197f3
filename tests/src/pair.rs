//! Two hosts of the lab on which effects are counted, and what can befall them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use runbook_exec::store::Seen;
use runbook_model::{RunId, RunResult};

use crate::lab::Lab;
use crate::operator::Operator;
use crate::{proof, root};

/// Where effects are counted on a host, and nothing else is.
const PLACE: &str = "/var/tmp/twenty";
/// Where a host keeps what runs need.
const STATE: &str = "/var/lib/runbook";
/// What every host has in the end, beside the log.
const FILES: [&str; 4] = ["bulk", "effects", "entries", "settings"];
/// Steps whose effect stays.
const PLAIN: [&str; 6] = ["one", "two", "three", "slow", "rolled", "after"];
/// The effect that no check can tell of.
const BLIND: &str = "blind";
/// Released by a step, and at the end of the run.
const HELD: [&str; 2] = ["freeze", "flag"];
/// Bytes of the file that is copied: as many as make the copy last for a moment.
const BULK: usize = 24 << 20;
/// How long what a controller had on a host may outlive it: the connection has to notice.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two hosts.
#[derive(Debug)]
pub struct Pair<'a> {
    /// The lab that they are of.
    pub lab: &'a Lab,
    /// Their names.
    pub hosts: [&'static str; 2],
}

/// Which process of an attempt is killed.
#[derive(Debug, Clone, Copy)]
pub enum Victim {
    /// The script and all that it has started.
    Payload,
    /// What waits for the script.
    Wrapper,
    /// Both.
    Both,
}

/// What stands in the log of a host about one thing, in order: `+` and `-`.
type Signs = String;

impl Pair<'_> {
    /// Both hosts as new, and who runs the twenty seconds on them; `go` says whether they end well.
    #[must_use]
    pub fn operator(&self, go: bool) -> Operator {
        let script = format!(
            "for pid in $(pgrep -f '{STATE}[/]'); do kill -KILL \"$pid\" 2>/dev/null || true; done; \
             rm -rf {STATE} {PLACE} /dev/shm/runbook*; mkdir {PLACE}"
        );
        for host in self.hosts {
            self.lab.run(&["boot", host]);
            self.lab.run(&["heal", host]);
            self.lab.on(host, &script);
        }
        let folder = self.lab.inventory.parent();
        let folder = folder.expect("the inventory lies in the lab's directory");
        let [a, b] = self.hosts;
        let inventory = format!(
            "hosts: {{ {a}: {{}}, {b}: {{}} }}\ngroups:\n  pair: {{ hosts: [{a}, {b}] }}\n\
             connection: {{ user: operator, ssh_config: {}/ssh_config }}\nbecome: sudo\n",
            folder.display()
        );
        let mut operator =
            Operator::new(&root().join("tests/survive/twenty.yaml"), Path::new("none"));
        operator.inventory = operator.file("inventory.yaml", &inventory);
        let bulk = operator.file("bulk", &bulk());
        let inputs = format!("bulk: {}\ngo: {go}\n", bulk.display());
        operator.inputs = Some(operator.file("inputs.yaml", &inputs));
        operator
    }

    /// Whether the effect that no check can tell of is there: what a person would look for.
    #[must_use]
    pub fn has_blind(&self, host: &str) -> bool {
        signs(&self.log(host), BLIND) == "+"
    }

    /// Kills processes of an attempt; true if there were any.
    #[must_use]
    pub fn strike(&self, host: &str, run: &RunId, attempt: &str, victim: Victim) -> bool {
        let job = format!("{STATE}/runs/{run}/jobs/{attempt}");
        let (payload, wrapper) = match victim {
            Victim::Payload => (true, false),
            Victim::Wrapper => (false, true),
            Victim::Both => (true, true),
        };
        // Both are the first of a group of their own; who has ended already cannot be killed.
        let kill = |file: &str, wanted: bool| match wanted {
            true => format!(
                "if [ ! -e {job}/result ] && read -r pid born boot <{job}/{file} && \
                 [ \"$boot\" = \"$(cat /proc/sys/kernel/random/boot_id)\" ]; then \
                 kill -KILL -- \"-$pid\" && echo killed; fi; "
            ),
            false => String::new(),
        };
        let script = format!(
            "exec 2>/dev/null; {}{}true",
            kill("claim", wrapper),
            kill("pid", payload)
        );
        self.lab.on(host, &script).contains("killed")
    }

    /// What is wrong after a run that is over, in the journal and on both hosts; `hurt` says whether something
    /// else than controllers was killed.
    #[must_use]
    pub fn wrong(&self, operator: &Operator, seen: &Seen, hurt: bool) -> Vec<String> {
        let mut wrong = proof::of_attempts(&seen.plan, &seen.journal.records, &seen.state);
        let back = seen.state.result == Some(RunResult::RolledBack);
        for node in seen.state.nodes.iter().filter(|_| !back) {
            if !node.is_success() {
                wrong.push(format!("{} ended as {:?}", node.summary.id, node.outcome));
            }
        }
        let held = seen.state.held();
        wrong.extend(held.map(|(node, _)| {
            let id = &seen.state.nodes[node.at()].summary.id;
            format!("{id} is still held")
        }));
        let verified = operator.alone(&["journal".into(), "verify".into()]);
        if !verified.status.success() {
            let text = String::from_utf8_lossy(&verified.stdout);
            wrong.push(format!("journal verify: {text}"));
        }
        for host in self.hosts {
            let problems = match back {
                true => self.wrong_back(host),
                false => self.wrong_forward(operator, host),
            };
            let all = problems.into_iter().chain(self.left(host, hurt));
            wrong.extend(all.map(|problem| format!("{host}: {problem}")));
        }
        wrong
    }

    /// What a run that went well has not left as it should be.
    fn wrong_forward(&self, operator: &Operator, host: &str) -> Vec<String> {
        let mut wrong = log_forward(&self.log(host));
        let look = format!("cd {PLACE}; cat settings entries; sha256sum <bulk");
        let wanted = format!("node {host}\nport = 443\n{}", digest(operator));
        let found = self.lab.on(host, &look);
        if found != wanted {
            wrong.push(format!("files are:\n{found}should be:\n{wanted}"));
        }
        let more = self.files(host).into_iter();
        let more = more.filter(|name| !FILES.contains(&name.as_str()) && !is_stray(name));
        wrong.extend(more.map(|name| format!("there is a file {name}")));
        wrong
    }

    /// Files on both hosts that were to take the place of another one when a host lost its power, or the
    /// controller that copied them was killed.
    #[must_use]
    pub fn strays(&self) -> Vec<String> {
        let on = |host: &str| {
            let names = self.files(host).into_iter();
            let strays = names.filter(|name| is_stray(name));
            strays
                .map(|name| format!("{host}:{name}"))
                .collect::<Vec<_>>()
        };
        self.hosts.iter().flat_map(|host| on(host)).collect()
    }

    fn files(&self, host: &str) -> Vec<String> {
        let found = self.lab.on(host, &format!("ls -A {PLACE}"));
        found.lines().map(str::to_owned).collect()
    }

    /// What a run that was rolled back has not taken back.
    fn wrong_back(&self, host: &str) -> Vec<String> {
        let mut wrong = log_back(&self.log(host));
        // A copy has no undo; the log itself is the lab's.
        let more = self.files(host).into_iter();
        let more = more.filter(|file| !matches!(file.as_str(), "bulk" | "effects"));
        let more = more.filter(|file| !is_stray(file));
        wrong.extend(more.map(|file| format!("{file} was not taken back")));
        wrong
    }

    /// What was switched on a host.
    fn log(&self, host: &str) -> String {
        let command = format!("cat {PLACE}/effects 2>/dev/null || true");
        self.lab.on(host, &command)
    }

    /// What is left of a run on a host that should not be.
    fn left(&self, host: &str, hurt: bool) -> Vec<String> {
        // The fifo of who listened when a host lost its power goes when somebody listens there again.
        let fifos = if hurt { "" } else { "$d/watch" };
        // Nothing in the script's own text may match what it looks for.
        let script = format!(
            "d={STATE}; ls -d $d/lock $d/.lock* $d/guard* $d/.guard* /dev/shm/runbook* /run/runbook* 2>/dev/null; \
             find {fifos} $d/runs/*/undo -mindepth 1 2>/dev/null; \
             pgrep -af '{STATE}[/]'; pgrep -af 'umask 077; cd [/]; IFS'; true"
        );
        let begin = Instant::now();
        loop {
            let found = self.lab.on(host, &script);
            if found.is_empty() {
                return Vec::new();
            }
            if begin.elapsed() > PATIENCE {
                return found.lines().map(|line| format!("left: {line}")).collect();
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

/// Whether it was to take the place of another file.
fn is_stray(name: &str) -> bool {
    name.starts_with(".runbook.") || name.starts_with("bulk.rb")
}

/// What is wrong with the log of a run that went well.
fn log_forward(log: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut should = |name: &str, holds: &dyn Fn(&str) -> bool| {
        let signs = signs(log, name);
        if !holds(&signs) {
            wrong.push(format!("{name} was switched `{signs}`"));
        }
    };
    for name in PLAIN.iter().chain([&BLIND]) {
        should(name, &|signs| signs == "+");
    }
    should(HELD[0], &|signs| signs == "+-");
    // A failure releases it, and a resume takes it again.
    should(HELD[1], &|signs| alternates(signs) && signs.ends_with('-'));
    wrong
}

/// What is wrong with the log of a run that was rolled back, wherever it stood.
fn log_back(log: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for name in PLAIN.iter().chain(&HELD) {
        let signs = signs(log, name);
        let most = if PLAIN.contains(name) { 2 } else { usize::MAX };
        if !(alternates(&signs) && !signs.ends_with('+') && signs.len() <= most) {
            wrong.push(format!("{name} was switched `{signs}`"));
        }
    }
    // It has no undo.
    let signs = signs(log, BLIND);
    if signs.len() > 1 {
        wrong.push(format!("{BLIND} was switched `{signs}`"));
    }
    wrong
}

/// How something was switched.
fn signs(log: &str, name: &str) -> Signs {
    let lines = log.lines().filter_map(|line| line.split_once(' '));
    lines
        .filter(|(_, of)| *of == name)
        .map(|(sign, _)| sign)
        .collect()
}

/// On, off, on, …
fn alternates(signs: &str) -> bool {
    let wanted = "+-".chars().cycle();
    signs.chars().zip(wanted).all(|(is, should)| is == should)
}

/// Something to copy, which no compression makes small.
fn bulk() -> String {
    let mut chance = crate::chance::Chance::new(1);
    let mut text = String::with_capacity(BULK);
    while text.len() < BULK {
        text.push_str(&format!("{:016x}\n", chance.below(u64::MAX)));
    }
    text
}

/// The digest of what was copied, as `sha256sum` writes it.
fn digest(operator: &Operator) -> String {
    let inputs = operator.inputs.as_ref().expect("there are inputs");
    let file = fs::File::open(inputs.with_file_name("bulk")).expect("it was written");
    let summed = Command::new("sha256sum").stdin(file).output();
    String::from_utf8(summed.expect("the system has sha256sum").stdout).expect("it is text")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [&str; 11] = [
        "+ one", "+ two", "+ three", "+ freeze", "+ flag", "+ slow", "+ blind", "- freeze",
        "+ rolled", "+ after", "- flag",
    ];

    #[test]
    fn every_line_of_a_good_log_matters() {
        assert_eq!(log_forward(&GOOD.join("\n")), Vec::<String>::new());
        for (at, line) in GOOD.iter().enumerate() {
            let (mut less, mut twice) = (GOOD.to_vec(), GOOD.to_vec());
            less.remove(at);
            twice.insert(at, line);
            assert_ne!(log_forward(&less.join("\n")), Vec::<String>::new(), "{at}");
            assert_ne!(log_forward(&twice.join("\n")), Vec::<String>::new(), "{at}");
        }
        let again = format!("{}\n+ flag\n- flag", GOOD.join("\n"));
        assert_eq!(log_forward(&again), Vec::<String>::new());
    }

    #[test]
    fn what_is_taken_back_is_taken_back_once() {
        for good in [
            "",
            "+ one\n- one",
            "+ blind",
            "+ flag\n- flag\n+ flag\n- flag",
        ] {
            assert_eq!(log_back(good), Vec::<String>::new(), "{good}");
        }
        for bad in [
            "+ one",
            "- one",
            "+ one\n+ one\n- one",
            "+ one\n- one\n- one",
        ] {
            assert_ne!(log_back(bad), Vec::<String>::new(), "{bad}");
        }
        for bad in ["+ one\n- one\n+ one\n- one", "+ blind\n+ blind", "+ freeze"] {
            assert_ne!(log_back(bad), Vec::<String>::new(), "{bad}");
        }
    }
}
