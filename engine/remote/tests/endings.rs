//! How attempts end, in every shell: killed, cancelled, fenced, forgotten by a reboot.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::time::Duration;

use runbook_model::{Account, Epoch};
use runbook_remote::{Fault, JobState, Param, Verdict, Why};
use support::{Bench, LONG, body, dies, id, kill, lives};

support::in_every_shell!(
    a_killed_wrapper_is_told_from_a_killed_payload,
    a_timeout_ends_grandchildren,
    another_boot_is_seen,
    what_is_cancelled_first_never_starts,
    a_running_attempt_is_cancelled,
    a_torn_result_is_none,
    a_claim_without_payload_never_started,
    a_later_epoch_fences,
    what_was_printed_is_emptied_when_it_is_over
);

async fn what_was_printed_is_emptied_when_it_is_over(shell: &str) {
    let bench = Bench::new(shell).await;
    let go = bench.mark("go");
    let text = "echo hunter2; echo hunter2 >&2; output a hunter2; while [ ! -e \"$go\" ]; do sleep 0.1; done";
    let script = body(text).param("go", Param::Text(go.clone()));
    bench.host.start(&bench.job("a-1", script)).await.unwrap();
    running_pid(&bench, "a-1").await;
    let early = bench.host.wipe(&bench.run, &id("a-1")).await.unwrap_err();
    assert!(matches!(early.fault, Fault::Alive));
    std::fs::write(&go, "").unwrap();
    let state = bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap();
    assert!(matches!(state, JobState::Done { .. }));
    // A second time there is nothing to do.
    for _ in 0..2 {
        bench.host.wipe(&bench.run, &id("a-1")).await.unwrap();
    }
    for name in ["out", "err", "rec"] {
        let left = std::fs::read_to_string(bench.file("a-1", name)).unwrap();
        assert_eq!(left, "", "{name}");
    }
    assert_eq!(
        bench.host.state(&bench.run, &id("a-1")).await.unwrap(),
        state
    );
    bench.host.wipe(&bench.run, &id("a-2")).await.unwrap();
}

async fn running_pid(bench: &Bench, attempt: &str) -> String {
    let pid = bench.text(bench.file(attempt, "pid")).await;
    pid.split(' ').next().unwrap().to_owned()
}

async fn a_killed_wrapper_is_told_from_a_killed_payload(shell: &str) {
    let bench = Bench::new(shell).await;
    let go = bench.mark("go");
    let script =
        body("while [ ! -e \"$go\" ]; do sleep 0.1; done").param("go", Param::Text(go.clone()));
    bench.host.start(&bench.job("a-1", script)).await.unwrap();
    let payload = running_pid(&bench, "a-1").await;
    let wrapper = bench.text(bench.file("a-1", "claim")).await;
    kill("KILL", wrapper.split(' ').next().unwrap());
    dies(wrapper.split(' ').next().unwrap()).await;
    let orphaned = JobState::Orphaned {
        pid: payload.parse().unwrap(),
    };
    assert_eq!(
        bench.host.state(&bench.run, &id("a-1")).await.unwrap(),
        orphaned
    );
    assert!(matches!(
        bench
            .host
            .forget(&bench.run, &id("a-1"))
            .await
            .unwrap_err()
            .fault,
        Fault::Alive
    ));
    std::fs::write(&go, "").unwrap();
    assert_eq!(
        bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap(),
        JobState::LostKilled
    );
    bench.unwatched("a-1").await;
    let script = body("while :; do sleep 0.1; done");
    bench.host.start(&bench.job("a-3", script)).await.unwrap();
    kill("KILL", &running_pid(&bench, "a-3").await);
    assert_eq!(
        bench.host.wait(&bench.run, &id("a-3"), LONG).await.unwrap(),
        JobState::Done {
            status: 137,
            why: Why::Exit
        }
    );
}

