//! Checks and files in every shell.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::time::Duration;

use runbook_remote::{JobState, Param, Rights, Verdict};
use support::{Bench, LONG, body, dies, id};

support::in_every_shell!(
    verdicts_of_checks,
    a_hung_check_is_killed_and_blocks_nobody,
    what_a_check_leaves_behind_goes_with_it,
    lists_and_maps_arrive,
    files_go_over_whole,
    whose_a_file_is
);

async fn verdicts_of_checks(shell: &str) {
    let bench = Bench::new(shell).await;
    let long = "x".repeat(200_000);
    let cases: &[(&str, Verdict)] = &[
        ("true", Verdict::Satisfied),
        (
            "differs one; differs 'two  words'",
            Verdict::Differs(vec!["one".into(), "two  words".into()]),
        ),
        (
            "(differs sub); echo x | while read -r _; do differs pipe; done",
            Verdict::Differs(vec!["sub".into(), "pipe".into()]),
        ),
        (
            "skip 'not here'; differs never",
            Verdict::Skipped("not here".into()),
        ),
        (
            "x=$(fail swallowed) || :; true",
            Verdict::Failed("swallowed".into()),
        ),
        ("fail told", Verdict::Failed("told".into())),
        (
            "need sh no-such-command-x",
            Verdict::Failed("the command `no-such-command-x` is not installed here".into()),
        ),
        ("have sh || differs no", Verdict::Satisfied),
        (
            "exit 0",
            Verdict::Failed("ended with status 0 before its end was reached".into()),
        ),
        (
            "echo why >&2; exit 4",
            Verdict::Failed("status 4: why".into()),
        ),
        (
            "kill -s KILL $$",
            Verdict::Failed("killed by signal 9".into()),
        ),
        ("true \\", Verdict::Satisfied),
        ("# a comment", Verdict::Satisfied),
        (
            "read -r line && differs 'there is input' || :",
            Verdict::Satisfied,
        ),
        (
            "[ \"$(pwd)\" = / ] && [ \"$LC_ALL\" = C ] && [ \"$(umask | tail -c 4)\" = 077 ]",
            Verdict::Satisfied,
        ),
        (
            "command -v id >/dev/null; case :$PATH: in *:/sbin:*) ;; *) fail path ;; esac",
            Verdict::Satisfied,
        ),
    ];
    for (text, verdict) in cases {
        // this one brings a PATH of its own with every shell
        if shell == "applets" && text.contains("$PATH") {
            continue;
        }
        let report = bench.host.check(&body(text), LONG).await.unwrap();
        assert_eq!(&report.verdict, verdict, "{text}: {report:?}");
    }
    for text in [
        "cat <<EOF\nnever ended",
        "if true; then",
        "echo 'open",
        "echo $undefined_variable_x",
        "no-such-command-x",
    ] {
        let report = bench.host.check(&body(text), LONG).await.unwrap();
        assert!(
            matches!(report.verdict, Verdict::Failed(_)),
            "{text}: {report:?}"
        );
    }
    let report = bench
        .host
        .check(&body("echo out; echo err >&2"), LONG)
        .await
        .unwrap();
    assert_eq!(report.stderr.text, "out\nerr\n");
    let report = bench
        .host
        .check(
            &body("output v \"$v\"").param("v", Param::Text(long.clone())),
            LONG,
        )
        .await
        .unwrap();
    assert_eq!(report.outputs, [("v".to_owned(), long)]);
    let report = bench
        .host
        .check(
            &body("i=0; while [ $i -lt 40 ]; do output v \"$v\"; i=$((i+1)); done")
                .param("v", Param::Text("y".repeat(50_000))),
            LONG,
        )
        .await
        .unwrap();
    assert_eq!(
        report.verdict,
        Verdict::Failed("wrote more than 1048576 bytes of records".into())
    );
}

async fn a_hung_check_is_killed_and_blocks_nobody(shell: &str) {
    let bench = Bench::new(shell).await;
    let pids = bench.mark("pids");
    let script = body("trap '' TERM; sleep 300 & echo $! $$ >\"$pids\"; wait; sleep 300")
        .param("pids", Param::Text(pids.clone()));
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
    assert_eq!(
        bench.host.check(&body("true"), LONG).await.unwrap().verdict,
        Verdict::Satisfied
    );
}

async fn what_a_check_leaves_behind_goes_with_it(shell: &str) {
    let bench = Bench::new(shell).await;
    let report = bench
        .host
        .check(&body("sleep 300 & output pid $!"), LONG)
        .await
        .unwrap();
    assert_eq!(report.verdict, Verdict::Satisfied);
    dies(&report.outputs[0].1).await;
}

