//! `podman.container` against a `podman` that answers from a table: what is made from a recorded
//! create command, in every shell.

use std::fs;

use crate::bench::{Bench, Ran, SHELLS, list, type_named};

/// `podman run` as the guide of the registry says it, with the usual ways to write an option.
pub(crate) const RECORDED: &[&str] = &[
    "/usr/bin/podman",
    "run",
    "--restart=always",
    "-p",
    "443:8443",
    "-p80:8080",
    "--sysctl",
    "net.core.somaxconn=4096",
    "--name=quay01",
    "--privileged=true",
    "-it",
    "-e",
    "DEBUGLOG=true",
    "--env",
    "IGNORE_VALIDATION=false",
    "-v",
    "/mnt/quay/config:/conf/stack:Z",
    "--volume=/mnt/quay/storage:/datastorage:ro,Z",
    "-d",
    "registry.example/quay:v1",
];

/// A `podman` without containers: `run` and `create` write their words to a file, NUL behind each.
pub(crate) const EMPTY: &str = r#"
case $1 in
  ps) ;;
  image) case $2 in inspect) echo 0123 ;; esac ;;
  run|create) printf '%s\0' "$@" >"${0%/*}/../made" ;;
  *) echo "not in the table: $*" >&2; exit 99 ;;
esac"#;

pub(crate) fn made(bench: &Bench) -> Vec<String> {
    let text = fs::read(bench.path("made")).unwrap();
    String::from_utf8(text)
        .unwrap()
        .split_terminator('\0')
        .map(str::to_owned)
        .collect()
}

fn wanted<'a>(like: &'a str, extra: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut params = vec![
        ("name", "quay01"),
        ("state", "running"),
        ("like", like),
        ("image", "registry.example/quay@sha256:00"),
    ];
    params.extend_from_slice(extra);
    params
}

fn apply(shell: &[&str], params: &[(&str, &str)]) -> (Bench, Ran) {
    let bench = Bench::new();
    bench.command("podman", EMPTY);
    let ran = bench.run(shell, &type_named("podman.container"), "apply", params);
    (bench, ran)
}

#[test]
fn what_is_not_named_comes_from_the_record() {
    let like = list(RECORDED);
    let env = list(&["QUAY_DISTRIBUTED_STORAGE_PREFERENCE=region_a"]);
    let unset = list(&["IGNORE_VALIDATION"]);
    let params = wanted(
        &like,
        &[
            ("env", &env),
            ("unset_env", &unset),
            ("mount_label", "z"),
            ("privileged", "false"),
        ],
    );
    for shell in SHELLS {
        let (bench, ran) = apply(shell, &params);
        assert!(ran.ended && ran.status == Some(0), "{shell:?} {ran:?}");
        assert_eq!(
            made(&bench),
            [
                "run",
                "--pull=never",
                "--name=quay01",
                "--detach",
                "--restart=always",
                "--publish=443:8443",
                "--publish=80:8080",
                "--sysctl=net.core.somaxconn=4096",
                "--env=DEBUGLOG=true",
                "--volume=/mnt/quay/config:/conf/stack:z",
                "--volume=/mnt/quay/storage:/datastorage:ro,z",
                "--env=QUAY_DISTRIBUTED_STORAGE_PREFERENCE=region_a",
                "--privileged=false",
                "--",
                "registry.example/quay@sha256:00",
            ],
            "{shell:?}"
        );
    }
}

#[test]
fn words_arrive_as_they_are() {
    let odd = "a 'b' \"c\" $(touch /tmp/x) `d` \\ * é\n-e\tz";
    let env = format!("ODD={odd}");
    let label = format!("note={odd}");
    let like = list(&[
        "podman", "run", "-d", "--label", &label, "-e", &env, "image:1", "sh", "-c", odd, "",
        "--name",
    ]);
    for shell in SHELLS {
        let (bench, ran) = apply(shell, &wanted(&like, &[]));
        assert!(ran.ended, "{shell:?} {ran:?}");
        let (label, env) = (format!("--label={label}"), format!("--env={env}"));
        assert_eq!(
            made(&bench)[4..],
            [
                label.as_str(),
                &env,
                "--",
                "registry.example/quay@sha256:00",
                "sh",
                "-c",
                odd,
                "",
                "--name"
            ],
            "{shell:?}"
        );
    }
}

