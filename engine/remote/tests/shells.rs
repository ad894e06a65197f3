//! The protocol in every shell that it is meant for.

mod support;

use std::time::Duration;

use runbook_model::{Account, Epoch};
use runbook_remote::{Fault, JobState, Offsets, Options, Param, Script, Verdict, Why};
use support::{Bench, LONG, block, body, dies, id, kill, lives};

const EXIT_0: JobState = JobState::Done { status: 0, why: Why::Exit };

macro_rules! in_every_shell {
    ($($name:ident,)*) => {
        in_every_shell!(@ dash, "dash", $($name,)*);
        in_every_shell!(@ bash, "bash --posix", $($name,)*);
        in_every_shell!(@ busybox, "busybox sh", $($name,)*);
        in_every_shell!(@ applets, "applets", $($name,)*);
        in_every_shell!(@ mksh, "mksh", $($name,)*);
    };
    (@ $module:ident, $shell:literal, $($name:ident,)*) => {
        mod $module {
            $(#[test] fn $name() { super::block(super::$name($shell)); })*
        }
    };
}

in_every_shell!(
    an_attempt_runs_and_reports,
    output_is_read_in_pieces,
    many_launches_are_one_execution,
    a_killed_wrapper_is_told_from_a_killed_payload,
    a_timeout_ends_grandchildren,
    another_boot_is_seen,
    what_is_cancelled_first_never_starts,
    a_running_attempt_is_cancelled,
    a_torn_result_is_none,
    a_claim_without_payload_never_started,
    a_later_epoch_fences,
    secrets_leave_no_trace,
    output_is_limited,
    verdicts_of_checks,
    a_hung_check_is_killed_and_blocks_nobody,
    what_a_check_leaves_behind_goes_with_it,
    lists_and_maps_arrive,
    waiting_hears_of_the_end,
    files_go_over_whole,
    what_was_prepared_and_cut_is_not_launched,
);

async fn an_attempt_runs_and_reports(shell: &str) {
    let bench = Bench::new(shell).await;
    let script = body("echo out; echo err >&2; output a \"$v\"; (differs 'from a subshell'); before b 1")
        .param("v", Param::Text("it's $HOME `x` \\ \"q\" é\n-n\n".into()));
    bench.host.start(&bench.job("a-1", script)).await.unwrap();
    assert_eq!(bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap(), EXIT_0);
    let ended = bench.host.collect(&bench.run, &id("a-1")).await.unwrap();
    assert_eq!(ended.state, EXIT_0);
    assert_eq!(ended.report.verdict, Verdict::Differs(vec!["from a subshell".into()]));
    assert_eq!(ended.report.outputs, [("a".into(), "it's $HOME `x` \\ \"q\" é\n-n\n".into())]);
    assert_eq!(ended.report.before, [("b".into(), "1".into())]);
    assert_eq!((ended.report.stdout.text.as_str(), ended.report.stderr.text.as_str()), ("out\n", "err\n"));
    let failing = body("echo deep trouble >&2; false; echo not here");
    bench.host.start(&bench.job("a-2", failing)).await.unwrap();
    bench.host.wait(&bench.run, &id("a-2"), LONG).await.unwrap();
    let ended = bench.host.collect(&bench.run, &id("a-2")).await.unwrap();
    assert_eq!(ended.report.verdict, Verdict::Failed("status 1: deep trouble".into()));
    let listed = bench.host.list(&bench.run).await.unwrap();
    assert_eq!(listed, [(id("a-1"), EXIT_0), (id("a-2"), JobState::Done { status: 1, why: Why::Exit })]);
    bench.host.forget(&bench.run, &id("a-1")).await.unwrap();
    assert_eq!(bench.host.state(&bench.run, &id("a-1")).await.unwrap(), JobState::Absent);
}

async fn output_is_read_in_pieces(shell: &str) {
    let bench = Bench::new(shell).await;
    let seen = bench.mark("copy");
    let script = body("head -c 300000 /dev/urandom | tee \"$copy\"; printf 'e\\0e' >&2").param("copy", Param::Text(seen.clone()));
    bench.host.start(&bench.job("a-1", script)).await.unwrap();
    let (mut out, mut err, mut at) = (Vec::new(), Vec::new(), Offsets::default());
    loop {
        let poll = bench.host.poll(&bench.run, &id("a-1"), at, 70_001).await.unwrap();
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
    assert_eq!(ended.sizes, Offsets { out: 300_000, err: 3 });
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
        launches.spawn(async move { (host.start(&job).await.unwrap(), host.start(&job).await.unwrap()) });
    }
    while let Some(launched) = launches.join_next().await {
        launched.unwrap();
    }
    assert_eq!(bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap(), EXIT_0);
    bench.host.start(&job).await.unwrap();
    assert_eq!(std::fs::read_to_string(marks).unwrap(), "once\n");
}

async fn running_pid(bench: &Bench, attempt: &str) -> String {
    let pid = bench.text(bench.file(attempt, "pid")).await;
    pid.split(' ').next().unwrap().to_owned()
}

async fn a_killed_wrapper_is_told_from_a_killed_payload(shell: &str) {
    let bench = Bench::new(shell).await;
    let go = bench.mark("go");
    let script = body("while [ ! -e \"$go\" ]; do sleep 0.1; done").param("go", Param::Text(go.clone()));
    for attempt in ["a-1", "a-2"] {
        bench.host.start(&bench.job(attempt, script.clone())).await.unwrap();
    }
    let (payload, other) = (running_pid(&bench, "a-1").await, running_pid(&bench, "a-2").await);
    let wrapper = bench.text(bench.file("a-1", "claim")).await;
    kill("KILL", wrapper.split(' ').next().unwrap());
    dies(wrapper.split(' ').next().unwrap()).await;
    let orphaned = JobState::Orphaned { pid: payload.parse().unwrap() };
    assert_eq!(bench.host.state(&bench.run, &id("a-1")).await.unwrap(), orphaned);
    assert!(matches!(bench.host.forget(&bench.run, &id("a-1")).await.unwrap_err().fault, Fault::Alive));
    std::fs::write(&go, "").unwrap();
    assert_eq!(bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap(), JobState::LostKilled);
    // the other one saw the same file, or is killed before: a job of its own for that
    let _ = other;
    let script = body("while :; do sleep 0.1; done");
    bench.host.start(&bench.job("a-3", script)).await.unwrap();
    kill("KILL", &running_pid(&bench, "a-3").await);
    assert_eq!(bench.host.wait(&bench.run, &id("a-3"), LONG).await.unwrap(), JobState::Done { status: 137, why: Why::Exit });
}

async fn a_timeout_ends_grandchildren(shell: &str) {
    let bench = Bench::new(shell).await;
    let pids = bench.mark("pids");
    let text = "trap '' TERM; sh -c 'echo $$ >\"$1\"; trap \"\" TERM; while :; do sleep 1; done' x \"$pids\" & wait; sleep 300";
    let mut job = bench.job("a-1", body(text).param("pids", Param::Text(pids.clone())));
    job.timeout = Some(Duration::from_millis(900));
    bench.host.start(&job).await.unwrap();
    let state = bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap();
    assert!(matches!(state, JobState::Done { why: Why::Timeout, .. }), "{state:?}");
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
    assert_eq!(bench.host.state(&bench.run, &id("a-1")).await.unwrap(), JobState::LostReboot);
    kill("KILL", &format!("-{payload}"));
    job.attempt = id("a-2");
    job.boot_id = words[2].to_owned();
    let fault = bench.host.start(&job).await.unwrap_err().fault;
    assert_eq!(fault, Fault::Rebooted(bench.host.hello().boot_id.clone()));
    assert_eq!(bench.host.state(&bench.run, &id("a-2")).await.unwrap(), JobState::Absent);
}

async fn what_is_cancelled_first_never_starts(shell: &str) {
    let bench = Bench::new(shell).await;
    let mark = bench.mark("mark");
    let cancelled = bench.host.cancel(&bench.run, &id("a-1"), Duration::ZERO).await.unwrap();
    assert_eq!(cancelled, JobState::Aborted);
    let job = bench.job("a-1", body(">\"$mark\"").param("mark", Param::Text(mark.clone())));
    assert_eq!(bench.host.start(&job).await.unwrap(), JobState::Aborted);
    // something that does run, so that the other one had the time to
    bench.host.start(&bench.job("a-2", body("sleep 0.3"))).await.unwrap();
    bench.host.wait(&bench.run, &id("a-2"), LONG).await.unwrap();
    assert_eq!(bench.host.state(&bench.run, &id("a-1")).await.unwrap(), JobState::Aborted);
    assert!(!std::path::Path::new(&mark).exists());
}

async fn a_running_attempt_is_cancelled(shell: &str) {
    let bench = Bench::new(shell).await;
    bench.host.start(&bench.job("a-1", body("sleep 300"))).await.unwrap();
    let payload = running_pid(&bench, "a-1").await;
    let state = bench.host.cancel(&bench.run, &id("a-1"), LONG).await.unwrap();
    assert_eq!(state, JobState::Done { status: 143, why: Why::Cancel });
    assert!(!lives(&payload));
    // one that does not want to
    bench.host.start(&bench.job("a-2", body("trap '' TERM; echo ready; while :; do sleep 1; done"))).await.unwrap();
    bench.text(bench.file("a-2", "out")).await;
    let state = bench.host.cancel(&bench.run, &id("a-2"), Duration::from_millis(200)).await.unwrap();
    assert_eq!(state, JobState::Done { status: 137, why: Why::Cancel });
    let ended = bench.host.collect(&bench.run, &id("a-2")).await.unwrap();
    assert_eq!(ended.report.verdict, Verdict::Failed("was cancelled".into()));
}

async fn a_torn_result_is_none(shell: &str) {
    let bench = Bench::new(shell).await;
    bench.host.start(&bench.job("a-1", body("true"))).await.unwrap();
    bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap();
    let result = bench.file("a-1", "result");
    assert!(std::fs::read_to_string(&result).unwrap().starts_with("rb1 0 exit end\n"));
    // the wrapper may still be telling those who wait
    let claim = std::fs::read_to_string(bench.file("a-1", "claim")).unwrap();
    dies(claim.split(' ').next().unwrap()).await;
    for torn in ["", "rb1", "rb1 0", "rb1 0 exit", "rb1 0 exit en", "reserved"] {
        std::fs::write(&result, torn).unwrap();
        assert_eq!(bench.host.state(&bench.run, &id("a-1")).await.unwrap(), JobState::LostKilled, "{torn:?}");
    }
}

async fn a_claim_without_payload_never_started(shell: &str) {
    let bench = Bench::new(shell).await;
    std::fs::create_dir_all(bench.file("a-1", "")).unwrap();
    let boot = bench.host.hello().boot_id.clone();
    std::fs::write(bench.file("a-1", "claim"), format!("{} 1 {boot}\n", std::process::id())).unwrap();
    assert_eq!(bench.host.state(&bench.run, &id("a-1")).await.unwrap(), JobState::LostBeforeStart);
    // from now on a payload that was only slow cannot start either: its place is taken
    assert!(std::fs::read_to_string(bench.file("a-1", "pid")).unwrap().starts_with("never"));
    assert_eq!(bench.host.state(&bench.run, &id("a-1")).await.unwrap(), JobState::LostBeforeStart);
}

async fn a_later_epoch_fences(shell: &str) {
    let bench = Bench::new(shell).await;
    let mark = bench.mark("mark");
    let job = bench.job("a-1", body("echo x >>\"$mark\"").param("mark", Param::Text(mark.clone())));
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
    let library = std::fs::read_dir(format!("{state}/lib")).unwrap().next().unwrap().unwrap().path();
    let mut words = support::shell(shell, &bench.dir.path().join("again"));
    words.push_str(&format!(" {} sh {state} wrap run1 a-2", library.display()));
    let mut words = words.split(' ');
    assert!(std::process::Command::new(words.next().unwrap()).args(words).status().unwrap().success());
    assert_eq!(later.state(&bench.run, &id("a-2")).await.unwrap(), JobState::Aborted);
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), "x\n");
    // and everything else that the old controller could do
    let again = bench.job("a-3", body("true"));
    assert_eq!(bench.host.start(&again).await.unwrap_err().fault, Fault::Fenced(2));
    assert_eq!(bench.host.ready(&bench.run, Epoch(1)).await.unwrap_err().fault, Fault::Fenced(2));
    assert_eq!(bench.host.cancel(&bench.run, &id("a-1"), LONG).await.unwrap_err().fault, Fault::Fenced(2));
    assert_eq!(bench.host.forget(&bench.run, &id("a-1")).await.unwrap_err().fault, Fault::Fenced(2));
    // not made ready at all
    let mut other = bench.job("a-4", body("true"));
    other.run = runbook_model::RunId::new("run2").unwrap();
    assert_eq!(bench.host.start(&other).await.unwrap_err().fault, Fault::NotReady);
}