async fn lists_and_maps_arrive(shell: &str) {
    let bench = Bench::new(shell).await;
    let words = vec![
        "".to_owned(),
        "a b".into(),
        "-x".into(),
        "it's".into(),
        "*".into(),
        "l1\nl2".into(),
        "é$(x)".into(),
    ];
    let pairs = vec![
        ("K".to_owned(), "v=1 2".to_owned()),
        ("é".into(), "'".into()),
    ];
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

async fn files_go_over_whole(shell: &str) {
    let bench = Bench::new(shell).await;
    let (source, target) = (bench.mark("it's a source"), bench.mark("target"));
    let bytes: Vec<u8> = (0..1_500_000u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&source, &bytes).unwrap();
    std::fs::write(&target, "old").unwrap();
    // What a controller that died has left of the same copy goes with the next one; what only looks like it stays.
    let left = format!("{target}.rb{}", "0a".repeat(16));
    let others = [
        format!("{target}.rb1"),
        format!("{target}.rb{}", "0z".repeat(16)),
    ];
    for file in others.iter().chain([&left]) {
        std::fs::write(file, "half").unwrap();
    }
    let copied = bench
        .host
        .copy_to(&source, &bench.host, &target, &Rights::of_mode(0o640))
        .await
        .unwrap();
    assert_eq!(copied.size, bytes.len() as u64);
    assert!(std::fs::read(&target).unwrap() == bytes);
    assert!(!std::path::Path::new(&left).exists());
    for file in &others {
        std::fs::remove_file(file).unwrap();
    }
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&target).unwrap().permissions());
    assert_eq!(mode & 0o7777, 0o640);
    let mut empty = Vec::new();
    assert!(
        bench
            .host
            .read_file(&bench.mark("missing"), &mut empty)
            .await
            .is_err()
    );
    assert!(
        bench
            .host
            .copy_to(
                &bench.mark("missing"),
                &bench.host,
                &target,
                &Rights::default()
            )
            .await
            .is_err()
    );
    assert!(
        bench
            .host
            .write_file(
                &bench.mark("no/such/dir"),
                &Rights::default(),
                &mut &b"x"[..]
            )
            .await
            .is_err()
    );
    assert!(
        std::fs::read(&target).unwrap() == bytes,
        "a copy that fails leaves the target as it was"
    );
    let names = || {
        std::fs::read_dir(bench.dir.path())
            .unwrap()
            .filter(|e| {
                e.as_ref()
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .starts_with("target")
            })
            .count()
    };
    for _ in 0..500 {
        if names() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(names(), 1);
}

async fn whose_a_file_is(shell: &str) {
    use std::os::unix::fs::MetadataExt as _;
    let bench = Bench::new(shell).await;
    let file = bench.mark("it's a file");
    let found = || {
        let found = std::fs::metadata(&file).unwrap();
        (found.mode() & 0o7777, found.uid(), found.gid())
    };
    let write = |rights: Rights| {
        let host = bench.host.clone();
        let file = file.clone();
        async move { host.write_file(&file, &rights, &mut &b"x"[..]).await }
    };
    write(Rights::default()).await.unwrap();
    let (mode, uid, gid) = found();
    assert_eq!(mode, 0o600, "a new one is for nobody else");
    // A number of one's own may be given by everybody, another one by root alone.
    let other = if uid == 0 { 65534 } else { uid };
    let all = Rights {
        owner: Some(other.to_string()),
        group: Some(gid.to_string()),
        mode: Some(0o4711),
    };
    write(all.clone()).await.unwrap();
    assert_eq!(found(), (0o4711, other, gid));
    bench
        .host
        .give_file(&file, &Rights::of_mode(0o640))
        .await
        .unwrap();
    assert_eq!(found(), (0o640, other, gid));
    bench.host.give_file(&file, &all).await.unwrap();
    assert_eq!(found(), (0o4711, other, gid));
    let nobody = Rights {
        group: Some("nobody-has-this-name".to_owned()),
        ..Rights::of_mode(0o600)
    };
    for refused in [
        bench.host.give_file(&file, &nobody).await,
        write(nobody).await.map(drop),
    ] {
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("to the group nobody-has-this-name"), "{said}");
    }
    assert_eq!(
        found(),
        (0o4711, other, gid),
        "what is refused changes nothing"
    );
}
