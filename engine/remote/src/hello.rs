//! What a host says about itself when a shell starts there, and how it refuses one.

use std::time::{SystemTime, UNIX_EPOCH};

use runbook_model::Account;
use runbook_model::text::printable;

use crate::Fault;
use crate::frame::Reply;

/// A host as an account sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hello {
    /// Name of the account.
    pub user: String,
    /// Its number.
    pub uid: u32,
    /// Id of this boot; what was alive under another one is dead.
    pub boot_id: String,
    /// `/etc/machine-id`; two names with one id are one machine.
    pub machine_id: String,
    /// The name that the host gives itself.
    pub hostname: String,
    /// The program that runs scripts.
    pub shell: String,
    /// Where attempts live: `/var/lib/runbook` for root, else `~/.local/state/runbook`, else `/var/tmp/runbook-UID`.
    pub state_dir: String,
    /// The host's clock minus the controller's, in milliseconds; as exact as the answer was quick.
    pub clock_offset_ms: i64,
}

impl Hello {
    pub(crate) fn read(reply: &Reply, asked: SystemTime) -> Result<Self, Fault> {
        let text = |word: &str| printable(reply.word(word).unwrap_or_default()).into_owned();
        let missing: Vec<String> = reply
            .words("missing")
            .map(|w| printable(w).into_owned())
            .collect();
        if !missing.is_empty() {
            return Err(Fault::NoShell(format!(
                "these are missing there: {}",
                missing.join(", ")
            )));
        }
        let uid = reply.word("uid").and_then(|uid| uid.parse().ok());
        let (boot_id, state_dir) = (text("boot_id"), text("state_dir"));
        let Some(uid) = uid else {
            return Err(Fault::Protocol("no uid in the greeting".to_owned()));
        };
        if boot_id.is_empty() || boot_id == "none" || boot_id.contains(' ') {
            return Err(Fault::NoShell(
                "the boot id cannot be read from /proc; Linux is needed".to_owned(),
            ));
        }
        if !state_dir.starts_with('/') {
            return Err(Fault::Protocol(
                "no state directory in the greeting".to_owned(),
            ));
        }
        Ok(Self {
            user: text("user"),
            uid,
            boot_id,
            machine_id: text("machine_id"),
            hostname: text("hostname"),
            shell: text("shell"),
            state_dir,
            clock_offset_ms: reply.word("clock").map_or(0, |clock| offset(clock, asked)),
        })
    }

    /// Why a shell ended before it said hello, from what was printed.
    pub(crate) fn refusal(said: &str, account: &Account) -> Fault {
        let has = |text: &str| said.contains(text);
        let last = said
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("it ended without a word");
        let last = printable(last.trim()).into_owned();
        if let Account::Sudo(name) = account {
            // More lines follow it: a plugin complains that it cannot start either.
            if let Some(line) = said.lines().find(|line| line.contains("unknown user")) {
                return Fault::NoAccount {
                    account: printable(name).into_owned(),
                    said: printable(line.trim()).into_owned(),
                };
            }
            if has("password is required") || has("authentication is required") {
                return Fault::SudoPassword;
            }
            if has("must have a tty") {
                return Fault::SudoTerminal;
            }
            if has("sudo: not found")
                || has("sudo': No such file")
                || has("sudo\u{2019}: No such file")
                || has("can't execute 'sudo'")
            {
                return Fault::SudoMissing;
            }
            if has("sudo:")
                || has("sudoers")
                || has("Sorry, user")
                || has("not allowed to")
                || has("may not run sudo")
            {
                return Fault::SudoDenied(last);
            }
        }
        Fault::NoShell(last)
    }
}

/// The host's clock (`SECONDS.FRACTION`, the fraction may be missing) against the middle between asking and now.
fn offset(clock: &str, asked: SystemTime) -> i64 {
    let millis = |at: SystemTime| {
        i64::try_from(
            at.duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_millis(),
        )
        .unwrap_or(0)
    };
    let (seconds, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let Ok(seconds) = seconds.parse::<i64>() else {
        return 0;
    };
    let fraction = fraction
        .get(..3)
        .and_then(|digits| digits.parse::<i64>().ok())
        .unwrap_or(0);
    let middle = (millis(asked) + millis(SystemTime::now())) / 2;
    seconds
        .saturating_mul(1000)
        .saturating_add(fraction)
        .saturating_sub(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let sudo = Account::Sudo("root".into());
        let fault = |said: &str| Hello::refusal(said, &sudo);
        assert_eq!(fault("sudo: a password is required"), Fault::SudoPassword);
        assert_eq!(
            fault("sudo: sorry, you must have a tty to run sudo"),
            Fault::SudoTerminal
        );
        assert_eq!(
            fault("env: 'sudo': No such file or directory"),
            Fault::SudoMissing
        );
        assert!(matches!(
            fault("op is not in the sudoers file."),
            Fault::SudoDenied(_)
        ));
        let account = Account::Sudo("nosuch".into());
        let said =
            "sudo: unknown user nosuch\nsudo: error initializing audit plugin sudoers_audit\n";
        assert_eq!(
            Hello::refusal(said, &account).to_string(),
            "there is no account `nosuch` (sudo says: sudo: unknown user nosuch); create it there, or correct `as:` of the step"
        );
        assert!(matches!(
            fault("sudo: unknown user: root"),
            Fault::NoAccount { .. }
        ));
        let nologin = Hello::refusal(
            "This account is currently not available.\n",
            &Account::Login,
        );
        assert_eq!(
            nologin,
            Fault::NoShell("This account is currently not available.".into())
        );
    }

    #[test]
    fn clocks_without_fractions_are_read() {
        let now = SystemTime::now();
        let seconds = now.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!(offset(&format!("{}.%N", seconds + 100), now).abs_diff(100_000) < 2_000);
        assert_eq!(offset("never", now), 0);
    }
}
