//! How chains end, in every shell: too late, halted, left alone, fenced, killed. Nothing begins after that, and what had
//! begun is on record.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use runbook_model::{Account, Epoch};
use runbook_remote::{
    ChainOffsets, ChainReader, Fault, Host, JobState, Member, Options, Stream, Why,
};
use support::chains::{chain, file, made, makes, member, printed, reports, run, tale, told, with};
use support::{Bench, LONG, dies, id, kill};

const EXIT_0: JobState = JobState::Done {
    status: 0,
    why: Why::Exit,
};

support::in_every_shell!(
    a_check_that_takes_too_long_is_ended,
    an_apply_that_takes_too_long_is_ended,
    each_section_has_its_own_limit,
    what_prints_too_much_is_ended,
    too_many_records_stop_the_chain,
    a_halt_lets_finish_what_runs,
    a_halt_before_the_launch_is_found,
    without_a_controller_nothing_begins,
    a_beat_keeps_it_going,
    a_later_epoch_stops_the_chain,
    many_launches_are_one_execution,
    a_killed_wrapper_leaves_the_records,
    a_killed_runner_ends_its_member,
    what_is_lost_tells_who_began,
    a_chain_is_cancelled,
    what_cannot_be_made_durable_does_not_begin,
    what_is_fenced_is_not_started
);

/// The same, until a file is there.
fn waits(bench: &Bench, at: usize) -> Member {
    let mut member = makes(bench, at);
    let text = "sh -c 'echo $$ >\"$1\"; while [ ! -e \"$2\" ]; do sleep 0.1; done' x \"$file.pid\" \"$go\"; echo made >\"$file\"; echo late";
    member.apply = with(support::body(text), "go", &bench.mark("go"));
    member.apply = with(member.apply, "file", &file(bench, at));
    member
}

/// Starts a chain of which the first member waits, and waits until it does.
async fn waiting(bench: &Bench, members: Vec<Member>) -> String {
    let chain = chain(bench, members);
    bench.host.start_chain(&chain).await.unwrap();
    bench.text(file(bench, 0) + ".pid").await
}

fn go(bench: &Bench) {
    std::fs::write(bench.mark("go"), "").unwrap();
}

fn beat_file(bench: &Bench) -> String {
    bench.mark(&format!("state/runs/{}/beat", bench.run))
}

const FIRST: &str = "0 began differs (no 0)\n0 applied satisfied\n0 again satisfied";

async fn a_check_that_takes_too_long_is_ended(shell: &str) {
    let bench = Bench::new(shell).await;
    let text = "echo so far; output a b; trap '' TERM; while :; do sleep 0.1; done";
    let mut slow = member(1, text, "echo no >\"$file\"", &bench);
    slow.check_limit = Duration::from_millis(900);
    let members = vec![makes(&bench, 0), slow, makes(&bench, 2)];
    let (state, news) = run(&bench, members).await;
    assert!(
        matches!(
            state,
            JobState::Done {
                why: Why::Timeout,
                ..
            }
        ),
        "{state:?}"
    );
    assert_eq!(
        tale(&news),
        format!("{FIRST}\n1 looked failed (took longer than it may and was ended)")
    );
    let looked = &reports(&news, 1)[0];
    assert!(looked.timed_out);
    assert_eq!(looked.outputs, [("a".to_owned(), "b".to_owned())]);
    assert_eq!(looked.stderr.text, "so far\n");
    assert_eq!(made(&bench, 1) + &made(&bench, 2), "");
}

async fn an_apply_that_takes_too_long_is_ended(shell: &str) {
    let bench = Bench::new(shell).await;
    let text = "echo begun; echo half >\"$file\"; while :; do sleep 0.1; done";
    let mut slow = member(0, "[ -e \"$file\" ] || differs x", text, &bench);
    slow.apply_limit = Some(Duration::from_secs(1));
    let (state, news) = run(&bench, vec![slow, makes(&bench, 1)]).await;
    assert!(matches!(
        state,
        JobState::Done {
            why: Why::Timeout,
            ..
        }
    ));
    assert_eq!(
        tale(&news),
        "0 began differs (x)\n0 applied failed (took longer than it may and was ended)"
    );
    assert!(reports(&news, 0)[1].timed_out);
    assert_eq!(printed(&news, 0, Stream::Out), b"begun\n");
    assert_eq!(
        (made(&bench, 0).as_str(), made(&bench, 1).as_str()),
        ("half\n", "")
    );
}

