//! Files that are kept for undo, in every shell: what a check registers, what is kept before the first change, and what
//! an undo is given.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use runbook_model::Epoch;
use runbook_remote::{Fault, Kept, Param, Report, Script, Verdict};
use support::{Bench, LONG, body, id};

support::in_every_shell!(
    a_check_says_what_is_there,
    what_cannot_be_kept_is_refused,
    a_file_is_kept_once_and_given_back,
    a_text_is_kept_once_and_given_back,
    a_record_that_a_loss_of_power_cut_is_none,
    a_file_that_is_another_one_stops_the_attempt,
    what_one_run_keeps_is_bounded,
    what_is_kept_outlives_its_attempt_until_it_is_discarded
);

const NAME: &str = "it's a $file";

fn put(bench: &Bench, bytes: &[u8], mode: u32) -> String {
    let path = bench.mark(NAME);
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

async fn check(bench: &Bench, text: &str, path: &str) -> Report {
    let script = body(text).param("path", Param::Text(path.to_owned()));
    bench.host.check(&script, LONG).await.unwrap()
}

async fn registered(bench: &Bench, path: &str) -> Kept {
    let report = check(bench, "before_file conf \"$path\"", path).await;
    assert_eq!(report.verdict, Verdict::Satisfied);
    let [(name, value)] = report.before.as_slice() else {
        panic!("{:?}", report.before)
    };
    Kept::of(name, value).unwrap().unwrap()
}

fn store(bench: &Bench) -> String {
    bench.host.undo_store(&bench.run, &id("a-0"))
}

/// Changes a file after it was kept; what it is after that is told.
async fn change(bench: &Bench, attempt: &str, file: &Kept, path: &str) -> Report {
    let script = body("echo new >\"$path\"").param("path", Param::Text(path.to_owned()));
    let script = script.undo_store(&store(bench)).keep(file);
    attempted(bench, attempt, script).await
}

async fn attempted(bench: &Bench, attempt: &str, script: Script) -> Report {
    bench.host.start(&bench.job(attempt, script)).await.unwrap();
    bench
        .host
        .wait(&bench.run, &id(attempt), LONG)
        .await
        .unwrap();
    let ended = bench.host.collect(&bench.run, &id(attempt)).await;
    ended.unwrap().report
}

fn mode(path: impl AsRef<Path>) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

async fn a_text_is_kept_once_and_given_back(shell: &str) {
    const TEXT: &str = "it's -n \\ $a `secret`\n\n";
    let bench = Bench::new(shell).await;
    let keep = |text: &str| {
        let script = body("keep_text words \"$text\"; text=");
        script
            .param("text", Param::Text(text.to_owned()))
            .undo_store(&store(&bench))
    };
    for (attempt, text) in [("a-1", TEXT), ("a-2", "what a second attempt finds")] {
        let report = attempted(&bench, attempt, keep(text)).await;
        assert_eq!(report.verdict, Verdict::Satisfied);
        assert!(report.before.is_empty(), "no record has it");
    }
    let kept = format!("{}/words", store(&bench));
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), TEXT);
    assert_eq!((mode(&kept), mode(store(&bench))), (0o600, 0o700));
    let give = || body("kept_text words; output text \"$kept\"").undo_store(&store(&bench));
    let report = attempted(&bench, "a-3", give()).await;
    assert_eq!(report.outputs, [("text".to_owned(), TEXT.to_owned())]);

    std::fs::write(&kept, "another").unwrap();
    let report = attempted(&bench, "a-4", give()).await;
    let Verdict::Failed(message) = &report.verdict else {
        panic!("{report:?}")
    };
    assert_eq!(message, "what is kept of `words` is not what it was");
    let wrong = body("keep_text Words x").undo_store(&store(&bench));
    let report = attempted(&bench, "a-5", wrong).await;
    assert!(matches!(report.verdict, Verdict::Failed(_)), "{report:?}");
    let none = body("kept_text other || output text none").undo_store(&store(&bench));
    let report = attempted(&bench, "a-6", none).await;
    assert_eq!(report.outputs, [("text".to_owned(), "none".to_owned())]);
}

