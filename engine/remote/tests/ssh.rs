//! The protocol over a real sshd on the loopback, with its own configuration, port and keys.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use runbook_model::{Account, Connection, Epoch, HostName, RunId};
use runbook_remote::{Fault, Host, HostSpec, Job, JobState, Options, Script, Verdict, Why};
use support::{LONG, block, body, dies, id, kill, lives};
use tempfile::TempDir;

const EXIT_0: JobState = JobState::Done {
    status: 0,
    why: Why::Exit,
};

/// An sshd, and an `ssh_config` that knows it as `lab`.
struct Server {
    dir: TempDir,
    port: u16,
    daemon: Child,
}

impl Server {
    fn start(extra: &str) -> Self {
        let dir = TempDir::with_prefix("rb").unwrap();
        for key in ["host", "client", "stranger"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(dir.path().join(key))
                .status();
            assert!(made.expect("OpenSSH is installed").success());
        }
        std::fs::copy(dir.path().join("client.pub"), dir.path().join("authorized")).unwrap();
        // sshd wants it when it runs as root
        std::fs::create_dir_all("/run/sshd").ok();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let at = dir.path().display();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {at}/host\nPidFile none\nAuthorizedKeysFile {at}/authorized\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
             MaxStartups 100\n{extra}\n"
        );
        std::fs::write(dir.path().join("sshd_config"), config).unwrap();
        let daemon = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(dir.path().join("sshd_config"))
            .stderr(std::fs::File::create(dir.path().join("sshd.log")).unwrap())
            .stdin(Stdio::null())
            .spawn()
            .expect("openssh-server is installed");
        let server = Self { dir, port, daemon };
        server.know("host");
        server.client_config("client");
        for _ in 0..1000 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!(
            "sshd does not listen: {}",
            std::fs::read_to_string(server.path("sshd.log")).unwrap()
        );
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes known_hosts with one of the keys.
    fn know(&self, key: &str) {
        let public = std::fs::read_to_string(self.path(&format!("{key}.pub"))).unwrap();
        std::fs::write(
            self.path("known_hosts"),
            format!("[127.0.0.1]:{} {public}", self.port),
        )
        .unwrap();
    }

    fn client_config(&self, key: &str) {
        let at = self.dir.path().display();
        let config = format!(
            "Host lab\n  HostName 127.0.0.1\n  Port {}\nHost *\n  IdentityFile {at}/{key}\n  IdentitiesOnly yes\n  UserKnownHostsFile {at}/known_hosts\n  GlobalKnownHostsFile /dev/null\n",
            self.port
        );
        std::fs::write(self.path("ssh_config"), config).unwrap();
    }

    fn spec(&self, address: &str) -> HostSpec {
        let ssh_config = Some(self.path("ssh_config").to_str().unwrap().to_owned());
        HostSpec {
            name: HostName::new("lab01").unwrap(),
            connection: Connection {
                address: address.to_owned(),
                ssh_config,
                ..Connection::default()
            },
        }
    }

    fn options(&self) -> Options {
        let state_dir = Some(self.path("state").to_str().unwrap().to_owned());
        Options {
            control_dir: Some(self.path("c")),
            state_dir,
            ..Options::default()
        }
    }

    async fn connect(&self) -> Host {
        let connected = Host::connect(&self.spec("lab"), &Account::Login, &self.options()).await;
        connected.unwrap_or_else(|e| {
            panic!(
                "{e}\n{}",
                std::fs::read_to_string(self.path("sshd.log")).unwrap()
            )
        })
    }

    async fn fault(&self, address: &str) -> Fault {
        let error = Host::connect(&self.spec(address), &Account::Login, &self.options())
            .await
            .unwrap_err();
        assert_eq!(error.host, "lab01");
        error.fault
    }

    /// The masters of this server's connections.
    fn masters(&self) -> Vec<String> {
        let wanted = self.path("c").to_str().unwrap().to_owned();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let pid = entry.file_name().to_string_lossy().into_owned();
            let line = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            if pid.bytes().all(|b| b.is_ascii_digit()) && line.contains(&wanted) && lives(&pid) {
                found.push(pid);
            }
        }
        found
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.daemon.kill().ok();
        self.daemon.wait().ok();
        for pid in self.masters() {
            kill("KILL", &pid);
        }
    }
}