#[test]
fn a_record_that_cannot_be_read_for_sure_is_refused() {
    let cases: &[(&[&str], &str)] = &[
        (
            &["podman", "run", "--frobnicate", "x", "image"],
            "the option --frobnicate",
        ),
        (&["podman", "run", "-d", "-Zx", "image"], "the option -Z"),
        (
            &["podman", "--root", "/x", "run", "image"],
            "begins with --root",
        ),
        (&["podman", "run", "-d"], "names no image"),
        (&["podman", "run", "-d", "--name"], "ends behind --name"),
        (
            &["podman", "run", "-v", "./config:/conf", "image"],
            "relative to a directory",
        ),
        (&["podman"], "no create command is recorded"),
    ];
    for (words, reason) in cases {
        let like = list(words);
        for shell in SHELLS {
            let (bench, ran) = apply(shell, &wanted(&like, &[]));
            assert!(
                ran.of_kind("fail").iter().any(|text| text.contains(reason)),
                "{shell:?} {words:?}: {ran:?}"
            );
            assert!(
                !ran.ended && !bench.path("made").exists(),
                "{shell:?} {words:?}: {ran:?}"
            );
        }
    }
}

#[test]
fn without_a_record_nothing_is_made() {
    for shell in SHELLS {
        let (bench, ran) = apply(shell, &wanted("", &[]));
        assert!(
            ran.of_kind("fail")
                .iter()
                .any(|text| text.contains("needs `like`")),
            "{shell:?} {ran:?}"
        );
        assert!(!bench.path("made").exists());
    }
}

#[test]
fn a_podman_that_fails_is_an_error_and_not_an_absence() {
    for state in ["running", "stopped", "absent"] {
        for shell in SHELLS {
            let bench = Bench::new();
            bench.command("podman", "exit 125");
            let ran = bench.run(
                shell,
                &type_named("podman.container"),
                "check",
                &[("name", "quay01"), ("state", state)],
            );
            assert!(
                !ran.ended && !ran.of_kind("fail").is_empty(),
                "{state} {shell:?} {ran:?}"
            );
        }
    }
}