async fn a_timeout_ends_grandchildren(shell: &str) {
    let bench = Bench::new(shell).await;
    let pids = bench.mark("pids");
    let text = "trap '' TERM; sh -c 'echo $$ >\"$1\"; trap \"\" TERM; while :; do sleep 1; done' x \"$pids\" & wait; sleep 300";
    let mut job = bench.job("a-1", body(text).param("pids", Param::Text(pids.clone())));
    job.timeout = Some(Duration::from_millis(900));
    bench.host.start(&job).await.unwrap();
    let state = bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap();
    assert!(
        matches!(
            state,
            JobState::Done {
                why: Why::Timeout,
                ..
            }
        ),
        "{state:?}"
    );
    dies(&std::fs::read_to_string(pids).unwrap()).await;
    let ended = bench.host.collect(&bench.run, &id("a-1")).await.unwrap();
    assert!(ended.report.timed_out);
}

async fn another_boot_is_seen(shell: &str) {
    let bench = Bench::new(shell).await;
    let mut job = bench.job("a-1", body("while :; do sleep 0.1; done"));
    bench.host.start(&job).await.unwrap();
    let payload = running_pid(&bench, "a-1").await;
    let claim = bench.text(bench.file("a-1", "claim")).await;
    let mut words: Vec<&str> = claim.split_whitespace().collect();
    words[2] = "00000000-0000-4000-8000-000000000000";
    std::fs::write(bench.file("a-1", "claim"), words.join(" ") + "\n").unwrap();
    assert_eq!(
        bench.host.state(&bench.run, &id("a-1")).await.unwrap(),
        JobState::LostReboot
    );
    kill("KILL", &format!("-{payload}"));
    job.attempt = id("a-2");
    job.boot_id = words[2].to_owned();
    let fault = bench.host.start(&job).await.unwrap_err().fault;
    assert_eq!(fault, Fault::Rebooted(bench.host.hello().boot_id.clone()));
    assert_eq!(
        bench.host.state(&bench.run, &id("a-2")).await.unwrap(),
        JobState::Absent
    );
}

