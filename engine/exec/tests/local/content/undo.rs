//! Swaps that are taken back.

use std::os::unix::fs::symlink;

use runbook_model::Event;
use serde_json::json;

use super::files::{Files, Ran};

/// How each undo ended, in their order.
fn undone(ran: &Ran) -> Vec<(u32, Option<String>)> {
    let undone = ran.events.iter().filter_map(|event| match event {
        Event::Undone { node, failure } => {
            Some((node.0, failure.as_ref().map(|f| f.message.clone())))
        }
        _ => None,
    });
    undone.collect()
}

fn well(ran: &Ran, count: usize) {
    let undone = undone(ran);
    assert_eq!(undone.len(), count, "{undone:?}");
    assert!(
        undone.iter().all(|(_, failure)| failure.is_none()),
        "{undone:?}"
    );
}

pub(crate) fn what_was_swapped_is_put_back(shell: &str) {
    let bench = Files::new(shell);
    let old = "grüße\r\n\n\n";
    bench.put("it's $x", old, 0o4750);
    bench.put("target", old, 0o600);
    bench.put("only its mode", "new", 0o640);
    symlink("target", bench.path("link")).unwrap();
    let plan = bench.held(
        "file",
        &[
            json!({ "path": "DIR/it's $x", "text": "new", "mode": "0600" }),
            json!({ "path": "DIR/link", "text": "new" }),
            json!({ "path": "DIR/none", "text": "new" }),
            json!({ "path": "DIR/only its mode", "text": "new", "mode": "0600" }),
        ],
    );
    let ran = bench.run(&plan);
    assert_eq!(ran.words(), ["changed"; 4]);
    well(&ran, 4);
    assert_eq!(
        (bench.text("it's $x").as_str(), bench.mode("it's $x")),
        (old, 0o4750)
    );
    assert_eq!(
        (bench.text("target").as_str(), bench.mode("target")),
        (old, 0o600)
    );
    assert!(bench.path("link").is_symlink());
    assert_eq!(bench.mode("only its mode"), 0o640);
    assert_eq!(
        bench.names(),
        ["it's $x", "link", "only its mode", "target"]
    );
}

pub(crate) fn what_a_loss_of_power_cut_is_kept_anew(shell: &str) {
    let bench = Files::new(shell);
    bench.put("conf", "old", 0o640);
    let hosts = bench.hosts();
    // As if an earlier attempt had lost its power before anything of it was durable.
    let validate = [
        "sh",
        "-c",
        "for j in \"$2\"/runs/*/jobs/*; do u=${j%/jobs/*}/undo/${j##*/}; mkdir -p \"$u\"; \
         : >\"$u/file.was\"; echo cut >\"$u/file.wrote\"; echo >>\"$2/../cut\"; done",
        "sh",
        "{}",
        hosts.to_str().unwrap(),
    ];
    let with = json!({ "path": "DIR/conf", "text": "new", "validate": validate });
    let ran = bench.run(&bench.held("file", &[with]));
    assert_eq!(ran.words(), ["changed"]);
    assert!(
        hosts.parent().unwrap().join("cut").exists(),
        "nothing was cut"
    );
    well(&ran, 1);
    assert_eq!(
        (bench.text("conf").as_str(), bench.mode("conf")),
        ("old", 0o640)
    );
}

pub(crate) fn changes_of_one_file_are_taken_back_in_reverse(shell: &str) {
    let bench = Files::new(shell);
    bench.put("conf", "a\n", 0o640);
    let lines = ["b", "c", "d"].map(|line| json!({ "path": "DIR/conf", "text": line }));
    let ran = bench.run(&bench.held("line", &lines));
    assert_eq!(ran.words(), ["changed"; 3]);
    well(&ran, 3);
    let order: Vec<u32> = undone(&ran).into_iter().map(|(node, _)| node).collect();
    assert!(order.is_sorted_by(|a, b| a > b), "{order:?}");
    assert_eq!(
        (bench.text("conf").as_str(), bench.mode("conf")),
        ("a\n", 0o640)
    );
}

pub(crate) fn what_was_written_by_somebody_else_stays(shell: &str) {
    let bench = Files::new(shell);
    bench.put("there", "old", 0o640);
    bench.put("gone", "old", 0o640);
    let with = |name: &str| json!({ "path": format!("DIR/{name}"), "text": "new" });
    let plan = bench.held("file", &["there", "gone", "none"].map(with));
    let paths = ["there", "gone", "none"].map(|name| bench.path(name));
    let ran = bench.run_with(
        &plan,
        Box::new(move |event| {
            if matches!(event, Event::Ending { .. }) {
                std::fs::write(&paths[0], "other").unwrap();
                std::fs::remove_file(&paths[1]).unwrap();
                std::fs::write(&paths[2], "other").unwrap();
            }
        }),
    );
    let undone = undone(&ran);
    assert_eq!(undone.len(), 3);
    for (_, failure) in undone {
        let failure = failure.unwrap();
        assert!(
            failure.contains("changed by somebody else after it was written"),
            "{failure}"
        );
    }
    assert_eq!(
        (bench.text("there").as_str(), bench.text("none").as_str()),
        ("other", "other")
    );
    assert_eq!(bench.names(), ["none", "there"]);
}

pub(crate) fn an_old_secret_is_put_back(shell: &str) {
    let bench = Files::new(shell).with_secret("hunter2\n");
    bench.put("key", "hunter1\n", 0o640);
    let with = json!({ "path": "DIR/key", "key": "{{inputs.password}}" });
    let plan = bench.held("test.secret", std::slice::from_ref(&with));
    let ran = bench.run(&plan);
    assert_eq!(ran.words(), ["changed"]);
    well(&ran, 1);
    assert_eq!(
        (bench.text("key").as_str(), bench.mode("key")),
        ("hunter1\n", 0o640)
    );
    assert!(!ran.stored().contains("hunter"));
    // As long as it was, and at once: it is no longer what was written.
    let path = bench.path("key");
    let ran = bench.run_with(
        &plan,
        Box::new(move |event| {
            if matches!(event, Event::Ending { .. }) {
                std::fs::write(&path, "hunter3\n").unwrap();
            }
        }),
    );
    assert!(undone(&ran)[0].1.is_some());
    assert_eq!(bench.text("key"), "hunter3\n");
}

pub(crate) fn what_is_too_large_to_be_kept_is_left_as_it_is(shell: &str) {
    let bench = Files::new(shell);
    let large = std::fs::File::create(bench.path("large")).unwrap();
    large.set_len((16 << 20) + 1).unwrap();
    let plan = bench.plan("file", &[json!({ "path": "DIR/large", "text": "new" })]);
    let failure = bench.run(&plan).failure();
    assert!(
        failure.contains("no more than 16 MiB are kept for undo"),
        "{failure}"
    );
    assert_eq!(large.metadata().unwrap().len(), (16 << 20) + 1);
    assert_eq!(bench.names(), ["large"]);
}
