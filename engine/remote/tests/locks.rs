//! The lock of a host, in every shell: one run has it, its own later controllers take it over, nobody else does.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use runbook_model::{Account, Epoch, RunId};
use runbook_remote::{Fault, Holder, RemoteError, Says};
use support::Bench;

support::in_every_shell!(
    one_run_has_it_until_it_gives_it_back,
    a_later_controller_takes_over,
    one_of_many_wins,
    the_latest_of_many_controllers_has_it,
    whoever_died_while_changing_it_holds_nobody_up,
    what_makes_no_sense_is_held,
    any_name_arrives
);

fn file(bench: &Bench) -> PathBuf {
    bench.dir.path().join("state/lock")
}

fn text(bench: &Bench) -> String {
    std::fs::read_to_string(file(bench)).unwrap_or_default()
}

fn run(name: &str) -> RunId {
    RunId::new(name).unwrap()
}

fn fenced<T>(result: Result<T, RemoteError>, by: u32) {
    let Err(error) = result else {
        panic!("it is not fenced")
    };
    assert_eq!(error.fault, Fault::Fenced(by));
}

/// What is in the state directory beside the directories and the lock: nothing may be left there.
fn litter(bench: &Bench) -> Vec<String> {
    let all = std::fs::read_dir(bench.dir.path().join("state")).unwrap();
    let names = all.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names
        .filter(|name| !["lib", "watch", "runs", "lock"].contains(&name.as_str()))
        .collect()
}

