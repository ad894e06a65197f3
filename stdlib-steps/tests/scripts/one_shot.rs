//! `podman.oneshot` against a `podman` that answers from a table: what has run is never run again.

use std::fs;

use crate::{
    bench::{Bench, Ran, SHELLS, list, type_named},
    container::{EMPTY, ONE, RECORDED, made},
};

fn one_shot(facts: &str) -> Ran {
    let bench = Bench::new();
    bench.command(
        "podman",
        &ONE.replace("*CreateCommand*", "NEVER")
            .replace("'ps -a')", "'logs --tail') echo the end ;; 'ps -a')"),
    );
    fs::write(bench.path("facts"), facts).unwrap();
    fs::write(bench.path("image"), "0123\n").unwrap();
    let (like, command) = (
        list(&["podman", "run", "-d", "image:1"]),
        list(&["migrate", "head"]),
    );
    let params = [
        ("name", "quay01"),
        ("image", "image:2"),
        ("like", &like),
        ("command", &command),
    ];
    bench.run(SHELLS[0], &type_named("podman.oneshot"), "check", &params)
}

#[test]
fn a_one_shot_is_judged_by_how_it_ended() {
    let never = "0001-01-01T00:00:00Z";
    let done = one_shot("exited,0,\"2026\",\"2026\",0123\n");
    assert!(
        done.ended
            && done.of_kind("differs").is_empty()
            && done.of_kind("output").contains(&"exit_code 0"),
        "{done:?}"
    );
    let running = one_shot(&format!("running,0,\"2026\",\"{never}\",0123\n"));
    assert!(
        running.ended && running.of_kind("differs")[0].contains("still runs"),
        "{running:?}"
    );
    let fresh = one_shot(&format!("created,0,\"{never}\",\"{never}\",0123\n"));
    assert!(
        fresh.ended && fresh.of_kind("differs")[0].contains("has not run"),
        "{fresh:?}"
    );
    for (facts, reason) in [
        ("exited,3,\"2026\",\"2026\",0123\n".to_owned(), "status 3"),
        (format!("exited,0,\"2026\",\"{never}\",0123\n"), "cut off"),
        (format!("created,0,\"2026\",\"{never}\",0123\n"), "cut off"),
        (
            "exited,0,\"2026\",\"2026\",4567\n".to_owned(),
            "another image",
        ),
    ] {
        let ran = one_shot(&facts);
        assert!(
            !ran.ended && ran.of_kind("fail")[0].contains(reason),
            "{facts}: {ran:?}"
        );
    }
}

#[test]
fn a_one_shot_takes_no_ports_and_no_restart_policy() {
    let (like, command) = (list(RECORDED), list(&["migrate", "head"]));
    let params = [
        ("name", "migrate-1"),
        ("image", "image:2"),
        ("like", &like),
        ("command", &command),
        ("privileged", "false"),
    ];
    for shell in SHELLS {
        let bench = Bench::new();
        bench.command("podman", EMPTY);
        let ran = bench.run(shell, &type_named("podman.oneshot"), "apply", &params);
        // This podman shows no container afterwards, so the script must not call it done.
        assert!(
            ran.of_kind("fail")[0].contains("migrate-1 is absent"),
            "{shell:?} {ran:?}"
        );
        assert_eq!(
            made(&bench),
            [
                "run",
                "--pull=never",
                "--restart=no",
                "--sig-proxy=false",
                "--name=migrate-1",
                "--sysctl=net.core.somaxconn=4096",
                "--env=DEBUGLOG=true",
                "--env=IGNORE_VALIDATION=false",
                "--volume=/mnt/quay/config:/conf/stack:Z",
                "--volume=/mnt/quay/storage:/datastorage:ro,Z",
                "--privileged=false",
                "--",
                "image:2",
                "migrate",
                "head",
            ],
            "{shell:?}"
        );
    }
}