fn job(host: &Host, attempt: &str, script: Script) -> Job {
    let boot_id = host.hello().boot_id.clone();
    Job {
        run: run(),
        attempt: id(attempt),
        epoch: Epoch(1),
        boot_id,
        script,
        timeout: None,
    }
}

fn run() -> RunId {
    RunId::new("run1").unwrap()
}

#[test]
fn work_outlives_a_killed_connection() {
    block(async {
        let server = Server::start("");
        let host = server.connect().await;
        host.ready(&run(), Epoch(1)).await.unwrap();
        let (marks, go) = (server.path("marks"), server.path("go"));
        let text =
            "echo begun >>\"$marks\"; while [ ! -e \"$go\" ]; do sleep 0.1; done; output answer 42";
        let script = body(text)
            .param(
                "marks",
                runbook_remote::Param::Text(marks.to_str().unwrap().into()),
            )
            .param(
                "go",
                runbook_remote::Param::Text(go.to_str().unwrap().into()),
            );
        let job = job(&host, "a-1", script);
        host.start(&job).await.unwrap();
        assert_eq!(
            host.check(&body("differs x"), LONG).await.unwrap().verdict,
            Verdict::Differs(vec!["x".into()])
        );
        for master in server.masters() {
            kill("KILL", &master);
            dies(&master).await;
        }
        // the same handle connects again, and a launch that is repeated is no second execution
        assert!(host.start(&job).await.unwrap().is_alive());
        assert_eq!(
            host.check(&body("true"), LONG).await.unwrap().verdict,
            Verdict::Satisfied
        );
        let waiting = async {
            std::fs::write(&go, "").unwrap();
            host.wait(&run(), &id("a-1"), LONG).await
        };
        assert_eq!(waiting.await.unwrap(), EXIT_0);
        let ended = host.collect(&run(), &id("a-1")).await.unwrap();
        assert_eq!(
            ended.report.outputs,
            [("answer".to_owned(), "42".to_owned())]
        );
        assert_eq!(std::fs::read_to_string(marks).unwrap(), "begun\n");
        // nothing of the connection stays after a close
        host.close().await;
        for master in server.masters() {
            dies(&master).await;
        }
    });
}

#[test]
fn a_connection_lost_while_waiting_is_made_again() {
    block(async {
        let server = Server::start("");
        let host = server.connect().await;
        host.ready(&run(), Epoch(1)).await.unwrap();
        let go = server.path("go");
        let script = body("while [ ! -e \"$go\" ]; do sleep 0.1; done").param(
            "go",
            runbook_remote::Param::Text(go.to_str().unwrap().into()),
        );
        host.start(&job(&host, "a-1", script)).await.unwrap();
        let (run, attempt) = (run(), id("a-1"));
        let (ended, ()) = tokio::join!(host.wait(&run, &attempt, LONG), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            for master in server.masters() {
                kill("KILL", &master);
            }
            std::fs::write(&go, "").unwrap();
        });
        assert_eq!(ended.unwrap(), EXIT_0);
    });
}

#[test]
fn reasons_are_told_apart() {
    block(async {
        let mut server = Server::start("");
        server.know("stranger");
        assert_eq!(
            server.fault("lab").await,
            Fault::HostKeyChanged("lab".into())
        );
        std::fs::write(server.path("known_hosts"), "").unwrap();
        assert_eq!(
            server.fault("lab").await,
            Fault::HostKeyUnknown("lab".into())
        );
        server.know("host");
        server.client_config("stranger");
        assert!(matches!(server.fault("lab").await, Fault::LoginDenied(_)));
        server.client_config("client");
        assert_eq!(
            server.fault("no-such-host.invalid").await,
            Fault::NotResolved("no-such-host.invalid".into())
        );
        assert!(matches!(
            server.fault("-oProxyCommand=touch /tmp/x").await,
            Fault::BadSpec(_)
        ));
        let host = server.connect().await;
        server.daemon.kill().unwrap();
        server.daemon.wait().unwrap();
        assert_eq!(server.fault("lab").await, Fault::Refused("lab".into()));
        for master in server.masters() {
            kill("KILL", &master);
        }
        let lost = host.state(&run(), &id("a-1")).await.unwrap_err();
        assert!(lost.fault.is_transient(), "{lost}");
        std::fs::write(server.path("ssh_config"), "Nonsense yes\n").unwrap();
        assert!(
            matches!(server.fault("lab").await, Fault::Ssh(text) if text.contains("Bad configuration option"))
        );
        assert_eq!(
            std::fs::read_dir(server.path("c")).unwrap().count(),
            0,
            "sockets and their directories are gone"
        );
    });
}

