//! Real hosts, and sudo on them. Needs the lab: `tests/lab/lab up`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runbook_model::{Account, Connection, Epoch, HostName, RunId};
use runbook_remote::{Fault, Host, HostSpec, Job, JobState, Options, RemoteError, Why};
use support::{LONG, block, body, id};

const HOST: &str = "quay03";

/// A fault of the lab, undone at the end.
struct Broken(&'static str);

impl Broken {
    fn on(name: &'static str) -> Self {
        switch(name, "on");
        Self(name)
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        switch(self.0, "off");
    }
}

/// The lab's command.
fn lab(arguments: &[&str]) -> String {
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/lab/lab");
    let output = Command::new(tool).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "lab {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// There is one lab: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static LAB: Mutex<()> = Mutex::new(());
    LAB.lock().unwrap_or_else(PoisonError::into_inner)
}

fn switch(name: &str, to: &str) {
    lab(&["fault", name, to, HOST]);
}

fn ssh_config() -> String {
    let env = lab(&["env"]);
    let line = env
        .lines()
        .find_map(|line| line.strip_prefix("SSH_CONFIG="));
    line.expect("the lab names its ssh_config").to_owned()
}

async fn connect(account: Account) -> Result<Host, RemoteError> {
    let ssh_config = Some(ssh_config());
    let connection = Connection {
        address: HOST.to_owned(),
        ssh_config,
        ..Connection::default()
    };
    Host::connect(
        &HostSpec {
            name: HostName::new(HOST).unwrap(),
            connection,
        },
        &account,
        &Options::default(),
    )
    .await
}

fn root() -> Account {
    Account::Sudo("root".into())
}

fn run() -> RunId {
    RunId::new(format!("t{}", std::process::id())).unwrap()
}

async fn works_as_root() {
    let host = connect(root()).await.unwrap();
    assert_eq!(host.hello().uid, 0);
    assert_eq!(host.hello().state_dir, "/var/lib/runbook");
    host.ready(&run(), Epoch(1)).await.unwrap();
    let boot_id = host.hello().boot_id.clone();
    let job = |attempt: &str, text: &str| Job {
        run: run(),
        attempt: id(attempt),
        epoch: Epoch(1),
        boot_id: boot_id.clone(),
        script: body(text).secret("token", "s3cr3t"),
        timeout: None,
    };
    host.start(&job("a-1", "sleep 1; output who \"$(id -un) $token\""))
        .await
        .unwrap();
    host.start(&job("a-2", "sleep 300")).await.unwrap();
    // the connection ends, the work does not
    host.close().await;
    drop(host);
    let login = connect(Account::Login).await.unwrap();
    let host = login.as_account(&root()).await.unwrap();
    assert_eq!(
        host.wait(&run(), &id("a-1"), LONG).await.unwrap(),
        JobState::Done {
            status: 0,
            why: Why::Exit
        }
    );
    let ended = host.collect(&run(), &id("a-1")).await.unwrap();
    assert_eq!(
        ended.report.outputs,
        [("who".to_owned(), "root s3cr3t".to_owned())]
    );
    let state = host.state(&run(), &id("a-2")).await.unwrap();
    let JobState::Running { pid } = state else {
        panic!("{state:?}")
    };
    // another account neither sees it nor can end it
    assert_eq!(
        login.state(&run(), &id("a-2")).await.unwrap(),
        JobState::Absent
    );
    let killed = body("kill -s KILL -- \"-$pid\"")
        .param("pid", runbook_remote::Param::Text(pid.to_string()));
    assert!(
        login
            .check(&killed, LONG)
            .await
            .unwrap()
            .stderr
            .text
            .contains("not permitted")
    );
    let state = host.cancel(&run(), &id("a-2"), LONG).await.unwrap();
    assert_eq!(
        state,
        JobState::Done {
            status: 143,
            why: Why::Cancel
        }
    );
    // a check that hangs, with a child that does not want to end
    let report = host
        .check(
            &body("trap '' TERM; sleep 300 & wait; sleep 300"),
            Duration::from_millis(500),
        )
        .await
        .unwrap();
    assert!(report.timed_out);
    assert!(matches!(
        host.check(&body("differs x"), LONG).await.unwrap().verdict,
        runbook_remote::Verdict::Differs(_)
    ));
    for attempt in ["a-1", "a-2"] {
        host.forget(&run(), &id(attempt)).await.unwrap();
    }
    host.close().await;
}

#[test]
fn detached_work_through_sudo() {
    let _alone = alone();
    block(works_as_root());
}

#[test]
fn detached_work_through_sudo_with_a_terminal_of_its_own() {
    let _alone = alone();
    let _broken = Broken::on("use-pty");
    block(works_as_root());
}

#[test]
fn refusals_of_sudo_are_told_apart() {
    let _alone = alone();
    for (name, right) in [
        (
            "requiretty",
            (|f| matches!(f, Fault::SudoTerminal)) as fn(&Fault) -> bool,
        ),
        ("sudo-password", |f| matches!(f, Fault::SudoPassword)),
        ("no-sudo", |f| {
            matches!(f, Fault::SudoDenied(_) | Fault::SudoPassword)
        }),
    ] {
        let _broken = Broken::on(name);
        let error = block(connect(root())).unwrap_err();
        assert!(right(&error.fault), "{name}: {error}");
        assert!(block(connect(Account::Login)).is_ok(), "{name}");
    }
}

#[test]
fn another_host_key_is_refused() {
    let _alone = alone();
    let _broken = Broken::on("wrong-key");
    let error = block(connect(Account::Login)).unwrap_err();
    assert!(matches!(error.fault, Fault::HostKeyChanged(_)), "{error}");
}
