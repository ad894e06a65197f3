//! Starts an OpenSSH master. The user's configuration, agent, jump hosts and known hosts are ssh's own business;
//! options here only take away what a program without a terminal cannot use.

use std::process::Stdio;

use openssh::Session;

use super::{log, sockets};
use crate::{Fault, HostSpec, Options};

const SET: &[&str] = &[
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    // a controller that is killed leaves its master; it ends by itself
    "ControlPersist=60",
    // a dead connection is found within 45 s
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "LogLevel=INFO",
];

/// Starts a master and waits until it is logged in.
pub(super) async fn start(spec: &HostSpec, options: &Options) -> Result<Session, Fault> {
    let dir = sockets::directory(options)?;
    let log_file = dir.path().join("log");
    let said_file = dir.path().join("stderr");
    let said = std::fs::File::create(&said_file)
        .map_err(|e| Fault::local("cannot make a file for what ssh says", &e))?;
    let seconds = options.connect_timeout.as_secs().max(1);
    let mut ssh = tokio::process::Command::new("ssh");
    ssh.arg("-E")
        .arg(&log_file)
        .arg("-S")
        .arg(dir.path().join("master"))
        .args(["-M", "-f", "-N"]);
    for option in SET {
        ssh.args(["-o", option]);
    }
    ssh.args(["-o", &format!("ConnectTimeout={seconds}")]);
    if let Some(port) = spec.connection.port {
        ssh.args(["-p", &port.to_string()]);
    }
    if let Some(user) = &spec.connection.user {
        ssh.args(["-l", user]);
    }
    if let Some(file) = &spec.connection.ssh_config {
        ssh.args(["-F", file]);
    }
    ssh.args(["--", &spec.connection.address])
        // nobody is there to answer; without this a jump host would ask on the terminal
        .env("SSH_ASKPASS", "/bin/false")
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // a jump host's ssh writes here and not to the log
        .stderr(said)
        // Ctrl-C at the terminal is for the controller alone
        .process_group(0)
        .kill_on_drop(true);
    let mut child = ssh
        .spawn()
        .map_err(|e| Fault::local("cannot start `ssh`", &e))?;
    let address = &spec.connection.address;
    // it goes to the background once it is logged in
    match tokio::time::timeout(options.connect_timeout, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(Session::new_native_mux(dir)),
        Ok(Ok(_)) => Err(log::fault(&(read(&said_file) + &read(&log_file)), address)),
        Ok(Err(error)) => Err(Fault::local("cannot wait for `ssh`", &error)),
        Err(_) => {
            let said = read(&said_file) + &read(&log_file);
            match log::fault(&said, address) {
                Fault::Ssh(_) => Err(Fault::Unreachable {
                    address: runbook_model::text::printable(address).into_owned(),
                    detail: format!("no login within {seconds} s"),
                }),
                fault => Err(fault),
            }
        }
    }
}

fn read(file: &std::path::Path) -> String {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open(file) {
        // what cannot be read says nothing; the caller has a message for that
        drop(file.take(64 << 10).read_to_end(&mut bytes));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