#[test]
fn a_login_that_hangs_is_a_fault_in_time() {
    block(async {
        let server = Server::start("");
        // accepts and never speaks
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut spec = server.spec("127.0.0.1");
        spec.connection.port = Some(silent.local_addr().unwrap().port());
        let options = Options {
            connect_timeout: Duration::from_secs(1),
            ..server.options()
        };
        let error = Host::connect(&spec, &Account::Login, &options)
            .await
            .unwrap_err();
        assert!(matches!(error.fault, Fault::Unreachable { .. }), "{error}");
        let left = server.masters();
        for pid in left {
            dies(&pid).await;
        }
    });
}

#[test]
fn any_login_shell_will_do() {
    block(async {
        for (what, forced) in [
            ("fish", "fish -c \"$SSH_ORIGINAL_COMMAND\""),
            (
                "a banner",
                "printf 'Welcome!\\nno newline'; echo warning >&2; eval \"$SSH_ORIGINAL_COMMAND\"",
            ),
            (
                "bash with a profile",
                "bash -l -c \"$SSH_ORIGINAL_COMMAND\"",
            ),
        ] {
            let server = Server::start(&format!("ForceCommand {forced}"));
            let host = server.connect().await;
            let report = host
                .check(
                    &body("output a \"$v\"")
                        .param("v", runbook_remote::Param::Text("'\\ é".into())),
                    LONG,
                )
                .await
                .unwrap();
            assert_eq!(
                report.outputs,
                [("a".to_owned(), "'\\ é".to_owned())],
                "{what}"
            );
            host.ready(&run(), Epoch(1)).await.unwrap();
            host.start(&job(&host, "a-1", body("true"))).await.unwrap();
            assert_eq!(
                host.wait(&run(), &id("a-1"), LONG).await.unwrap(),
                EXIT_0,
                "{what}"
            );
        }
        let server =
            Server::start("ForceCommand echo 'This account is currently not available.' >&2");
        assert_eq!(
            server.fault("lab").await,
            Fault::NoShell("This account is currently not available.".into())
        );
    });
}

#[test]
fn a_second_account_shares_the_connection() {
    block(async {
        let server = Server::start("");
        let options = Options {
            state_dir: None,
            ..server.options()
        };
        let host = Host::connect(&server.spec("lab"), &Account::Login, &options)
            .await
            .unwrap();
        let nobody = host
            .as_account(&Account::Sudo("nobody".into()))
            .await
            .expect("sudo is installed, and root may use it");
        assert_eq!(nobody.hello().user, "nobody");
        assert_eq!(
            nobody.hello().state_dir,
            format!("/var/tmp/runbook-{}", nobody.hello().uid)
        );
        assert_eq!(server.masters().len(), 1);
        let run = RunId::new(format!("t{}", std::process::id())).unwrap();
        nobody.ready(&run, Epoch(1)).await.unwrap();
        let script =
            body("output who \"$(id -un)\"; output token \"$token\"").secret("token", "s3cr3t");
        let attempt = Job {
            run: run.clone(),
            ..job(&nobody, "a-1", script)
        };
        nobody.start(&attempt).await.unwrap();
        assert_eq!(nobody.wait(&run, &id("a-1"), LONG).await.unwrap(), EXIT_0);
        let ended = nobody.collect(&run, &id("a-1")).await.unwrap();
        assert_eq!(
            ended.report.outputs,
            [
                ("who".to_owned(), "nobody".to_owned()),
                ("token".to_owned(), "s3cr3t".to_owned())
            ]
        );
        nobody.forget(&run, &id("a-1")).await.unwrap();
        let missing = host
            .as_account(&Account::Sudo("no-such-user".into()))
            .await
            .unwrap_err();
        assert!(
            matches!(&missing.fault, Fault::NoAccount { account, .. } if account == "no-such-user"),
            "{missing}"
        );
        std::fs::remove_dir_all(format!(
            "/var/tmp/runbook-{}/runs/{run}",
            nobody.hello().uid
        ))
        .unwrap();
    });
}
