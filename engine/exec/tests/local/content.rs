//! Files with a wanted content, in every shell: compared, shown, swapped, and left alone when they
//! are not what they were.

mod changes;
mod files;
mod undo;

use std::os::unix::fs::{MetadataExt, symlink};

use changes::{
    a_block_is_ensured, a_change_is_made_of_what_was_looked_at, a_line_is_ensured,
    keys_of_ini_are_set, keys_of_json_are_merged, keys_of_yaml_are_merged,
    secrets_in_a_change_leave_no_trace, what_cannot_be_changed_is_left_as_it_is,
};
use files::Files;
use runbook_model::Event;
use serde_json::json;
use undo::{
    an_old_secret_is_put_back, changes_of_one_file_are_taken_back_in_reverse,
    what_a_loss_of_power_cut_is_kept_anew, what_is_too_large_to_be_kept_is_left_as_it_is,
    what_was_swapped_is_put_back, what_was_written_by_somebody_else_stays,
};

macro_rules! in_every_shell {
    ($($name:ident),*) => {
        in_every_shell!(@ dash, "dash", $($name),*);
        in_every_shell!(@ bash, "bash --posix", $($name),*);
        in_every_shell!(@ busybox, "busybox sh", $($name),*);
        in_every_shell!(@ applets, "applets", $($name),*);
        in_every_shell!(@ mksh, "mksh", $($name),*);
    };
    (@ $module:ident, $shell:literal, $($name:ident),*) => {
        mod $module {
            $(#[test] fn $name() { super::$name($shell); })*
        }
    };
}

in_every_shell!(
    any_text_arrives_as_it_is,
    what_a_loss_of_power_left_goes_with_the_next_swap,
    drift_is_shown_and_repaired,
    a_file_that_changed_meanwhile_is_left_as_it_is,
    a_change_during_the_validation_wins,
    a_refused_text_leaves_the_old_file,
    links_are_followed_and_directories_refused,
    what_is_only_created_is_never_changed,
    a_secret_text_leaves_no_trace,
    keys_of_yaml_are_merged,
    keys_of_json_are_merged,
    keys_of_ini_are_set,
    a_line_is_ensured,
    a_block_is_ensured,
    what_cannot_be_changed_is_left_as_it_is,
    a_change_is_made_of_what_was_looked_at,
    secrets_in_a_change_leave_no_trace,
    what_was_swapped_is_put_back,
    what_a_loss_of_power_cut_is_kept_anew,
    changes_of_one_file_are_taken_back_in_reverse,
    what_was_written_by_somebody_else_stays,
    an_old_secret_is_put_back,
    what_is_too_large_to_be_kept_is_left_as_it_is
);

fn what_a_loss_of_power_left_goes_with_the_next_swap(shell: &str) {
    let bench = Files::new(shell);
    let list = bench.path("list");
    // While the new text is looked at, it is there under its name of that time.
    let validate = [
        "sh",
        "-c",
        "ls -A \"${1%/*}\" >\"$2\"",
        "sh",
        "{}",
        list.to_str().unwrap(),
    ];
    let step = |text: &str| json!({ "path": "DIR/x", "text": text, "validate": validate });
    bench.run(&bench.plan("file", &[step("one")]));
    let listed = bench.text("list");
    let name = listed
        .lines()
        .find(|name| name.starts_with(".runbook."))
        .unwrap();
    let stem = &name[..name.len() - 6];
    let (left, other) = (format!("{stem}ABCdef"), format!("{stem}more than six"));
    bench.put(&left, "a secret", 0o600);
    bench.put(&other, "somebody else's", 0o600);
    let ran = bench.run(&bench.plan("file", &[step("two")]));
    assert_eq!(ran.words(), ["changed"]);
    assert_eq!(bench.names(), [other, "list".to_owned(), "x".to_owned()]);
}

fn any_text_arrives_as_it_is(shell: &str) {
    let bench = Files::new(shell);
    let many: String = (0..9_000)
        .map(|n| format!("line '{n}' of $many\n"))
        .collect();
    let texts = [
        "",
        "no newline at the end",
        "\n\n\n",
        "it's \"quoted\" $(touch /nowhere) `id` ${HOME} \\n \\ %s %% !! #\n",
        "grüße 日本 🦀\r\n\ttab\u{1b}[31m\n",
        "-n\n-e\n--\n",
        "{{not.a.template}} {{#if}}\n",
        many.as_str(),
    ];
    let name = |at: usize| format!("a 'b' \"c\" $d\\ -{at} ü*");
    let steps: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| json!({ "path": format!("DIR/{}", name(at)), "text": text }))
        .collect();
    let plan = bench.plan("file", &steps);
    assert_eq!(bench.run(&plan).words(), ["changed"; 8]);
    for (at, text) in texts.iter().enumerate() {
        assert_eq!(bench.text(&name(at)), *text, "{at}");
        assert_eq!(bench.mode(&name(at)), 0o644);
    }
    assert_eq!(bench.names().len(), texts.len());
    assert_eq!(bench.run(&plan).words(), ["no change"; 8]);
}