async fn secrets_leave_no_trace(shell: &str) {
    let bench = Bench::new(shell).await;
    let value = "s3cr3t it's \\ $x\nline\n";
    let text = "output seen \"$token\"; output env \"$(env | grep -c s3cr3t || :)\"; output argv \"$(tr '\\0' ' ' </proc/$$/cmdline)\"";
    let script = body(text).secret("token", value);
    let expected = [("seen".to_owned(), value.to_owned()), ("env".to_owned(), "0".to_owned())];
    let report = bench.host.check(&script, LONG).await.unwrap();
    assert_eq!(report.outputs[..2], expected, "{report:?}");
    assert!(!report.outputs[2].1.contains("s3cr3t"));
    // the same in an attempt, looked at from outside while it runs
    let go = bench.mark("go");
    let script = body("echo ready; while [ ! -e \"$go\" ]; do sleep 0.1; done; [ \"$token\" = \"$expected\" ]")
        .param("go", Param::Text(go.clone()))
        .param("expected", Param::Text("another".into()))
        .secret("token", value);
    bench.host.start(&bench.job("a-1", script)).await.unwrap();
    bench.text(bench.file("a-1", "out")).await;
    let left: Vec<_> = std::fs::read_dir("/dev/shm").unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with("-run1-a-1") && !concurrent(name)), "{left:?}");
    let found = std::process::Command::new("grep").args(["-rl", "s3cr3t"]).arg(bench.dir.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    std::fs::write(&go, "").unwrap();
    let state = bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap();
    assert_eq!(state, JobState::Done { status: 1, why: Why::Exit }, "the value is not `another`");
    let script = body("[ \"$token\" = \"$(cat \"$file\"; echo x)\" ] || output wrong \"$token\"").secret("token", "plain");
    let file = bench.mark("expected");
    std::fs::write(&file, "plain").unwrap();
    let script = script.param("file", Param::Text(file));
    bench.host.start(&bench.job("a-2", script)).await.unwrap();
    bench.host.wait(&bench.run, &id("a-2"), LONG).await.unwrap();
    let ended = bench.host.collect(&bench.run, &id("a-2")).await.unwrap();
    assert_eq!(ended.report.outputs, [("wrong".to_owned(), "plain".to_owned())]);
}