/// A `podman` with one container, whose create command and the rest come from files beside it.
pub(crate) const ONE: &str = r#"
here=${0%/*}/..
case "$1 $2" in
  'ps -a') echo "c0ffee quay01" ;;
  'image exists') ;;
  'image inspect') cat "$here/image" ;;
  'container inspect')
    case $4 in
      *CreateCommand*) cat "$here/create" ;;
      *Config.Env*) cat "$here/env" ;;
      *Config.Cmd*) ;;
      *State.Status*) cat "$here/facts" ;;
      *Privileged*) echo false ;;
      *ImageName*) echo registry.example/quay:v1 ;;
      *) echo "not in the table: $*" >&2; exit 99 ;;
    esac ;;
  *) echo "not in the table: $*" >&2; exit 99 ;;
esac"#;

fn one(create: &[&str], facts: &str) -> Bench {
    let bench = Bench::new();
    bench.command("podman", ONE);
    fs::write(
        bench.path("create"),
        create
            .iter()
            .map(|word| format!("{word}\0"))
            .collect::<String>()
            + "\n",
    )
    .unwrap();
    fs::write(bench.path("env"), "PATH=/bin\0A=1\0ODD=x\ny\0\n").unwrap();
    fs::write(bench.path("facts"), facts).unwrap();
    fs::write(bench.path("image"), "0123\n").unwrap();
    bench
}

const RUNNING: &str = "running,0123,0,\"2026-01-01T00:00:00Z\",always,,\n";

#[test]
fn a_container_that_is_what_is_wanted_stays() {
    let create: &[&str] = &[
        "podman", "run", "--name", "other", "-v", "/c:/c:z", "-p", "1:1", "-e", "A=0", "-d",
        "image:1",
    ];
    let like = list(&[
        "podman",
        "create",
        "--publish=1:1",
        "--env",
        "A=2",
        "--name=quay01",
        "-it",
        "-v/c:/c:Z",
        "image:0",
    ]);
    let env = list(&["A=1", "ODD=x\ny"]);
    let unset = list(&["B"]);
    for shell in SHELLS {
        let bench = one(create, RUNNING);
        let params = wanted(
            &like,
            &[
                ("env", &env),
                ("unset_env", &unset),
                ("mount_label", "z"),
                ("privileged", "false"),
            ],
        );
        let ran = bench.run(shell, &type_named("podman.container"), "check", &params);
        assert!(
            ran.ended && ran.of_kind("differs").is_empty() && ran.of_kind("fail").is_empty(),
            "{shell:?} {ran:?}"
        );
        assert_eq!(ran.of_kind("before")[..2], ["id c0ffee", "status running"]);
    }
}

#[test]
fn each_difference_is_said() {
    let create: &[&str] = &[
        "podman", "run", "-v", "/c:/c:Z", "-p", "1:1", "-d", "image:1",
    ];
    let like = list(&[
        "podman", "run", "-v", "/c:/c:Z", "-p", "2:2", "-d", "image:1",
    ]);
    let env = list(&["A=2", "C=1"]);
    let unset = list(&["ODD"]);
    for shell in SHELLS {
        let bench = one(create, "running,4567,0,\"2026-01-01T00:00:00Z\",always,,\n");
        let command = list(&["repomirror"]);
        let params = wanted(
            &like,
            &[
                ("env", &env),
                ("unset_env", &unset),
                ("mount_label", "z"),
                ("privileged", "true"),
                ("command", &command),
            ],
        );
        let ran = bench.run(shell, &type_named("podman.container"), "check", &params);
        let said = ran.of_kind("differs");
        for reason in [
            "another image",
            "labels its mounts",
            "other options",
            "another command",
            "privileged",
            "value of A",
            "value of C",
            "has ODD",
        ] {
            assert!(
                said.iter().any(|text| text.contains(reason)),
                "{shell:?}: `{reason}` is not in {said:?}"
            );
        }
        assert!(ran.ended && said.len() == 8, "{shell:?} {ran:?}");
    }
}

#[test]
fn only_what_has_to_be_done_is_done() {
    let cases = [
        (
            "running",
            "exited,0123,0,\"t\",no,,\n",
            Some("quay01 is exited"),
        ),
        (
            "running",
            "paused,0123,0,\"t\",no,,\n",
            Some("quay01 is paused"),
        ),
        ("stopped", "exited,0123,0,\"t\",no,,\n", None),
        ("stopped", "exited,0123,0,\"t\",always,,\n", None),
        (
            "stopped",
            "running,0123,0,\"t\",no,,\n",
            Some("quay01 is running"),
        ),
        (
            "absent",
            "exited,0123,0,\"t\",no,,\n",
            Some("quay01 is there"),
        ),
    ];
    for (state, facts, reason) in cases {
        let bench = one(&["podman", "run", "-d", "image:1"], facts);
        let ran = bench.run(
            SHELLS[0],
            &type_named("podman.container"),
            "check",
            &[("name", "quay01"), ("state", state)],
        );
        assert!(ran.ended, "{state} {facts}: {ran:?}");
        let said = ran.of_kind("differs");
        assert_eq!(
            said.len(),
            usize::from(reason.is_some()),
            "{state} {facts}: {said:?}"
        );
        assert!(
            reason.is_none_or(|reason| said[0].contains(reason)),
            "{state} {facts}: {said:?}"
        );
    }
}

#[test]
fn what_systemd_keeps_is_refused() {
    let bench = one(
        &["podman", "run", "-d", "image:1"],
        "running,0123,0,\"t\",no,quay.service,\n",
    );
    let ran = bench.run(
        SHELLS[0],
        &type_named("podman.container"),
        "check",
        &[("name", "quay01"), ("state", "stopped")],
    );
    assert!(
        ran.of_kind("fail")
            .iter()
            .any(|text| text.contains("quay.service")),
        "{ran:?}"
    );
}