async fn a_check_says_what_is_there(shell: &str) {
    let bench = Bench::new(shell).await;
    let path = put(&bench, b"old\n", 0o640);
    let report = check(&bench, "(before_file conf \"$path\")", &path).await;
    let meta = std::fs::metadata(&path).unwrap();
    let (name, value) = &report.before[0];
    assert_eq!(name, "file:conf");
    let begin = format!("file {} {} 640 4 ", meta.uid(), meta.gid());
    assert!(
        value.starts_with(&begin) && value.ends_with(&format!(" {path}")),
        "{value}"
    );
    assert_eq!(value.len(), begin.len() + 64 + 1 + path.len());
    let absent = bench.mark("nothing");
    let report = check(&bench, "before_file conf \"$path\"", &absent).await;
    assert_eq!(report.before[0].1, format!("absent {absent}"));
    assert!(!Path::new(&store(&bench)).exists(), "a check keeps nothing");
}

async fn what_cannot_be_kept_is_refused(shell: &str) {
    let bench = Bench::new(shell).await;
    let link = bench.mark("link");
    symlink(put(&bench, b"old\n", 0o640), &link).unwrap();
    let large = bench.mark("large");
    std::fs::File::create(&large)
        .unwrap()
        .set_len((16 << 20) + 1)
        .unwrap();
    let huge = bench.mark("huge");
    std::fs::File::create(&huge)
        .unwrap()
        .set_len(5 << 30)
        .unwrap();
    let dir = bench.mark("");
    let dir = dir.trim_end_matches('/');
    for (path, why) in [
        (link.as_str(), "is a symbolic link"),
        (dir, "is not a regular file"),
        (
            &large,
            "has 16777217 bytes, and no more than 16 MiB are kept for undo",
        ),
        (&huge, "has 5368709120 bytes"),
        ("etc/x", "is not a path from /"),
    ] {
        let report = check(&bench, "before_file conf \"$path\"", path).await;
        let Verdict::Failed(message) = report.verdict else {
            panic!("{path}: {report:?}")
        };
        assert!(message.contains(why), "{message}");
        assert!(report.before.is_empty());
    }
    for name in ["", "A", "a-b", "1a", "a b", &"a".repeat(41)] {
        let script = body("before_file \"$name\" /nothing").param("name", Param::Text(name.into()));
        let report = bench.host.check(&script, LONG).await.unwrap();
        assert!(matches!(report.verdict, Verdict::Failed(_)), "{name}");
    }
}

async fn a_file_is_kept_once_and_given_back(shell: &str) {
    let bench = Bench::new(shell).await;
    let old: Vec<u8> = (0..70_000u32).flat_map(|n| [n as u8, 0, b'\n']).collect();
    let path = put(&bench, &old, 0o640);
    let file = registered(&bench, &path).await;
    for attempt in ["a-1", "a-2"] {
        let report = change(&bench, attempt, &file, &path).await;
        assert_eq!(report.verdict, Verdict::Satisfied, "{report:?}");
        assert_eq!(std::fs::read(&path).unwrap(), b"new\n");
    }
    let copy = PathBuf::from(store(&bench)).join("conf");
    assert!(
        std::fs::read(&copy).unwrap() == old,
        "the first one, byte for byte"
    );
    assert_eq!((mode(&copy), mode(copy.parent().unwrap())), (0o600, 0o700));
    assert_eq!(mode(copy.ancestors().nth(2).unwrap()), 0o700);
    let undo = || {
        body("cat <\"$before_conf\" >\"$path\"; chmod \"$before_conf_mode\" \"$path\"; output was \"$before_conf_owner $before_conf_group\"")
            .param("path", Param::Text(path.clone()))
            .undo_store(&store(&bench))
            .kept(&store(&bench), &file)
    };
    let report = attempted(&bench, "a-3", undo()).await;
    assert_eq!(report.verdict, Verdict::Satisfied, "{report:?}");
    assert!(std::fs::read(&path).unwrap() == old);
    let meta = std::fs::metadata(&path).unwrap();
    assert_eq!(mode(&path), 0o640);
    assert_eq!(
        report.outputs[0].1,
        format!("{} {}", meta.uid(), meta.gid())
    );
    // What is not what was kept is given to nobody.
    std::fs::write(&copy, "other").unwrap();
    let report = attempted(&bench, "a-4", undo()).await;
    assert_eq!(
        report.verdict,
        Verdict::Failed("what is kept of `conf` is not what it was".into())
    );
    assert!(std::fs::read(&path).unwrap() == old);
}