async fn one_run_has_it_until_it_gives_it_back(shell: &str) {
    let bench = Bench::new(shell).await;
    let (host, other) = (&bench.host, run("other"));
    host.unlock(&bench.run, Epoch(1)).await.unwrap();
    host.lock(&bench.run, Epoch(1), "me on here")
        .await
        .unwrap()
        .unwrap();
    let first = text(&bench);
    host.lock(&bench.run, Epoch(1), "me on here")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(text(&bench), first, "asked again, nothing is new");
    let holder = host.lock(&other, Epoch(1), "you").await.unwrap();
    let Err(Holder { file: path, says }) = holder else {
        panic!("two runs have it")
    };
    assert_eq!(path, file(&bench).to_str().unwrap());
    let Says::Run {
        run: by,
        epoch,
        since,
        who,
    } = says
    else {
        panic!("{says:?}")
    };
    assert_eq!(
        (by, epoch, who.as_str()),
        (bench.run.clone(), Epoch(1), "me on here")
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert!(i64::try_from(now.as_secs()).unwrap() - since < 3600);
    host.unlock(&other, Epoch(1)).await.unwrap();
    assert_eq!(text(&bench), first, "another run cannot give it back");
    host.unlock(&bench.run, Epoch(1)).await.unwrap();
    assert!(!file(&bench).exists());
    host.lock(&other, Epoch(1), "you").await.unwrap().unwrap();
    assert_eq!(litter(&bench), [""; 0]);
}

async fn a_later_controller_takes_over(shell: &str) {
    let bench = Bench::new(shell).await;
    let (host, own) = (&bench.host, &bench.run);
    host.lock(own, Epoch(1), "me").await.unwrap().unwrap();
    let since = text(&bench).split(' ').nth(2).unwrap().to_owned();
    host.lock(own, Epoch(3), "you").await.unwrap().unwrap();
    assert_eq!(text(&bench), format!("{own} 3 {since} you\n"));
    fenced(host.lock(own, Epoch(1), "me").await, 3);
    fenced(host.unlock(own, Epoch(2)).await, 3);
    assert_eq!(text(&bench), format!("{own} 3 {since} you\n"));
    // Who ends the run need not have held anything.
    host.unlock(own, Epoch(4)).await.unwrap();
    assert!(!file(&bench).exists());
    fenced(host.lock(own, Epoch(3), "you").await, 4);
    assert!(!file(&bench).exists(), "what is over is not locked again");
    assert_eq!(litter(&bench), [""; 0]);
}

async fn one_of_many_wins(shell: &str) {
    let bench = Bench::new(shell).await;
    let mut hosts = Vec::new();
    for _ in 0..20 {
        hosts.push(bench.host.as_account(&Account::Login).await.unwrap());
    }
    for round in 0..8 {
        let mut asked = tokio::task::JoinSet::new();
        for (at, host) in hosts.iter().cloned().enumerate() {
            let own = run(&format!("r{round}x{at}"));
            asked.spawn(async move { (host.lock(&own, Epoch(1), "me").await, own) });
        }
        let (mut winners, mut told) = (Vec::new(), Vec::new());
        while let Some(answer) = asked.join_next().await {
            match answer.unwrap() {
                (Ok(Ok(())), own) => winners.push(own),
                (Ok(Err(holder)), _) => told.push(holder.says),
                (Err(error), _) => panic!("{error}"),
            }
        }
        let [winner] = winners.as_slice() else {
            panic!("{winners:?}")
        };
        assert!(text(&bench).starts_with(&format!("{winner} 1 ")));
        assert_eq!(told.len(), 19);
        for says in told {
            assert!(
                matches!(&says, Says::Run { run, .. } if run == winner),
                "{says:?}"
            );
        }
        bench.host.unlock(winner, Epoch(1)).await.unwrap();
    }
    assert_eq!(litter(&bench), [""; 0]);
}

async fn the_latest_of_many_controllers_has_it(shell: &str) {
    let bench = Bench::new(shell).await;
    let mut asked = tokio::task::JoinSet::new();
    for epoch in 1..=8 {
        let (host, own) = (
            bench.host.as_account(&Account::Login).await.unwrap(),
            bench.run.clone(),
        );
        asked.spawn(async move {
            let locked = host.lock(&own, Epoch(epoch), "me").await;
            if epoch % 2 == 1 {
                // An earlier one that gives it back takes it from nobody.
                let _ = host.unlock(&own, Epoch(epoch)).await;
            }
            (epoch, locked)
        });
    }
    while let Some(answer) = asked.join_next().await {
        match answer.unwrap() {
            (_, Ok(Ok(()))) => {}
            (epoch, Err(error)) => {
                assert!(
                    epoch < 8 && matches!(error.fault, Fault::Fenced(_)),
                    "{error}"
                );
            }
            (_, Ok(Err(holder))) => panic!("{holder:?}"),
        }
    }
    assert!(
        text(&bench).starts_with(&format!("{} 8 ", bench.run)),
        "{}",
        text(&bench)
    );
    assert_eq!(litter(&bench), [""; 0]);
}

async fn whoever_died_while_changing_it_holds_nobody_up(shell: &str) {
    let bench = Bench::new(shell).await;
    let (host, own) = (&bench.host, &bench.run);
    host.lock(own, Epoch(1), "me").await.unwrap().unwrap();
    let mut dead = Command::new("true").stdin(Stdio::null()).spawn().unwrap();
    let pid = dead.id();
    dead.wait().unwrap();
    let boot = &host.hello().boot_id;
    let guard = bench.dir.path().join(format!("state/guard.{boot}"));
    std::fs::write(&guard, format!("{pid} 1 {boot}\n")).unwrap();
    host.lock(own, Epoch(2), "me").await.unwrap().unwrap();
    assert!(text(&bench).starts_with(&format!("{own} 2 ")));
    std::fs::write(&guard, format!("{pid} 1 {boot}\n")).unwrap();
    host.unlock(own, Epoch(2)).await.unwrap();
    assert!(!file(&bench).exists());
    assert_eq!(litter(&bench), [""; 0]);
}

async fn what_makes_no_sense_is_held(shell: &str) {
    let bench = Bench::new(shell).await;
    let (host, own) = (&bench.host, &bench.run);
    let endless = "x".repeat(100_000);
    let torn = format!("{own} ");
    for nonsense in ["", "\n", &torn, "\u{1b}[2J\nerror fenced 9\n", &endless] {
        std::fs::write(file(&bench), nonsense).unwrap();
        let holder = host.lock(own, Epoch(1), "me").await.unwrap().unwrap_err();
        let Says::Unclear(shown) = holder.says else {
            panic!("{holder:?}")
        };
        let line = nonsense.lines().next().unwrap_or_default();
        let all = line.replace('\u{1b}', "\\u{1b}");
        assert_eq!(shown, all[..all.len().min(200)]);
        host.unlock(own, Epoch(1)).await.unwrap();
        assert_eq!(text(&bench), nonsense, "only a person may remove it");
    }
    std::fs::remove_file(file(&bench)).unwrap();
    std::fs::create_dir(file(&bench)).unwrap();
    let error = host.lock(own, Epoch(1), "me").await.unwrap_err();
    assert!(matches!(error.fault, Fault::Io(_)), "{error}");
}

async fn any_name_arrives(shell: &str) {
    let bench = Bench::new(shell).await;
    let (host, own) = (&bench.host, &bench.run);
    for (at, (given, shown)) in [
        (
            "it's $HOME `x` \\n \"q\" é; *",
            "it's $HOME `x` \\n \"q\" é; *",
        ),
        ("-n", "-n"),
        ("", ""),
        ("a\nb\0c", "a\\nb\\u{0}c"),
    ]
    .into_iter()
    .enumerate()
    {
        let epoch = Epoch(u32::try_from(at).unwrap() + 1);
        host.lock(own, epoch, given).await.unwrap().unwrap();
        let held = host.lock(&run("other"), Epoch(1), "x").await.unwrap();
        let Says::Run { who, .. } = held.unwrap_err().says else {
            panic!("{}", text(&bench))
        };
        assert_eq!(who, shown);
        host.unlock(own, epoch).await.unwrap();
    }
    let long = "é".repeat(1000);
    host.lock(own, Epoch(9), &long).await.unwrap().unwrap();
    assert!(text(&bench).len() < 300, "{}", text(&bench));
}
