//! Attempts in every shell that they are meant for: they run once, report truly, and leave no secret.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::time::Duration;

use runbook_model::Account;
use runbook_remote::{JobState, Offsets, Options, Param, Script, Verdict, Why};
use support::{Bench, LONG, body, id};

const EXIT_0: JobState = JobState::Done {
    status: 0,
    why: Why::Exit,
};

support::in_every_shell!(
    an_attempt_runs_and_reports,
    output_is_read_in_pieces,
    many_launches_are_one_execution,
    what_was_prepared_and_cut_is_not_launched,
    secrets_leave_no_trace,
    output_is_limited,
    waiting_hears_of_the_end
);

async fn an_attempt_runs_and_reports(shell: &str) {
    let bench = Bench::new(shell).await;
    let script =
        body("echo out; echo err >&2; output a \"$v\"; (differs 'from a subshell'); before b 1")
            .param("v", Param::Text("it's $HOME `x` \\ \"q\" é\n-n\n".into()));
    bench.host.start(&bench.job("a-1", script)).await.unwrap();
    assert_eq!(
        bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap(),
        EXIT_0
    );
    let ended = bench.host.collect(&bench.run, &id("a-1")).await.unwrap();
    assert_eq!(ended.state, EXIT_0);
    assert_eq!(
        ended.report.verdict,
        Verdict::Differs(vec!["from a subshell".into()])
    );
    assert_eq!(
        ended.report.outputs,
        [("a".into(), "it's $HOME `x` \\ \"q\" é\n-n\n".into())]
    );
    assert_eq!(ended.report.before, [("b".into(), "1".into())]);
    assert_eq!(
        (
            ended.report.stdout.text.as_str(),
            ended.report.stderr.text.as_str()
        ),
        ("out\n", "err\n")
    );
    let failing = body("echo deep trouble >&2; false; echo not here");
    bench.host.start(&bench.job("a-2", failing)).await.unwrap();
    bench.host.wait(&bench.run, &id("a-2"), LONG).await.unwrap();
    let ended = bench.host.collect(&bench.run, &id("a-2")).await.unwrap();
    assert_eq!(
        ended.report.verdict,
        Verdict::Failed("status 1: deep trouble".into())
    );
    let listed = bench.host.list(&bench.run).await.unwrap();
    assert_eq!(
        listed,
        [
            (id("a-1"), EXIT_0),
            (
                id("a-2"),
                JobState::Done {
                    status: 1,
                    why: Why::Exit
                }
            )
        ]
    );
    bench.host.forget(&bench.run, &id("a-1")).await.unwrap();
    assert_eq!(
        bench.host.state(&bench.run, &id("a-1")).await.unwrap(),
        JobState::Absent
    );
}

async fn output_is_read_in_pieces(shell: &str) {
    let bench = Bench::new(shell).await;
    let seen = bench.mark("copy");
    let script = body("head -c 300000 /dev/urandom | tee \"$copy\"; printf 'e\\0e' >&2")
        .param("copy", Param::Text(seen.clone()));
    bench.host.start(&bench.job("a-1", script)).await.unwrap();
    let (mut out, mut err, mut at) = (Vec::new(), Vec::new(), Offsets::default());
    loop {
        let poll = bench
            .host
            .poll(&bench.run, &id("a-1"), at, 70_001)
            .await
            .unwrap();
        at.out += poll.out.len() as u64;
        at.err += poll.err.len() as u64;
        let nothing = poll.out.is_empty() && poll.err.is_empty();
        out.extend(poll.out);
        err.extend(poll.err);
        if nothing && poll.state.is_over() {
            break;
        }
    }
    assert!(out == std::fs::read(&seen).unwrap() && out.len() == 300_000);
    assert_eq!(err, b"e\0e");
    let ended = bench.host.collect(&bench.run, &id("a-1")).await.unwrap();
    assert_eq!(
        ended.sizes,
        Offsets {
            out: 300_000,
            err: 3
        }
    );
    assert!(ended.report.stdout.cut && ended.report.stdout.text.len() < 300_000);
}

async fn many_launches_are_one_execution(shell: &str) {
    let bench = Bench::new(shell).await;
    let marks = bench.mark("marks");
    let script = body("echo once >>\"$marks\"").param("marks", Param::Text(marks.clone()));
    let job = bench.job("a-1", script);
    let mut launches = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let host = bench.host.as_account(&Account::Login).await.unwrap();
        let job = job.clone();
        launches.spawn(async move {
            (
                host.start(&job).await.unwrap(),
                host.start(&job).await.unwrap(),
            )
        });
    }
    while let Some(launched) = launches.join_next().await {
        launched.unwrap();
    }
    assert_eq!(
        bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap(),
        EXIT_0
    );
    bench.host.start(&job).await.unwrap();
    assert_eq!(std::fs::read_to_string(marks).unwrap(), "once\n");
}

