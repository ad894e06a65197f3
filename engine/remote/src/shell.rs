//! Starts our shell on a host: a short command line that any login shell can read, then the library over its input.

use std::sync::{Arc, Mutex, PoisonError};

use runbook_model::Account;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::channel::{Holder, Input, Output};
use crate::excerpt::Ends;
use crate::frame::{Frames, token, within};
use crate::hello::Hello;
use crate::quote::quoted;
use crate::transport::Transport;
use crate::{Fault, Options};

/// The library of the remote side.
pub(crate) const LIBRARY: &str = concat!(
    include_str!("sh/common.sh"),
    include_str!("sh/job.sh"),
    include_str!("sh/unit.sh"),
    include_str!("sh/wrap.sh"),
    include_str!("sh/lock.sh"),
    include_str!("sh/clean.sh"),
    include_str!("sh/shell.sh")
);

/// What a shell prints to stderr; the task that drains it also looks for marks.
#[derive(Default)]
pub(crate) struct Errors {
    pub(crate) ends: Ends,
    /// How many marks were seen.
    pub(crate) marks: u64,
    /// What the last mark said.
    pub(crate) last_mark: String,
}

/// A shell that has said hello.
pub(crate) struct Shell {
    pub(crate) input: Input,
    pub(crate) frames: Frames,
    pub(crate) hello: Hello,
    pub(crate) errors: Arc<Mutex<Errors>>,
    pub(crate) marked: tokio::sync::watch::Receiver<u64>,
    /// Keeps the process or the channel.
    pub(crate) holder: Holder,
}

/// The command line for an account. No quote, backslash, newline or exclamation mark inside the quotes: sh, bash,
/// fish, csh and zsh all read it the same way.
fn command_line(account: &Account, shell: &str) -> String {
    let read = "'umask 077; cd /; IFS= read -r n && l=$(head -c \"$n\") && eval \"$l\"'";
    match account {
        Account::Login => format!("exec env LC_ALL=C {shell} -c {read}"),
        Account::Sudo(user) => {
            format!("exec env LC_ALL=C sudo -n -H -u {user} -- env LC_ALL=C {shell} -c {read}")
        }
    }
}

/// What the shell gets first: the library, and what is known only now.
fn first_words(token: &str, options: &Options) -> String {
    let library = quoted(LIBRARY);
    let hash: String = Sha256::digest(LIBRARY)
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let state_dir = quoted(options.state_dir.as_deref().unwrap_or_default());
    let shell = quoted(&options.shell);
    format!(
        "rb_lib={library}\nrb_token={token} rb_hash={hash} RB_SH={shell} RB={state_dir}\neval \"$rb_lib\"\nrb_main\n"
    )
}

impl Shell {
    /// Opens a shell as an account.
    pub(crate) async fn open(
        transport: &Transport,
        account: &Account,
        options: &Options,
    ) -> Result<Self, Fault> {
        let channel = transport
            .command(&command_line(account, &options.shell))
            .await?;
        let token = token()?;
        let errors = Arc::<Mutex<Errors>>::default();
        let (marking, marked) = tokio::sync::watch::channel(0);
        let drained = tokio::spawn(drain(
            channel.errors,
            format!("\0{token}").into_bytes(),
            errors.clone(),
            marking,
        ));
        let mut shell = Self {
            input: channel.input,
            frames: Frames::new(channel.output, token),
            hello: Hello::default(),
            errors: errors.clone(),
            marked,
            holder: channel.holder,
        };
        match within(options.connect_timeout, shell.greet(options)).await {
            Ok(()) => Ok(shell),
            Err(Fault::Lost(_)) => {
                // it ended before it spoke: the reason is on stderr, which may come a moment later
                drop(shell);
                drop(tokio::time::timeout(std::time::Duration::from_secs(2), drained).await);
                let said = lock(&errors).ends.last_words();
                Err(Hello::refusal(&said, account))
            }
            Err(fault) => Err(fault),
        }
    }

    async fn greet(&mut self, options: &Options) -> Result<(), Fault> {
        let words = first_words(self.frames.token(), options);
        let sent = async {
            self.input
                .write_all(format!("{}\n", words.len()).as_bytes())
                .await?;
            self.input.write_all(words.as_bytes()).await?;
            self.input.flush().await
        };
        sent.await.map_err(|_| Fault::Lost(String::new()))?;
        let before = std::time::SystemTime::now();
        let hello = self.frames.our_line().await?;
        if hello != "hello 1" {
            return Err(Fault::Protocol("a greeting of another version".to_owned()));
        }
        let reply = self.frames.reply("0").await?;
        self.hello = Hello::read(&reply, before)?;
        Ok(())
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads stderr for as long as there is any, so that nobody waits for us to read it.
async fn drain(
    mut output: Output,
    mark: Vec<u8>,
    errors: Arc<Mutex<Errors>>,
    marking: tokio::sync::watch::Sender<u64>,
) {
    let mut pending: Vec<u8> = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    loop {
        let count = match output.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        pending.extend_from_slice(&buffer[..count]);
        let mut seen = None;
        {
            let mut errors = lock(&errors);
            // a mark is NUL, token, the rest of its line, NUL
            while let Some(at) = find(&pending, &mark) {
                let Some(end) = find(&pending[at + 1..], b"\0") else {
                    break;
                };
                errors.ends.push(&pending[..at]);
                errors.marks += 1;
                errors.last_mark = String::from_utf8_lossy(&pending[at + mark.len()..at + 1 + end])
                    .trim()
                    .to_owned();
                seen = Some(errors.marks);
                pending.drain(..at + 1 + end + 1);
            }
            let keep = find(&pending, &mark).unwrap_or(pending.len().saturating_sub(mark.len()));
            errors.ends.push(&pending[..keep]);
            pending.drain(..keep);
        }
        if let Some(seen) = seen {
            marking.send_replace(seen);
        }
    }
    lock(&errors).ends.push(&pending);
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_means_the_same_in_every_login_shell() {
        for account in [Account::Login, Account::Sudo("root".into())] {
            let line = command_line(&account, "sh");
            let inside = line.split('\'').nth(1).unwrap();
            assert_eq!(line.matches('\'').count(), 2);
            assert!(!inside.contains(['\\', '!', '\n']), "{inside}");
        }
    }
}