async fn a_record_that_a_loss_of_power_cut_is_none(shell: &str) {
    let bench = Bench::new(shell).await;
    let path = put(&bench, b"old\n", 0o640);
    let file = registered(&bench, &path).await;
    let dir = PathBuf::from(store(&bench));
    std::fs::create_dir_all(&dir).unwrap();
    for (attempt, cut) in [
        ("a-1", &b""[..]),
        ("a-2", b"absent"),
        ("a-3", b"\0\0\0\0\0\0\0\n"),
    ] {
        put(&bench, b"old\n", 0o640);
        std::fs::write(dir.join("conf.was"), cut).unwrap();
        let report = change(&bench, attempt, &file, &path).await;
        assert_eq!(report.verdict, Verdict::Satisfied, "{report:?}");
        assert_eq!(std::fs::read(dir.join("conf")).unwrap(), b"old\n");
        let was = std::fs::read_to_string(dir.join("conf.was")).unwrap();
        assert!(was.starts_with("file ") && was.ends_with('\n'), "{was}");
    }
}

async fn a_file_that_is_another_one_stops_the_attempt(shell: &str) {
    let bench = Bench::new(shell).await;
    let path = put(&bench, b"old\n", 0o640);
    let file = registered(&bench, &path).await;
    put(&bench, b"OLD\n", 0o640);
    let report = change(&bench, "a-1", &file, &path).await;
    assert!(report.stale, "{report:?}");
    put(&bench, b"old\n", 0o600);
    assert!(change(&bench, "a-2", &file, &path).await.stale, "its mode");
    std::fs::remove_file(&path).unwrap();
    assert!(
        change(&bench, "a-3", &file, &path).await.stale,
        "it is gone"
    );
    assert!(!Path::new(&path).exists() && !Path::new(&store(&bench)).exists());
    let file = registered(&bench, &path).await;
    put(&bench, b"old\n", 0o640);
    assert!(
        change(&bench, "a-4", &file, &path).await.stale,
        "it has come"
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"old\n");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        change(&bench, "a-5", &file, &path).await.verdict,
        Verdict::Satisfied
    );
    let undo = body("output copy \"[$before_conf]\"").undo_store(&store(&bench));
    let report = attempted(&bench, "a-6", undo.kept(&store(&bench), &file)).await;
    assert_eq!(report.outputs[0].1, "[]", "there was none");
}

async fn what_one_run_keeps_is_bounded(shell: &str) {
    let bench = Bench::new(shell).await;
    let path = put(&bench, b"old\n", 0o640);
    let file = registered(&bench, &path).await;
    let others = PathBuf::from(bench.host.undo_store(&bench.run, &id("a-9")));
    std::fs::create_dir_all(&others).unwrap();
    std::fs::File::create(others.join("x"))
        .unwrap()
        .set_len((256 << 20) - 3)
        .unwrap();
    let report = change(&bench, "a-1", &file, &path).await;
    let Verdict::Failed(message) = report.verdict else {
        panic!("{report:?}")
    };
    assert!(
        message.contains("256 MiB are the most") && !report.stale,
        "{message}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"old\n");
}

async fn what_is_kept_outlives_its_attempt_until_it_is_discarded(shell: &str) {
    let bench = Bench::new(shell).await;
    let path = put(&bench, b"old\n", 0o640);
    let file = registered(&bench, &path).await;
    change(&bench, "a-1", &file, &path).await;
    bench.host.wipe(&bench.run, &id("a-1")).await.unwrap();
    bench.host.forget(&bench.run, &id("a-1")).await.unwrap();
    bench.host.ready(&bench.run, Epoch(2)).await.unwrap();
    let copy = PathBuf::from(store(&bench)).join("conf");
    assert_eq!(std::fs::read(&copy).unwrap(), b"old\n");
    let run = bench.dir.path().join("state/runs").join(bench.run.as_str());
    std::fs::write(run.join("epoch/3"), "").unwrap();
    let late = bench.host.discard(&bench.run).await.unwrap_err();
    assert!(matches!(late.fault, Fault::Fenced(3)), "{late:?}");
    assert!(copy.exists());
    std::fs::remove_file(run.join("epoch/3")).unwrap();
    for _ in 0..2 {
        bench.host.discard(&bench.run).await.unwrap();
    }
    let names = std::fs::read_dir(run).unwrap();
    let mut names: Vec<_> = names.map(|name| name.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["epoch", "jobs"]);
}