async fn what_was_prepared_and_cut_is_not_launched(shell: &str) {
    let bench = Bench::new(shell).await;
    // what a cut connection leaves: a directory, perhaps a part of the script under another name
    std::fs::create_dir_all(bench.file("a-1", "")).unwrap();
    std::fs::write(bench.file("a-1", "run.123"), "echo half >").unwrap();
    assert_eq!(
        bench.host.state(&bench.run, &id("a-1")).await.unwrap(),
        JobState::Staging
    );
    bench
        .host
        .start(&bench.job("a-1", body("output whole yes")))
        .await
        .unwrap();
    assert_eq!(
        bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap(),
        EXIT_0
    );
    let script = Script::new().body(&"# padding\n".repeat(50_000));
    bench.host.start(&bench.job("a-2", script)).await.unwrap();
    assert_eq!(
        bench.host.wait(&bench.run, &id("a-2"), LONG).await.unwrap(),
        EXIT_0
    );
}

async fn secrets_leave_no_trace(shell: &str) {
    let bench = Bench::new(shell).await;
    let value = "s3cr3t it's \\ $x\nline\n";
    let text = "output seen \"$token\"; output env \"$(env | grep -c s3cr3t || :)\"; output argv \"$(tr '\\0' ' ' </proc/$$/cmdline)\"";
    let script = body(text).secret("token", value);
    let expected = [
        ("seen".to_owned(), value.to_owned()),
        ("env".to_owned(), "0".to_owned()),
    ];
    let report = bench.host.check(&script, LONG).await.unwrap();
    assert_eq!(report.outputs[..2], expected, "{report:?}");
    assert!(!report.outputs[2].1.contains("s3cr3t"));
    // the same in an attempt, looked at from outside while it runs
    let go = bench.mark("go");
    let script = body(
        "echo ready; while [ ! -e \"$go\" ]; do sleep 0.1; done; [ \"$token\" = \"$expected\" ]",
    )
    .param("go", Param::Text(go.clone()))
    .param("expected", Param::Text("another".into()))
    .secret("token", value);
    bench.host.start(&bench.job("a-1", script)).await.unwrap();
    bench.text(bench.file("a-1", "out")).await;
    let left: Vec<_> = std::fs::read_dir("/dev/shm")
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        !left.iter().any(|name| name
            .to_string_lossy()
            .ends_with(&format!("-{}-a-1", bench.run))),
        "{left:?}"
    );
    let found = std::process::Command::new("grep")
        .args(["-rl", "s3cr3t"])
        .arg(bench.dir.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    std::fs::write(&go, "").unwrap();
    let state = bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap();
    assert_eq!(
        state,
        JobState::Done {
            status: 1,
            why: Why::Exit
        },
        "the value is not `another`"
    );
    let script = body("[ \"$token\" = \"$(cat \"$file\"; echo x)\" ] || output wrong \"$token\"")
        .secret("token", "plain");
    let file = bench.mark("expected");
    std::fs::write(&file, "plain").unwrap();
    let script = script.param("file", Param::Text(file));
    bench.host.start(&bench.job("a-2", script)).await.unwrap();
    bench.host.wait(&bench.run, &id("a-2"), LONG).await.unwrap();
    let ended = bench.host.collect(&bench.run, &id("a-2")).await.unwrap();
    assert_eq!(
        ended.report.outputs,
        [("wrong".to_owned(), "plain".to_owned())]
    );
}

async fn output_is_limited(shell: &str) {
    let bench = Bench::with(
        shell,
        Options {
            output_limit: 100_000,
            ..Options::default()
        },
    )
    .await;
    bench
        .host
        .start(&bench.job(
            "a-1",
            body("while :; do echo 0123456789012345678901234567890123456789; done"),
        ))
        .await
        .unwrap();
    let state = bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap();
    assert!(
        matches!(
            state,
            JobState::Done {
                why: Why::OutputLimit,
                ..
            }
        ),
        "{state:?}"
    );
}

async fn waiting_hears_of_the_end(shell: &str) {
    let bench = Bench::new(shell).await;
    let go = bench.mark("go");
    let text = "while [ ! -e \"$go\" ]; do sleep 0.1; done";
    for attempt in ["a-1", "a-2", "a-3"] {
        bench
            .host
            .start(&bench.job(attempt, body(text).param("go", Param::Text(go.clone()))))
            .await
            .unwrap();
    }
    // too short: still running
    let state = bench
        .host
        .wait(&bench.run, &id("a-1"), Duration::from_millis(300))
        .await
        .unwrap();
    assert!(matches!(state, JobState::Running { .. }), "{state:?}");
    let fifos = std::fs::read_dir(bench.mark("state/watch"))
        .unwrap()
        .count();
    assert_eq!(fifos, 1, "one channel listens for all");
    let (a1, a2, a3) = (id("a-1"), id("a-2"), id("a-3"));
    let (a, b, c, ()) = tokio::join!(
        bench.host.wait(&bench.run, &a1, LONG),
        bench.host.wait(&bench.run, &a2, LONG),
        bench.host.wait(&bench.run, &a3, LONG),
        async { std::fs::write(&go, "").unwrap() },
    );
    assert_eq!(
        (a.unwrap(), b.unwrap(), c.unwrap()),
        (EXIT_0, EXIT_0, EXIT_0)
    );
    let mut left = 1;
    bench.host.close().await;
    for _ in 0..3000 {
        left = std::fs::read_dir(bench.mark("state/watch"))
            .unwrap()
            .count();
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(left, 0, "who listened has tidied up");
}