/// Suites of other shells run at the same time with the same names; theirs live shorter than a look.
fn concurrent(name: &std::ffi::OsStr) -> bool {
    !std::path::Path::new("/dev/shm").join(name).exists()
}

async fn output_is_limited(shell: &str) {
    let bench = Bench::with(shell, Options { output_limit: 100_000, ..Options::default() }).await;
    bench.host.start(&bench.job("a-1", body("while :; do echo 0123456789012345678901234567890123456789; done"))).await.unwrap();
    let state = bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap();
    assert!(matches!(state, JobState::Done { why: Why::OutputLimit, .. }), "{state:?}");
}

async fn verdicts_of_checks(shell: &str) {
    let bench = Bench::new(shell).await;
    let long = "x".repeat(200_000);
    let cases: &[(&str, Verdict)] = &[
        ("true", Verdict::Satisfied),
        ("differs one; differs 'two  words'", Verdict::Differs(vec!["one".into(), "two  words".into()])),
        ("(differs sub); echo x | while read -r _; do differs pipe; done", Verdict::Differs(vec!["sub".into(), "pipe".into()])),
        ("skip 'not here'; differs never", Verdict::Skipped("not here".into())),
        ("x=$(fail swallowed) || :; true", Verdict::Failed("swallowed".into())),
        ("fail told", Verdict::Failed("told".into())),
        ("need sh no-such-command-x", Verdict::Failed("the command `no-such-command-x` is not installed here".into())),
        ("have sh || differs no", Verdict::Satisfied),
        ("exit 0", Verdict::Failed("ended with status 0 before its end was reached".into())),
        ("echo why >&2; exit 4", Verdict::Failed("status 4: why".into())),
        ("kill -s KILL $$", Verdict::Failed("killed by signal 9".into())),
        ("true \\", Verdict::Satisfied),
        ("# a comment", Verdict::Satisfied),
        ("read -r line && differs 'there is input' || :", Verdict::Satisfied),
        ("[ \"$(pwd)\" = / ] && [ \"$LC_ALL\" = C ] && [ \"$(umask | tail -c 4)\" = 077 ]", Verdict::Satisfied),
        ("command -v id >/dev/null; case :$PATH: in *:/sbin:*) ;; *) fail path ;; esac", Verdict::Satisfied),
    ];
    for (text, verdict) in cases {
        // this one brings a PATH of its own with every shell
        if shell == "applets" && text.contains("$PATH") {
            continue;
        }
        let report = bench.host.check(&body(text), LONG).await.unwrap();
        assert_eq!(&report.verdict, verdict, "{text}: {report:?}");
    }
    for text in ["cat <<EOF\nnever ended", "if true; then", "echo 'open", "echo $undefined_variable_x", "no-such-command-x"] {
        let report = bench.host.check(&body(text), LONG).await.unwrap();
        assert!(matches!(report.verdict, Verdict::Failed(_)), "{text}: {report:?}");
    }
    let report = bench.host.check(&body("echo out; echo err >&2"), LONG).await.unwrap();
    assert_eq!(report.stderr.text, "out\nerr\n");
    let report = bench.host.check(&body("output v \"$v\"").param("v", Param::Text(long.clone())), LONG).await.unwrap();
    assert_eq!(report.outputs, [("v".to_owned(), long)]);
    let report = bench.host.check(&body("i=0; while [ $i -lt 40 ]; do output v \"$v\"; i=$((i+1)); done").param("v", Param::Text("y".repeat(50_000))), LONG).await.unwrap();
    assert_eq!(report.verdict, Verdict::Failed("wrote more than 1048576 bytes of records".into()));
}

