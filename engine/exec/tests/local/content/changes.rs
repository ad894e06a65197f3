//! Changes to what is there: made, shown, not made twice, and not made at all where it is not safe.

use runbook_model::Event;
use serde_json::{Value, json};

use super::files::Files;

/// Changes a file in one step, and finds nothing to do afterwards; gives what was said before.
fn changed(bench: &Files, uses: &str, step: &Value, now: &str, wanted: &str) -> String {
    bench.put("x", now, 0o640);
    let plan = bench.plan(uses, std::slice::from_ref(step));
    let said = bench.forecast(&plan);
    let ran = bench.run(&plan);
    assert_eq!(ran.words(), ["changed"], "{said}");
    assert_eq!(bench.text("x"), wanted);
    assert_eq!(
        (bench.mode("x"), bench.names()),
        (0o640, vec!["x".to_owned()])
    );
    assert_eq!(bench.run(&plan).words(), ["no change"]);
    said
}

pub(crate) fn keys_of_yaml_are_merged(shell: &str) {
    let bench = Files::new(shell);
    let now = "# it's $HOME\r\nA: 1   # one\r\nB: {c: no}\r\nD:\r\n";
    let wanted = "# it's $HOME\r\nA: two   # one\r\nB: {c: 'no', e: 2}\r\n";
    let step =
        json!({ "path": "DIR/x", "values": { "A": "two", "B": { "c": "no", "e": 2 }, "D": null } });
    let said = changed(&bench, "yaml.merge", &step, now, wanted);
    insta::allow_duplicates! {
        insta::assert_snapshot!(said.replace('\r', "<CR>"), @"
        text differs
        --- now
        +++ wanted
        @@ -2,3 +2,2 @@
        -A: 1   # one<CR>
        -B: {c: no}<CR>
        -D:<CR>
        +A: two   # one<CR>
        +B: {c: 'no', e: 2}<CR>
        ");
    }
    // Parameters in a map keep their type; one that is not given leaves its key alone.
    let step = json!({ "path": "DIR/x", "port": 5432 });
    changed(
        &bench,
        "test.parts",
        &step,
        "db:\n  none: 1 # kept\n",
        "db:\n  none: 1 # kept\n  port: 5432\n  ssl: true\n",
    );
    // A file that is not there is a new one.
    let new = bench.plan(
        "yaml.merge",
        &[json!({ "path": "DIR/new", "values": { "a": { "b": [1] } } })],
    );
    assert_eq!(bench.run(&new).words(), ["changed"]);
    assert_eq!(
        (bench.text("new").as_str(), bench.mode("new")),
        ("a:\n  b:\n    - 1\n", 0o600)
    );
    let none = bench.plan(
        "yaml.merge",
        &[json!({ "path": "DIR/none", "values": { "a": null } })],
    );
    assert_eq!(bench.run(&none).words(), ["no change"]);
    assert_eq!(bench.names(), ["new", "x"]);
}

pub(crate) fn keys_of_json_are_merged(shell: &str) {
    let bench = Files::new(shell);
    let now = "{\n\t// \\ 'quoted'\n\t\"a\": 1, // one\n\t\"b\": {\"c\":1}\n}";
    let wanted = "{\n\t// \\ 'quoted'\n\t\"a\": \"\\u001b$(id)\", // one\n\t\"b\": {\"c\":1},\n\t\"d\": {}\n}";
    let step = json!({ "path": "DIR/x", "values": { "a": "\u{1b}$(id)", "d": {} } });
    changed(&bench, "json.merge", &step, now, wanted);
}

pub(crate) fn keys_of_ini_are_set(shell: &str) {
    let bench = Files::new(shell);
    let now = "; top\n[defaults]\n# about it\nforks = 5\nold=1\n\n[ssh]\npipelining = True";
    let wanted =
        "; top\n[defaults]\n# about it\nforks = 10\n\n[ssh]\npipelining = True\nargs = -o 'x y'\n";
    let step = json!({ "path": "DIR/x", "values": { "defaults": { "forks": 10, "old": null }, "ssh": { "args": "-o 'x y'" } }, "validate": ["grep", "-q", "forks = 10", "{}"] });
    changed(&bench, "ini", &step, now, wanted);
}

pub(crate) fn a_line_is_ensured(shell: &str) {
    let bench = Files::new(shell);
    let step = json!({ "path": "DIR/x", "text": "Port 22 # $x", "match": "^#?Port\\s" });
    let said = changed(
        &bench,
        "line",
        &step,
        "a\n#Port 2222\nb\n",
        "a\nPort 22 # $x\nb\n",
    );
    insta::allow_duplicates! {
        insta::assert_snapshot!(said, @"
        text differs
        --- now
        +++ wanted
        @@ -2 +2 @@
        -#Port 2222
        +Port 22 # $x
        ");
    }
    let step = json!({ "path": "DIR/x", "text": "b", "state": "absent" });
    changed(&bench, "line", &step, "a\nb\nb", "a\n");
    let step = json!({ "path": "DIR/none", "text": "b", "state": "absent" });
    assert_eq!(
        bench.run(&bench.plan("line", &[step])).words(),
        ["no change"]
    );
}

pub(crate) fn a_block_is_ensured(shell: &str) {
    let bench = Files::new(shell);
    let step = json!({ "path": "DIR/x", "name": "it's mine", "text": "1\n2\n", "after": "^a", "comment": "//" });
    let wanted = "a\n// BEGIN it's mine\n1\n2\n// END it's mine\nb\n";
    changed(&bench, "block", &step, "a\nb\n", wanted);
    changed(
        &bench,
        "block",
        &step,
        &wanted.replace("1\n", "x\ny\n"),
        wanted,
    );
    let gone = json!({ "path": "DIR/x", "name": "it's mine", "comment": "//", "state": "absent" });
    changed(&bench, "block", &gone, wanted, "a\nb\n");
    bench.put("x", "// BEGIN it's mine\n", 0o644);
    assert_eq!(
        bench.forecast(&bench.plan("block", &[step])),
        "error: DIR/x cannot be changed: the marks of the block are damaged: the one in line 1 has no end"
    );
}

pub(crate) fn what_cannot_be_changed_is_left_as_it_is(shell: &str) {
    let bench = Files::new(shell);
    let plan = bench.plan("line", &[json!({ "path": "DIR/x", "text": "b" })]);
    for (bytes, why) in [
        (
            b"a\xff\n".to_vec(),
            "it is not UTF-8, or holds NUL, or is written at this moment",
        ),
        (
            b"a\0\n".to_vec(),
            "it is not UTF-8, or holds NUL, or is written at this moment",
        ),
        (vec![b'a'; 300 * 1024], "it is larger than 256 KiB"),
    ] {
        std::fs::write(bench.path("x"), &bytes).unwrap();
        let said = bench.forecast(&plan);
        assert_eq!(said, format!("error: DIR/x cannot be changed: {why}"));
        assert_eq!(bench.run(&plan).words(), ["failed"]);
        assert_eq!(std::fs::read(bench.path("x")).unwrap(), bytes);
    }
    // A link is followed, and stays.
    bench.put("x", "a\n", 0o644);
    std::os::unix::fs::symlink("x", bench.path("link")).unwrap();
    let link = bench.plan("line", &[json!({ "path": "DIR/link", "text": "b" })]);
    assert_eq!(bench.run(&link).words(), ["changed"]);
    assert_eq!(bench.text("x"), "a\nb\n");
    assert!(
        std::fs::symlink_metadata(bench.path("link"))
            .unwrap()
            .is_symlink()
    );
}

pub(crate) fn a_change_is_made_of_what_was_looked_at(shell: &str) {
    let bench = Files::new(shell);
    bench.put("x", "a: 1\n", 0o644);
    let plan = bench.plan(
        "yaml.merge",
        &[json!({ "path": "DIR/x", "values": { "b": 2 } })],
    );
    let path = bench.path("x");
    let ran = bench.run_with(
        &plan,
        Box::new(move |event| {
            if matches!(event, Event::Dispatched { .. }) {
                std::fs::write(&path, "c: 3\n").unwrap();
            }
        }),
    );
    let said = ran.failure();
    assert!(
        said.contains("changed by somebody else") && said.contains("`resume` looks again"),
        "{said}"
    );
    assert_eq!(bench.text("x"), "c: 3\n");
    let again = bench.resume(ran);
    assert_eq!(again.words(), ["changed"]);
    assert_eq!(bench.text("x"), "c: 3\nb: 2\n");
}

pub(crate) fn secrets_in_a_change_leave_no_trace(shell: &str) {
    let bench = Files::new(shell).with_secret("hunter2 'x' $(id)\nsecond line");
    for (uses, step) in [
        (
            "yaml.merge",
            json!({ "path": "DIR/x", "secrets": { "db": { "key": "{{inputs.password}}" } } }),
        ),
        (
            "test.parts",
            json!({ "path": "DIR/x", "port": 1, "key": "{{inputs.password}}" }),
        ),
    ] {
        bench.put("x", "db:\n  key: hunter1\n", 0o600);
        let plan = bench.plan(uses, &[step]);
        assert_eq!(
            bench.forecast(&plan),
            "text differs; it is a secret, so it is not shown"
        );
        let ran = bench.run(&plan);
        assert_eq!(ran.words(), ["changed"]);
        let text = bench.text("x");
        assert!(
            text.starts_with("db:\n  key: |-\n    hunter2 'x' $(id)\n    second line\n"),
            "{text}"
        );
        assert!(!ran.outputs().contains_key("sha256"));
        let stored = ran.stored();
        for trace in ["hunter", "second line"] {
            assert!(!stored.contains(trace), "{trace} in {stored}");
        }
        assert_eq!(bench.run(&plan).words(), ["no change"]);
    }
}