async fn each_section_has_its_own_limit(shell: &str) {
    let bench = Bench::new(shell).await;
    let mut slow = member(
        0,
        "[ -e \"$file\" ] || differs x",
        "sleep 6; echo made >\"$file\"",
        &bench,
    );
    slow.check_limit = Duration::from_secs(4);
    slow.apply_limit = None;
    let mut next = makes(&bench, 1);
    next.check_limit = Duration::from_secs(4);
    let (state, news) = run(&bench, vec![slow, next]).await;
    assert_eq!(state, EXIT_0, "{}", tale(&news));
    assert!(tale(&news).ends_with("1 again satisfied"));
}

async fn what_prints_too_much_is_ended(shell: &str) {
    let options = Options {
        output_limit: 100_000,
        ..Options::default()
    };
    let bench = Bench::with(shell, options).await;
    let text = "while :; do echo 0123456789012345678901234567890123456789; done";
    let members = vec![member(0, "differs x", text, &bench), makes(&bench, 1)];
    let started = chain(&bench, members);
    bench.host.start_chain(&started).await.unwrap();
    let unit = id("u-1");
    let state = bench.host.wait(&bench.run, &unit, LONG).await.unwrap();
    assert!(matches!(
        state,
        JobState::Done {
            why: Why::OutputLimit,
            ..
        }
    ));
    // all of it may be much by now: the last words are enough
    let mut reader = ChainReader::new(&unit, 2);
    let from = ChainOffsets::default();
    let poll = bench.host.poll_chain(&bench.run, &unit, from, 50_000).await;
    reader.take(&poll.unwrap());
    let mut news = reader.news();
    news.extend(reader.finish(state));
    assert_eq!(
        tale(&news),
        "0 began differs (x)\n0 applied failed (printed more than it may and was ended)"
    );
}

async fn too_many_records_stop_the_chain(shell: &str) {
    let bench = Bench::new(shell).await;
    let text = "big=$(head -c 400000 /dev/zero | tr '\\0' x); output a \"$big\"; output b \"$big\"; before c \"$big\"; differs x";
    let members = vec![
        member(0, text, "echo no >\"$file\"", &bench),
        makes(&bench, 1),
    ];
    let started = chain(&bench, members);
    bench.host.start_chain(&started).await.unwrap();
    let unit = id("u-1");
    let state = bench.host.wait(&bench.run, &unit, LONG).await.unwrap();
    assert_eq!(state, EXIT_0);
    let from = ChainOffsets::default();
    let poll = bench.host.poll_chain(&bench.run, &unit, from, u64::MAX);
    let mut reader = ChainReader::new(&unit, 2);
    reader.take(&poll.await.unwrap());
    assert_eq!(
        tale(&reader.finish(state)),
        "0 looked failed (wrote more than 1048576 bytes of records)\nstopped Member"
    );
    assert_eq!(made(&bench, 0) + &made(&bench, 1), "");
}

async fn a_halt_lets_finish_what_runs(shell: &str) {
    let bench = Bench::new(shell).await;
    std::fs::write(file(&bench, 1), "").unwrap();
    let members = vec![
        waits(&bench, 0),
        makes(&bench, 1),
        makes(&bench, 2),
        makes(&bench, 3),
    ];
    waiting(&bench, members).await;
    for _ in 0..2 {
        bench.host.halt(&bench.run, &id("u-1")).await.unwrap();
    }
    go(&bench);
    let (state, news) = told(&bench, 4).await;
    assert_eq!(state, EXIT_0);
    assert_eq!(
        tale(&news),
        format!("{FIRST}\n1 looked satisfied\n2 looked differs (no 2)\nstopped Halt")
    );
    assert_eq!(printed(&news, 0, Stream::Out), b"late\n");
    assert_eq!(made(&bench, 2) + &made(&bench, 3), "");
}

async fn a_halt_before_the_launch_is_found(shell: &str) {
    let bench = Bench::new(shell).await;
    bench.host.halt(&bench.run, &id("u-1")).await.unwrap();
    let (_, news) = run(&bench, vec![makes(&bench, 0)]).await;
    assert_eq!(tale(&news), "0 looked differs (no 0)\nstopped Halt");
    assert_eq!(made(&bench, 0), "");
}

async fn without_a_controller_nothing_begins(shell: &str) {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    for beat in [
        format!("0 {boot}"),
        "999999999 00000000-0000-4000-8000-000000000000\n".to_owned(),
        format!("x {boot}"),
        String::new(),
    ] {
        let bench = Bench::new(shell).await;
        waiting(&bench, vec![waits(&bench, 0), makes(&bench, 1)]).await;
        std::fs::write(beat_file(&bench), &beat).unwrap();
        go(&bench);
        let (state, news) = told(&bench, 2).await;
        assert_eq!(state, EXIT_0);
        assert_eq!(
            tale(&news),
            format!("{FIRST}\n1 looked differs (no 1)\nstopped Heartbeat"),
            "{beat:?}"
        );
        assert_eq!(made(&bench, 1), "");
    }
    let options = Options {
        heartbeat: Duration::from_secs(1),
        ..Options::default()
    };
    let bench = Bench::with(shell, options).await;
    let slow = member(
        0,
        "[ -e \"$file\" ] || differs x",
        "sleep 3; echo made >\"$file\"",
        &bench,
    );
    let (_, news) = run(&bench, vec![slow, makes(&bench, 1)]).await;
    assert!(tale(&news).ends_with("1 looked differs (no 1)\nstopped Heartbeat"));
}