async fn what_is_cancelled_first_never_starts(shell: &str) {
    let bench = Bench::new(shell).await;
    let mark = bench.mark("mark");
    let cancelled = bench
        .host
        .cancel(&bench.run, &id("a-1"), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(cancelled, JobState::Aborted);
    let job = bench.job(
        "a-1",
        body(">\"$mark\"").param("mark", Param::Text(mark.clone())),
    );
    assert_eq!(bench.host.start(&job).await.unwrap(), JobState::Aborted);
    // something that does run, so that the other one had the time to
    bench
        .host
        .start(&bench.job("a-2", body("sleep 0.3")))
        .await
        .unwrap();
    bench.host.wait(&bench.run, &id("a-2"), LONG).await.unwrap();
    assert_eq!(
        bench.host.state(&bench.run, &id("a-1")).await.unwrap(),
        JobState::Aborted
    );
    assert!(!std::path::Path::new(&mark).exists());
}

async fn a_running_attempt_is_cancelled(shell: &str) {
    let bench = Bench::new(shell).await;
    bench
        .host
        .start(&bench.job("a-1", body("sleep 300")))
        .await
        .unwrap();
    let payload = running_pid(&bench, "a-1").await;
    let state = bench
        .host
        .cancel(&bench.run, &id("a-1"), LONG)
        .await
        .unwrap();
    assert_eq!(
        state,
        JobState::Done {
            status: 143,
            why: Why::Cancel
        }
    );
    assert!(!lives(&payload));
    // one that does not want to
    bench
        .host
        .start(&bench.job(
            "a-2",
            body("trap '' TERM; echo ready; while :; do sleep 1; done"),
        ))
        .await
        .unwrap();
    bench.text(bench.file("a-2", "out")).await;
    let state = bench
        .host
        .cancel(&bench.run, &id("a-2"), Duration::from_millis(200))
        .await
        .unwrap();
    assert_eq!(
        state,
        JobState::Done {
            status: 137,
            why: Why::Cancel
        }
    );
    let ended = bench.host.collect(&bench.run, &id("a-2")).await.unwrap();
    assert_eq!(
        ended.report.verdict,
        Verdict::Failed("was cancelled".into())
    );
}

async fn a_torn_result_is_none(shell: &str) {
    let bench = Bench::new(shell).await;
    bench
        .host
        .start(&bench.job("a-1", body("true")))
        .await
        .unwrap();
    bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap();
    let result = bench.file("a-1", "result");
    assert!(
        std::fs::read_to_string(&result)
            .unwrap()
            .starts_with("rb1 0 exit end\n")
    );
    // the wrapper may still be telling those who wait
    let claim = std::fs::read_to_string(bench.file("a-1", "claim")).unwrap();
    dies(claim.split(' ').next().unwrap()).await;
    for torn in [
        "",
        "rb1",
        "rb1 0",
        "rb1 0 exit",
        "rb1 0 exit en",
        "reserved",
    ] {
        std::fs::write(&result, torn).unwrap();
        assert_eq!(
            bench.host.state(&bench.run, &id("a-1")).await.unwrap(),
            JobState::LostKilled,
            "{torn:?}"
        );
    }
}

async fn a_claim_without_payload_never_started(shell: &str) {
    let bench = Bench::new(shell).await;
    std::fs::create_dir_all(bench.file("a-1", "")).unwrap();
    let boot = bench.host.hello().boot_id.clone();
    std::fs::write(
        bench.file("a-1", "claim"),
        format!("{} 1 {boot}\n", std::process::id()),
    )
    .unwrap();
    assert_eq!(
        bench.host.state(&bench.run, &id("a-1")).await.unwrap(),
        JobState::LostBeforeStart
    );
    // from now on a payload that was only slow cannot start either: its place is taken
    assert!(
        std::fs::read_to_string(bench.file("a-1", "pid"))
            .unwrap()
            .starts_with("never")
    );
    assert_eq!(
        bench.host.state(&bench.run, &id("a-1")).await.unwrap(),
        JobState::LostBeforeStart
    );
}

async fn a_later_epoch_fences(shell: &str) {
    let bench = Bench::new(shell).await;
    let mark = bench.mark("mark");
    let job = bench.job(
        "a-1",
        body("echo x >>\"$mark\"").param("mark", Param::Text(mark.clone())),
    );
    bench.host.start(&job).await.unwrap();
    bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap();
    // an attempt that the old controller prepared, and whose launch is late
    std::fs::create_dir_all(bench.file("a-2", "")).unwrap();
    for name in ["run", "limit", "out", "err", "rec"] {
        std::fs::copy(bench.file("a-1", name), bench.file("a-2", name)).unwrap();
    }
    std::fs::copy(bench.file("a-1", "result"), bench.file("a-2", ".result")).unwrap();
    let later = bench.host.as_account(&Account::Login).await.unwrap();
    later.ready(&bench.run, Epoch(2)).await.unwrap();
    let state = bench.mark("state");
    let library = std::fs::read_dir(format!("{state}/lib"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut words = support::shell(shell, &bench.dir.path().join("again"));
    words.push_str(&format!(
        " {} sh {state} wrap {} a-2",
        library.display(),
        bench.run
    ));
    let mut words = words.split(' ');
    assert!(
        std::process::Command::new(words.next().unwrap())
            .args(words)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(
        later.state(&bench.run, &id("a-2")).await.unwrap(),
        JobState::LostBeforeStart
    );
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), "x\n");
    // and everything else that the old controller could do
    let again = bench.job("a-3", body("true"));
    assert_eq!(
        bench.host.start(&again).await.unwrap_err().fault,
        Fault::Fenced(2)
    );
    assert_eq!(
        bench
            .host
            .ready(&bench.run, Epoch(1))
            .await
            .unwrap_err()
            .fault,
        Fault::Fenced(2)
    );
    assert_eq!(
        bench
            .host
            .cancel(&bench.run, &id("a-1"), LONG)
            .await
            .unwrap_err()
            .fault,
        Fault::Fenced(2)
    );
    assert_eq!(
        bench
            .host
            .forget(&bench.run, &id("a-1"))
            .await
            .unwrap_err()
            .fault,
        Fault::Fenced(2)
    );
    // not made ready at all
    let mut other = bench.job("a-4", body("true"));
    other.run = runbook_model::RunId::new("run2").unwrap();
    assert_eq!(
        bench.host.start(&other).await.unwrap_err().fault,
        Fault::NotReady
    );
}