async fn a_hung_check_is_killed_and_blocks_nobody(shell: &str) {
    let bench = Bench::new(shell).await;
    let pids = bench.mark("pids");
    let script = body("trap '' TERM; sleep 300 & echo $! $$ >\"$pids\"; wait; sleep 300").param("pids", Param::Text(pids.clone()));
    let (first, second) = (bench.host.clone(), bench.host.clone());
    let limit = Duration::from_millis(700);
    let (hung, state) = tokio::join!(first.check(&script, limit), async {
        bench.text(&pids).await;
        second.state(&bench.run, &id("a-1")).await
    });
    assert_eq!(state.unwrap(), JobState::Absent);
    let report = hung.unwrap();
    assert!(report.timed_out, "{report:?}");
    for pid in std::fs::read_to_string(pids).unwrap().split_whitespace() {
        dies(pid).await;
    }
    assert_eq!(bench.host.check(&body("true"), LONG).await.unwrap().verdict, Verdict::Satisfied);
}

async fn what_a_check_leaves_behind_goes_with_it(shell: &str) {
    let bench = Bench::new(shell).await;
    let report = bench.host.check(&body("sleep 300 & output pid $!"), LONG).await.unwrap();
    assert_eq!(report.verdict, Verdict::Satisfied);
    dies(&report.outputs[0].1).await;
}