async fn a_beat_keeps_it_going(shell: &str) {
    let bench = Bench::new(shell).await;
    waiting(&bench, vec![waits(&bench, 0), makes(&bench, 1)]).await;
    std::fs::write(beat_file(&bench), "").unwrap();
    bench.host.beat(&bench.run).await.unwrap();
    go(&bench);
    let (_, news) = told(&bench, 2).await;
    assert!(
        tale(&news).ends_with("1 again satisfied"),
        "{}",
        tale(&news)
    );
    // only who has the run can say so
    let other = bench.host.as_account(&Account::Login).await.unwrap();
    let fault = other.beat(&bench.run).await.unwrap_err().fault;
    assert_eq!(fault, Fault::NotReady);
    other.ready(&bench.run, Epoch(2)).await.unwrap();
    let fault = bench.host.beat(&bench.run).await.unwrap_err().fault;
    assert_eq!(fault, Fault::Fenced(2));
    let fault = bench.host.halt(&bench.run, &id("u-1")).await.unwrap_err();
    assert_eq!(fault.fault, Fault::Fenced(2));
}

async fn a_later_epoch_stops_the_chain(shell: &str) {
    let bench = Bench::new(shell).await;
    waiting(&bench, vec![waits(&bench, 0), makes(&bench, 1)]).await;
    bench.host.ready(&bench.run, Epoch(12)).await.unwrap();
    bench.host.beat(&bench.run).await.unwrap();
    go(&bench);
    let (_, news) = told(&bench, 2).await;
    assert_eq!(
        tale(&news),
        format!("{FIRST}\n1 looked differs (no 1)\nstopped Fenced")
    );
    assert_eq!(made(&bench, 1), "");
}

async fn many_launches_are_one_execution(shell: &str) {
    let bench = Bench::new(shell).await;
    let started = chain(&bench, (0..2).map(|at| makes(&bench, at)).collect());
    let mut launches = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let host = bench.host.as_account(&Account::Login).await.unwrap();
        let started = started.clone();
        launches.spawn(async move {
            host.start_chain(&started).await.unwrap();
            host.start_chain(&started).await.unwrap();
        });
    }
    while let Some(launched) = launches.join_next().await {
        launched.unwrap();
    }
    let (state, news) = told(&bench, 2).await;
    assert_eq!(state, EXIT_0);
    assert_eq!(bench.host.start_chain(&started).await.unwrap(), EXIT_0);
    assert_eq!(made(&bench, 0) + &made(&bench, 1), "made 0\nmade 1\n");
    assert_eq!(tale(&news).matches("began").count(), 2);
}

async fn a_killed_wrapper_leaves_the_records(shell: &str) {
    let bench = Bench::new(shell).await;
    waiting(&bench, vec![waits(&bench, 0), makes(&bench, 1)]).await;
    let claim = bench.text(bench.file("u-1", "claim")).await;
    let wrapper = claim.split(' ').next().unwrap();
    kill("KILL", wrapper);
    dies(wrapper).await;
    let state = bench.host.state(&bench.run, &id("u-1")).await.unwrap();
    assert!(matches!(state, JobState::Orphaned { .. }), "{state:?}");
    go(&bench);
    let (state, news) = told(&bench, 2).await;
    assert_eq!(state, JobState::LostKilled);
    assert_eq!(
        tale(&news),
        format!("{FIRST}\n1 began differs (no 1)\n1 applied satisfied\n1 again satisfied")
    );
    bench.unwatched("u-1").await;
}

async fn runner(bench: &Bench) -> String {
    let pid = bench.text(bench.file("u-1", "pid")).await;
    pid.split(' ').next().unwrap().to_owned()
}

async fn a_killed_runner_ends_its_member(shell: &str) {
    let bench = Bench::new(shell).await;
    let effect = waiting(&bench, vec![waits(&bench, 0), makes(&bench, 1)]).await;
    kill("KILL", &runner(&bench).await);
    let (state, news) = told(&bench, 2).await;
    let status = 137;
    assert_eq!(
        state,
        JobState::Done {
            status,
            why: Why::Exit
        }
    );
    assert_eq!(
        tale(&news),
        "0 began differs (no 0)\n0 applied failed (killed by signal 9)"
    );
    dies(&effect).await;
    go(&bench);
    assert_eq!(made(&bench, 0) + &made(&bench, 1), "");
}

