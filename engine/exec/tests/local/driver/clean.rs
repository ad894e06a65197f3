//! What other runs have left on a host: it goes when a controller reaches the host, if nobody may need it any more.

use std::path::{Path, PathBuf};
use std::process::Command;

use runbook_model::RunResult;

use crate::support::Bench;

/// Lasts until something is gone.
const GONE: (&str, &str) = (
    "test.gone",
    "type: test.gone\nsummary: Waits until something is gone\nparams: { path: { type: path, required: true } }\nalways: true\napply: |\n  i=0\n  while [ -e \"$path\" ]; do\n    [ \"$i\" -lt 60 ] || fail 'it stays'\n    i=$((i + 1))\n    sleep 1\n  done\n  # time for the answer\n  sleep 2\n",
);
const RUN: &str = "
runbook: run
steps:
  - { step: gone, uses: test.gone, on: a, with: { path: 'DIR/hosts/runs/zzz' } }
";

/// What a run has left on the hosts, with one file, and when that was changed.
fn left(bench: &Bench, run: &str, days: u32) -> PathBuf {
    let dir = bench.path("hosts/runs").join(run);
    for part in ["epoch", "jobs/a-1"] {
        std::fs::create_dir_all(dir.join(part)).unwrap();
    }
    std::fs::write(dir.join("epoch/1"), "").unwrap();
    std::fs::write(dir.join("jobs/a-1/result"), "rb1 0 exit end\n").unwrap();
    age(&dir, days);
    dir
}

fn age(dir: &Path, days: u32) {
    let touched = Command::new("find")
        .arg(dir)
        .args([
            "-exec",
            "touch",
            "-d",
            &format!("{days} days ago"),
            "{}",
            "+",
        ])
        .status();
    assert!(touched.unwrap().success());
}

#[test]
fn what_is_old_goes_unless_its_run_may_go_on() {
    let bench = Bench::new(RUN, &[GONE]);
    // The oldest goes first: when the youngest old one is gone, so is everything that goes.
    let old = left(&bench, "old", 50);
    let last = left(&bench, "zzz", 31);
    let young = left(&bench, "young", 29);
    let wanted = left(&bench, "wanted", 60);
    // A run of this state directory of which one cannot even tell how it stands.
    std::fs::create_dir(bench.path("store/runs/wanted")).unwrap();
    let ended = bench.drive();
    assert_eq!(ended.result, Some(RunResult::Succeeded), "{ended:?}");
    assert_eq!(ended.not_cleaned, []);
    let there = [&old, &last, &young, &wanted].map(|dir| dir.exists());
    assert_eq!(there, [false, false, true, true]);
}

#[test]
fn what_cannot_be_removed_is_told_and_stops_nothing() {
    let bench = Bench::new(RUN, &[GONE]);
    let stuck = left(&bench, "stuck", 50);
    let last = left(&bench, "zzz", 31);
    // Nobody can remove a mount; somebody who may not mount is no root, and cannot remove this either.
    let mount = stuck.join("jobs/a-1");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "none"])
        .arg(&mount)
        .status();
    let mounted = mounted.is_ok_and(|status| status.success());
    if !mounted {
        chmod(&mount, "500");
    }
    age(&stuck, 50);
    let ended = bench.drive();
    let trash = std::fs::read_dir(bench.path("hosts/runs")).unwrap();
    let mut trash = trash.flatten().map(|entry| entry.path());
    let trash = trash.find(|path| path.to_string_lossy().contains(".trash.stuck."));
    if let Some(trash) = &trash {
        let mount = trash.join("jobs/a-1");
        if mounted {
            assert!(
                Command::new("umount")
                    .arg(&mount)
                    .status()
                    .unwrap()
                    .success()
            );
        } else {
            chmod(&mount, "700");
        }
    }
    assert_eq!(ended.result, Some(RunResult::Succeeded), "{ended:?}");
    assert!(!last.exists());
    let [(host, problem)] = ended.not_cleaned.as_slice() else {
        panic!("{:?}", ended.not_cleaned)
    };
    let wanted = format!("cannot remove {}", trash.unwrap().display());
    assert_eq!((host.as_str(), problem.as_str()), ("a", wanted.as_str()));
}

fn chmod(path: &Path, mode: &str) {
    let changed = Command::new("chmod").arg(mode).arg(path).status();
    assert!(changed.unwrap().success());
}