fn drift_is_shown_and_repaired(shell: &str) {
    let bench = Files::new(shell);
    bench.put("motd", "one\ntwo\nthree", 0o600);
    let plan = bench.plan(
        "file",
        &[json!({ "path": "DIR/motd", "text": "one\n2\nthree\n", "mode": "0640" })],
    );
    insta::allow_duplicates! {
        insta::assert_snapshot!(bench.forecast(&plan), @r"
        text differs
        --- now
        +++ wanted
        @@ -1,3 +1,3 @@
         one
        -two
        -three
        \ No newline at end of file
        +2
        +three
        mode is 0600, should be 0640
        ");
    }
    let ran = bench.run(&plan);
    assert_eq!(ran.words(), ["changed"]);
    assert_eq!(
        (bench.text("motd").as_str(), bench.mode("motd")),
        ("one\n2\nthree\n", 0o640)
    );
    let (before, outputs) = (ran.before(), ran.outputs());
    assert_eq!(
        (before["existed"].as_str(), before["mode"].as_str()),
        ("true", "600")
    );
    assert_eq!(
        before["sha256"],
        "058053d87c818d699cde0f00d670bca0e1c6ad857caa9758ea6a556d7c64fcee"
    );
    assert_eq!(outputs["existed"], true);
    assert_eq!(outputs["sha256"], outputs["seen"]);
    assert_eq!(bench.names(), ["motd"]);
    // What is no text, or too large, is told apart by its digest.
    std::fs::write(bench.path("motd"), b"a\0b\xff").unwrap();
    assert_eq!(
        bench.forecast(&plan),
        "text differs; what is there is too large to be shown, or is not text"
    );
    assert_eq!(bench.run(&plan).words(), ["changed"]);
    assert_eq!(bench.text("motd"), "one\n2\nthree\n");
    let owned = bench.plan("file", &[json!({ "path": "DIR/motd", "text": "one\n2\nthree\n", "mode": "0640", "owner": "65534" })]);
    if std::fs::metadata(bench.path("motd")).unwrap().uid() == 0 {
        assert_eq!(bench.forecast(&owned), "owner is root, should be 65534");
        assert_eq!(bench.run(&owned).words(), ["changed"]);
        assert_eq!(std::fs::metadata(bench.path("motd")).unwrap().uid(), 65534);
        // What is not given is kept.
        let other = bench.plan("file", &[json!({ "path": "DIR/motd", "text": "other\n" })]);
        assert_eq!(bench.run(&other).words(), ["changed"]);
        let found = std::fs::metadata(bench.path("motd")).unwrap();
        assert_eq!((found.uid(), bench.mode("motd")), (65534, 0o644));
    } else {
        assert_eq!(
            bench.run(&owned).failure(),
            "it cannot be given to the owner 65534"
        );
    }
}

fn a_file_that_changed_meanwhile_is_left_as_it_is(shell: &str) {
    let bench = Files::new(shell);
    for old in [Some("old\n"), None] {
        match old {
            Some(old) => bench.put("x", old, 0o644),
            None => std::fs::remove_file(bench.path("x")).unwrap(),
        }
        let plan = bench.plan("file", &[json!({ "path": "DIR/x", "text": "new\n" })]);
        let path = bench.path("x");
        let ran = bench.run_with(
            &plan,
            Box::new(move |event| {
                if matches!(event, Event::Dispatched { .. }) {
                    std::fs::write(&path, "from somebody else\n").unwrap();
                }
            }),
        );
        assert_eq!(ran.words(), ["failed"]);
        let said = ran.failure();
        assert!(
            said.contains("changed by somebody else") && said.contains("`resume` looks again"),
            "{said}"
        );
        assert_eq!(bench.text("x"), "from somebody else\n");
        assert_eq!(bench.names(), ["x"]);
        // Whoever resumes has been told: the version that is there now is replaced.
        let again = bench.resume(ran);
        assert_eq!(again.words(), ["changed"]);
        assert_eq!(again.outputs()["existed"], old.is_some());
        assert_eq!(bench.text("x"), "new\n");
    }
}

fn a_change_during_the_validation_wins(shell: &str) {
    let bench = Files::new(shell);
    let path = bench.path("x");
    let validate = [
        "sh",
        "-c",
        "echo other >\"$1\"",
        "sh",
        path.to_str().unwrap(),
        "{}",
    ];
    let step = json!({ "path": "DIR/x", "text": "new\n", "validate": validate });
    for old in [None, Some("old\n")] {
        if let Some(old) = old {
            bench.put("x", old, 0o644);
        }
        let ran = bench.run(&bench.plan("file", std::slice::from_ref(&step)));
        let said = ran.failure();
        assert!(said.contains("changed by somebody else"), "{said}");
        assert_eq!(
            (bench.text("x").as_str(), bench.names()),
            ("other\n", vec!["x".to_owned()])
        );
    }
}

fn a_refused_text_leaves_the_old_file(shell: &str) {
    let bench = Files::new(shell);
    bench.put("x", "old\n", 0o600);
    let step = |text: &str, validate: &[&str]| json!({ "path": "DIR/x", "text": text, "validate": validate });
    let good = ["grep", "-q", "good $(id) 'x'", "{}"];
    let ran = bench.run(&bench.plan("file", &[step("bad\n", &good)]));
    assert_eq!(
        ran.failure(),
        format!(
            "`grep` refused the new text with status 1, so {} was left as it is",
            bench.path("x").display()
        )
    );
    let ran = bench.run(&bench.plan("file", &[step("bad\n", &["no-such-command-x", "{}"])]));
    assert_eq!(
        ran.failure(),
        "the command `no-such-command-x` is not installed here"
    );
    let ran = bench.run(&bench.plan("file", &[step("bad\n", &["cp", "/dev/null", "{}"])]));
    assert!(
        ran.failure().starts_with("`cp` changed the new text"),
        "{}",
        ran.failure()
    );
    let ran = bench.run(&bench.plan("file", &[step("bad\n", &["true"])]));
    assert!(ran.failure().contains("has no `{}`"), "{}", ran.failure());
    assert_eq!(
        (bench.text("x").as_str(), bench.mode("x"), bench.names()),
        ("old\n", 0o600, vec!["x".to_owned()])
    );
    let ran = bench.run(&bench.plan("file", &[step("good $(id) 'x'\n", &good)]));
    assert_eq!(ran.words(), ["changed"]);
    assert_eq!(bench.text("x"), "good $(id) 'x'\n");
}

fn links_are_followed_and_directories_refused(shell: &str) {
    let bench = Files::new(shell);
    bench.put("real", "old\n", 0o600);
    symlink("real", bench.path("link")).unwrap();
    symlink("later", bench.path("dangling")).unwrap();
    symlink("circle", bench.path("circle")).unwrap();
    let file = |name: &str| {
        bench.plan(
            "file",
            &[json!({ "path": format!("DIR/{name}"), "text": "new\n" })],
        )
    };
    for (link, target) in [("link", "real"), ("dangling", "later")] {
        assert_eq!(bench.run(&file(link)).words(), ["changed"]);
        assert_eq!(bench.text(target), "new\n");
        assert!(
            std::fs::symlink_metadata(bench.path(link))
                .unwrap()
                .is_symlink()
        );
    }
    std::fs::create_dir(bench.path("dir")).unwrap();
    assert_eq!(
        bench.forecast(&file("dir")),
        "error: DIR/dir is a directory"
    );
    assert!(
        bench
            .run(&file("dir"))
            .failure()
            .ends_with("dir is a directory")
    );
    let ran = bench.run(&file("circle"));
    assert!(
        ran.failure().ends_with("is a link that leads nowhere"),
        "{}",
        ran.failure()
    );
    let ran = bench.run(&file("none/x"));
    assert!(
        ran.failure().starts_with("there is no directory "),
        "{}",
        ran.failure()
    );
    assert_eq!(
        bench.names(),
        ["circle", "dangling", "dir", "later", "link", "real"]
    );
}

fn what_is_only_created_is_never_changed(shell: &str) {
    let bench = Files::new(shell);
    let plan = bench.plan(
        "file",
        &[json!({ "path": "DIR/x", "text": "first\n", "create_only": true })],
    );
    insta::allow_duplicates! {
        insta::assert_snapshot!(bench.forecast(&plan), @"
        DIR/x is not there
        --- now
        +++ wanted
        @@ -0,0 +1 @@
        +first
        ");
    }
    let ran = bench.run(&plan);
    assert_eq!(ran.words(), ["changed"]);
    assert_eq!(ran.outputs()["existed"], false);
    bench.put("x", "whatever", 0o600);
    let ran = bench.run(&plan);
    assert_eq!(ran.words(), ["no change"]);
    assert_eq!(ran.outputs()["existed"], true);
    assert_eq!(
        (bench.text("x").as_str(), bench.mode("x")),
        ("whatever", 0o600)
    );
}

fn a_secret_text_leaves_no_trace(shell: &str) {
    // Of what the file held, holds and should hold: a digest can be tried against guesses.
    let digests = ["a2b1ff5b252b9f4d", "f984cc690bb926bc", "36289f914e965833"];
    let bench = Files::new(shell).with_secret("hunter2 'x' $(id)\nsecond line\n");
    bench.put("key", "hunter1 'x' $(id)\nsecond line\n", 0o600);
    let plan = bench.plan(
        "test.secret",
        &[json!({ "path": "DIR/key", "key": "{{inputs.password}}" })],
    );
    assert_eq!(
        bench.forecast(&plan),
        "text differs; it is a secret, so it is not shown"
    );
    let path = bench.path("key");
    let ran = bench.run_with(
        &plan,
        Box::new(move |event| {
            if matches!(event, Event::Dispatched { .. }) {
                // As long as it was before.
                std::fs::write(&path, "hunter0 'x' $(id)\nsecond line\n").unwrap();
            }
        }),
    );
    assert!(
        ran.failure().contains("changed by somebody else"),
        "{}",
        ran.failure()
    );
    assert_eq!(bench.text("key"), "hunter0 'x' $(id)\nsecond line\n");
    let again = bench.resume(ran);
    assert_eq!(again.words(), ["changed"]);
    assert_eq!(bench.text("key"), "hunter2 'x' $(id)\nsecond line\n");
    assert_eq!(
        (bench.mode("key"), bench.names()),
        (0o600, vec!["key".to_owned()])
    );
    assert!(!again.outputs().contains_key("sha256"));
    let stored = again.stored();
    assert!(stored.contains("it is not shown"));
    for trace in ["hunter", "second line"].iter().chain(&digests) {
        assert!(!stored.contains(*trace), "{trace} in {stored}");
    }
    assert_eq!(bench.run(&plan).words(), ["no change"]);
}
