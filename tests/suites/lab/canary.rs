//! A secret that steps print in every way, on real hosts: it is found nowhere, here nor there.

use std::fmt::Write as _;

use runbook_tests::canary::{CANARY, Canary, Sampler, assert_clean, assert_clean_files, needles};
use runbook_tests::lab::{Lab, NODES};

/// What the step would make on the hosts.
const MADE: &str = "/var/tmp/canary-made";
/// Where the needles lie on a host, and what a look at its processes has found.
const NEEDLES: &str = "/dev/shm/canary-needles";
const HITS: &str = "/dev/shm/canary-hits";
/// Where programs of a host leave files.
const PLACES: &str = "/root /home /tmp /var/tmp /var/log /var/lib/runbook /dev/shm /run/user";

/// Looks at all processes of a host until it is told to stop.
fn watch(lab: &Lab, host: &str) {
    // One needle a line, as octal digits: nothing of it is in a list of processes.
    let lines: Vec<String> = needles().iter().map(|needle| octal(needle)).collect();
    lab.on(host, &format!("rm -f {HITS} {MADE}; : >{NEEDLES}"));
    for part in lines.chunks(60) {
        lab.on(
            host,
            &format!("printf '%b\\n' {} >>{NEEDLES}", part.join(" ")),
        );
    }
    // Or nothing would be proved: each line of the canary is found by them.
    let words = octal(CANARY.as_bytes());
    let found = format!("printf '%b\\n' {words} | grep -caF -f {NEEDLES}");
    assert_eq!(lab.on(host, &found).trim(), "2");
    lab.on(
        host,
        &format!(
            "setsid sh -c 'while [ -e {NEEDLES} ]; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | \
             tr \"\\\\0\" \"\\\\n\" | grep -aF -f {NEEDLES} >>{HITS}; done' </dev/null >/dev/null 2>&1 &"
        ),
    );
}

/// A word of `printf %b`.
fn octal(bytes: &[u8]) -> String {
    let mut word = "'".to_owned();
    for byte in bytes {
        let _ = write!(word, "\\0{byte:03o}");
    }
    word + "'"
}

/// Stops looking; what the processes and the files of a host have shown.
fn seen(lab: &Lab, host: &str) -> String {
    let files = format!(
        "mv {NEEDLES} /root/.canary-needles; sleep 1; cat {HITS}; grep -raslF -f /root/.canary-needles {PLACES} \
         --exclude=.canary-needles --exclude=canary-hits; rm -f /root/.canary-needles {HITS} {MADE}; true"
    );
    lab.on(host, &files)
}

#[test]
fn a_canary_is_nowhere() {
    let lab = Lab::fresh();
    for ending in ["fine", "fail"] {
        let canary = Canary::new(Some(&lab.inventory), "quay", MADE, ending);
        for host in NODES {
            watch(&lab, host);
        }
        let sampler = Sampler::start();
        let plan = canary.operator.alone(&canary.args("plan"));
        let mut session = canary.operator.session(&canary.args("run"));
        let screen = session.end();
        let logs = canary
            .operator
            .alone(&["logs".into(), format!("leak@{}", NODES[0]).into()]);
        let processes = sampler.end();
        let there: Vec<String> = NODES.iter().map(|host| seen(&lab, host)).collect();

        assert_eq!(
            screen.code,
            Some(i32::from(ending == "fail")),
            "{}",
            screen.text
        );
        assert_clean("the plan", &plan.stdout);
        assert_clean("the errors of the plan", &plan.stderr);
        assert_clean("the screen", screen.text.as_bytes());
        assert_clean("a log", &logs.stdout);
        assert_clean_files(&canary.state());
        assert!(
            processes.is_empty(),
            "in the list of processes here: {processes:?}"
        );
        for (host, there) in NODES.iter().zip(there) {
            assert!(there.trim().is_empty(), "on {host}: {there}");
        }
        // Or nothing was proved.
        let text = String::from_utf8_lossy(&plan.stdout).into_owned();
        assert!(text.contains("(secret)"), "{text}");
        let text = String::from_utf8_lossy(&logs.stdout).into_owned();
        assert!(text.contains("****"), "{text}");
    }
}
