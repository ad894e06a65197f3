//! Tells from what ssh wrote why a connection did not come about. The texts are those of OpenSSH 7.4 to 10.

use runbook_model::text::printable;

use crate::Fault;

/// The fault behind the log of a master that did not start.
pub(super) fn fault(log: &str, address: &str) -> Fault {
    let has = |text: &str| log.contains(text);
    let address = printable(address).into_owned();
    if has("REMOTE HOST IDENTIFICATION HAS CHANGED")
        || has("POSSIBLE DNS SPOOFING DETECTED")
        || has("REVOKED HOST KEY DETECTED")
    {
        return Fault::HostKeyChanged(address);
    }
    if has("Host key verification failed") {
        return Fault::HostKeyUnknown(address);
    }
    if has("Could not resolve hostname") || has("Name or service not known") {
        return Fault::NotResolved(address);
    }
    if has("Permission denied (") || has("Too many authentication failures") {
        let line = line_with(log, "Permission denied (")
            .or_else(|| line_with(log, "Too many authentication failures"));
        return Fault::LoginDenied(line.unwrap_or_default());
    }
    if has("Connection refused") {
        return Fault::Refused(address);
    }
    for text in [
        "Connection timed out",
        "Operation timed out",
        "No route to host",
        "Network is unreachable",
        "Host is down",
    ] {
        if has(text) {
            return Fault::Unreachable {
                address,
                detail: text.to_lowercase(),
            };
        }
    }
    let line = line_with(log, "Bad configuration option").or_else(|| last_line(log));
    Fault::Ssh(line.unwrap_or_else(|| "it ended without a word".to_owned()))
}

fn line_with(log: &str, text: &str) -> Option<String> {
    log.lines().find(|line| line.contains(text)).map(clean)
}

fn last_line(log: &str) -> Option<String> {
    log.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .map(clean)
}

fn clean(line: &str) -> String {
    printable(&line.trim().chars().take(300).collect::<String>()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_apart() {
        let messages: Vec<String> = [
            "ssh: Could not resolve hostname nowhere.invalid: Name or service not known\r\n",
            "ssh: connect to host 10.0.0.1 port 22: Connection refused\r\n",
            "ssh: connect to host 10.0.0.1 port 22: Connection timed out\r\n",
            "ssh: connect to host 10.0.0.1 port 22: No route to host\r\n",
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\r\nHost key verification failed.\r\n",
            "No ED25519 host key is known for h and you have requested strict checking.\r\nHost key verification failed.\r\n",
            "op@h: Permission denied (publickey,password).\r\n",
            "Received disconnect from h port 22:2: Too many authentication failures\r\n",
            "/etc/x: line 1: Bad configuration option: nonsense\r\n/etc/x: terminating, 1 bad configuration options\r\n",
            "kex_exchange_identification: Connection closed by remote host\r\n",
            "bad \x1b[31m thing",
            "",
        ]
        .iter()
        .map(|log| fault(log, "h").to_string())
        .collect();
        insta::assert_snapshot!(messages.join("\n"));
    }
}