async fn what_is_lost_tells_who_began(shell: &str) {
    let bench = Bench::new(shell).await;
    let effect = waiting(&bench, vec![waits(&bench, 0), makes(&bench, 1)]).await;
    let claim = bench.text(bench.file("u-1", "claim")).await;
    kill("KILL", claim.split(' ').next().unwrap());
    kill("KILL", &format!("-{}", runner(&bench).await));
    dies(&effect).await;
    let state = bench.host.wait(&bench.run, &id("u-1"), LONG).await.unwrap();
    assert_eq!(state, JobState::LostKilled);
    let (_, news) = told(&bench, 2).await;
    assert_eq!(tale(&news), "0 began differs (no 0)");
}

async fn a_chain_is_cancelled(shell: &str) {
    let bench = Bench::new(shell).await;
    let effect = waiting(&bench, vec![waits(&bench, 0), makes(&bench, 1)]).await;
    let unit = id("u-1");
    let state = bench.host.cancel(&bench.run, &unit, LONG).await.unwrap();
    assert!(matches!(
        state,
        JobState::Done {
            why: Why::Cancel,
            ..
        }
    ));
    dies(&effect).await;
    let (_, news) = told(&bench, 2).await;
    assert_eq!(
        tale(&news),
        "0 began differs (no 0)\n0 applied failed (was cancelled)"
    );
    let bench = Bench::new(shell).await;
    let cancelled = bench.host.cancel(&bench.run, &unit, LONG).await.unwrap();
    assert_eq!(cancelled, JobState::Aborted);
    let (state, news) = run(&bench, vec![makes(&bench, 0)]).await;
    assert_eq!((state, tale(&news)), (JobState::Aborted, String::new()));
    assert_eq!(made(&bench, 0), "");
}

/// A `sync` that works for directories alone.
const SYNC: &str = "#!/bin/sh\ncase $* in *rec) exit 1 ;; esac\nexit 0\n";

async fn what_cannot_be_made_durable_does_not_begin(shell: &str) {
    let bench = Bench::new(shell).await;
    // a tool of its own, found before the system's
    let bin = bench.mark("tools");
    std::fs::create_dir(&bin).unwrap();
    let sync = Path::new(&bin).join("sync");
    std::fs::write(&sync, SYNC).unwrap();
    std::fs::set_permissions(&sync, std::fs::Permissions::from_mode(0o755)).unwrap();
    let usual = if shell == "applets" {
        bench.mark("bin")
    } else {
        "/usr/bin:/bin".to_owned()
    };
    let shell = support::shell(shell, bench.dir.path());
    let (_, plain) = shell.rsplit_once("bin ").unwrap_or(("", &shell));
    let options = Options {
        shell: format!("env PATH={bin}:{usual} {plain}"),
        state_dir: Some(bench.mark("state")),
        ..Options::default()
    };
    let spec = support::spec();
    let host = Host::connect(&spec, &Account::Login, &options).await;
    let host = host.unwrap();
    host.ready(&bench.run, Epoch(1)).await.unwrap();
    let started = chain(&bench, vec![makes(&bench, 0), makes(&bench, 1)]);
    host.start_chain(&started).await.unwrap();
    let (state, news) = told(&bench, 2).await;
    assert_eq!(state, EXIT_0);
    assert_eq!(
        tale(&news),
        "0 began differs (no 0)\n0 unbegun\nstopped Disk"
    );
    assert_eq!(made(&bench, 0) + &made(&bench, 1), "");
}

async fn what_is_fenced_is_not_started(shell: &str) {
    let bench = Bench::new(shell).await;
    let mut with_secret = makes(&bench, 0);
    with_secret.apply = with_secret.apply.secret("token", "hunter2");
    let mut started = chain(&bench, vec![with_secret]);
    started.epoch = Epoch(2);
    let fault = bench.host.start_chain(&started).await.unwrap_err().fault;
    assert_eq!(fault, Fault::Fenced(1));
    let name = format!("-{}-u-1", bench.run);
    let left = std::fs::read_dir("/dev/shm").unwrap();
    let mut left = left.map(|entry| entry.unwrap().file_name());
    assert!(!left.any(|file| file.to_string_lossy().ends_with(&name)));
    let state = bench.host.state(&bench.run, &id("u-1")).await.unwrap();
    assert_eq!(state, JobState::Absent);
}