async fn lists_and_maps_arrive(shell: &str) {
    let bench = Bench::new(shell).await;
    let words = vec!["".to_owned(), "a b".into(), "-x".into(), "it's".into(), "*".into(), "l1\nl2".into(), "é$(x)".into()];
    let pairs = vec![("K".to_owned(), "v=1 2".to_owned()), ("é".into(), "'".into())];
    let text = "eval \"set -- $list\"; output list \"$(json_list \"$@\")\"; eval \"set -- $map\"; output map \"$(json_list \"$@\")\"; eval \"set -- $none\"; output none $#";
    let script = body(text)
        .param("list", Param::List(words.clone()))
        .param("map", Param::Map(pairs))
        .param("none", Param::List(vec![]));
    let report = bench.host.check(&script, LONG).await.unwrap();
    let json = |at: usize| serde_json::from_str::<Vec<String>>(&report.outputs[at].1).unwrap();
    assert_eq!(json(0), words, "{report:?}");
    assert_eq!(json(1), ["K=v=1 2", "é='"]);
    assert_eq!(report.outputs[2].1, "0");
}

async fn waiting_hears_of_the_end(shell: &str) {
    let bench = Bench::new(shell).await;
    let go = bench.mark("go");
    let text = "while [ ! -e \"$go\" ]; do sleep 0.1; done";
    for attempt in ["a-1", "a-2", "a-3"] {
        bench.host.start(&bench.job(attempt, body(text).param("go", Param::Text(go.clone())))).await.unwrap();
    }
    // too short: still running
    let state = bench.host.wait(&bench.run, &id("a-1"), Duration::from_millis(300)).await.unwrap();
    assert!(matches!(state, JobState::Running { .. }), "{state:?}");
    let fifos = std::fs::read_dir(bench.mark("state/watch")).unwrap().count();
    assert_eq!(fifos, 1, "one channel listens for all");
    let (a1, a2, a3) = (id("a-1"), id("a-2"), id("a-3"));
    let (a, b, c, ()) = tokio::join!(
        bench.host.wait(&bench.run, &a1, LONG),
        bench.host.wait(&bench.run, &a2, LONG),
        bench.host.wait(&bench.run, &a3, LONG),
        async { std::fs::write(&go, "").unwrap() },
    );
    assert_eq!((a.unwrap(), b.unwrap(), c.unwrap()), (EXIT_0, EXIT_0, EXIT_0));
    let mut left = 1;
    bench.host.close().await;
    for _ in 0..3000 {
        left = std::fs::read_dir(bench.mark("state/watch")).unwrap().count();
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(left, 0, "who listened has tidied up");
}

async fn files_go_over_whole(shell: &str) {
    let bench = Bench::new(shell).await;
    let (source, target) = (bench.mark("it's a source"), bench.mark("target"));
    let bytes: Vec<u8> = (0..1_500_000u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&source, &bytes).unwrap();
    std::fs::write(&target, "old").unwrap();
    let copied = bench.host.copy_to(&source, &bench.host, &target, 0o640).await.unwrap();
    assert_eq!(copied.size, bytes.len() as u64);
    assert!(std::fs::read(&target).unwrap() == bytes);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&target).unwrap().permissions());
    assert_eq!(mode & 0o7777, 0o640);
    let mut empty = Vec::new();
    assert!(bench.host.read_file(&bench.mark("missing"), &mut empty).await.is_err());
    assert!(bench.host.copy_to(&bench.mark("missing"), &bench.host, &target, 0o600).await.is_err());
    assert!(bench.host.write_file(&bench.mark("no/such/dir"), 0o600, &mut &b"x"[..]).await.is_err());
    assert!(std::fs::read(&target).unwrap() == bytes, "a copy that fails leaves the target as it was");
    let names = || std::fs::read_dir(bench.dir.path()).unwrap().filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("target")).count();
    for _ in 0..500 {
        if names() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(names(), 1);
}

async fn what_was_prepared_and_cut_is_not_launched(shell: &str) {
    let bench = Bench::new(shell).await;
    // what a cut connection leaves: a directory, perhaps a part of the script under another name
    std::fs::create_dir_all(bench.file("a-1", "")).unwrap();
    std::fs::write(bench.file("a-1", "run.123"), "echo half >").unwrap();
    assert_eq!(bench.host.state(&bench.run, &id("a-1")).await.unwrap(), JobState::Staging);
    bench.host.start(&bench.job("a-1", body("output whole yes"))).await.unwrap();
    assert_eq!(bench.host.wait(&bench.run, &id("a-1"), LONG).await.unwrap(), EXIT_0);
    let script = Script::new().body(&"# padding\n".repeat(50_000));
    bench.host.start(&bench.job("a-2", script)).await.unwrap();
    assert_eq!(bench.host.wait(&bench.run, &id("a-2"), LONG).await.unwrap(), EXIT_0);
}
