//! A secret that a step prints in every way, on this machine: it is found nowhere.

use runbook_tests::canary::{Canary, Sampler, assert_clean, assert_clean_files, needles};

/// Where scripts on the controller keep what outlives a connection.
fn kept() -> Vec<std::path::PathBuf> {
    let home = std::env::var("HOME").unwrap_or_default();
    let state = std::env::var("XDG_STATE_HOME").unwrap_or(format!("{home}/.local/state"));
    vec![format!("{state}/runbook").into(), "/dev/shm".into()]
}

#[test]
fn a_canary_is_nowhere() {
    assert!(needles().len() > 200);
    let made = tempfile::tempdir().unwrap();
    for ending in ["fine", "fail", "status", "skip"] {
        let file = made.path().join(ending);
        let canary = Canary::new(None, "control", file.to_str().unwrap(), ending);
        let sampler = Sampler::start();
        let mut said = Vec::new();
        for command in ["check", "plan", "run"] {
            let output = canary.operator.alone(&canary.args(command));
            said.push((command.to_owned(), output));
            let mut json = canary.args(command);
            json.push("--json".into());
            if command == "plan" {
                said.push(("plan --json".to_owned(), canary.operator.alone(&json)));
            }
        }
        for words in [
            &["status"][..],
            &["status", "--json"],
            &["logs"],
            &["logs", "leak@control"],
            &["runs"],
        ] {
            let args: Vec<_> = words.iter().map(Into::into).collect();
            said.push((words.join(" "), canary.operator.alone(&args)));
        }
        let mut again = canary.args("run");
        again.push("--json".into());
        if ending == "fine" {
            std::fs::remove_file(&file).unwrap();
            said.push(("run --json".to_owned(), canary.operator.alone(&again)));
        }
        let processes = sampler.end();
        for (what, output) in &said {
            assert_clean(&format!("{ending}: {what}"), &output.stdout);
            assert_clean(&format!("{ending}: {what}, errors"), &output.stderr);
        }
        assert!(
            processes.is_empty(),
            "{ending}: in the list of processes: {processes:?}"
        );
        assert_clean_files(&canary.state());
        for dir in kept() {
            assert_clean_files(&dir);
        }
        // Or nothing was proved: it was printed, and taken out.
        let all: String = said
            .iter()
            .map(|(_, output)| String::from_utf8_lossy(&output.stdout).into_owned())
            .collect();
        assert!(all.contains("(secret)"), "{ending}: {all}");
        assert_eq!(all.contains("****"), ending != "skip", "{ending}: {all}");
    }
}

#[test]
fn a_canary_is_not_on_the_screen() {
    let made = tempfile::tempdir().unwrap();
    let file = made.path().join("made");
    let canary = Canary::new(None, "control", file.to_str().unwrap(), "fail");
    let mut session = canary.operator.session(&canary.args("run"));
    let ended = session.end();
    assert_eq!(ended.code, Some(1), "{}", ended.text);
    assert_clean("the screen", ended.text.as_bytes());
    assert!(ended.text.contains("(secret)"), "{}", ended.text);
}
