//! Accounts as they are: shells that are no `sh`, banners, and what `sudo` wants.

use std::path::Path;
use std::process::Command;

use runbook_tests::lab::{Lab, NODES};

use super::{counted, operator};

/// A change of a host that is undone at the end.
struct Changed<'a>(&'a Lab, &'a str, &'a str);

impl<'a> Changed<'a> {
    fn new(lab: &'a Lab, host: &'a str, change: &str, undo: &'a str) -> Self {
        let changed = Self(lab, host, undo);
        lab.on(host, change);
        changed
    }
}

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        self.0.on(self.1, self.2);
    }
}

/// Puts fish on a host, with the libraries that a small Debian does not have.
fn put_fish(lab: &Lab, host: &str) {
    let fish = Path::new("/usr/bin/fish");
    lab.put(host, fish, "/usr/local/bin/fish");
    let needs = Command::new("ldd")
        .arg(fish)
        .output()
        .expect("the system has ldd");
    let needs = String::from_utf8_lossy(&needs.stdout).into_owned();
    for line in needs.lines().filter(|line| line.contains("pcre2")) {
        let file = line
            .split_whitespace()
            .nth(2)
            .expect("a library has a file");
        let name = Path::new(file).file_name().expect("a file has a name");
        lab.put(
            host,
            Path::new(file),
            &format!("/usr/local/lib/{}", name.to_string_lossy()),
        );
    }
}

#[test]
fn fish_a_banner_and_a_sudo_with_a_terminal_of_its_own_cost_nothing() {
    let lab = Lab::fresh();
    let operator = operator(&lab, "survive.yaml", "long: 1\nblind: 0\n");
    put_fish(&lab, NODES[0]);
    let _fish = Changed::new(
        &lab,
        NODES[0],
        "ldconfig; /usr/local/bin/fish -c true && usermod --shell /usr/local/bin/fish operator",
        "usermod --shell /bin/bash operator; rm -f /usr/local/bin/fish /usr/local/lib/libpcre2*; ldconfig",
    );
    let _banner = Changed::new(
        &lab,
        NODES[1],
        "cp ~operator/.bashrc /root/bashrc; sed -i '1i printf \"Welcome!\\\\nto the machine\"; echo warning >&2' ~operator/.bashrc; \
         echo 'Only for the invited' >/etc/ssh/banner; echo 'Banner /etc/ssh/banner' >/etc/ssh/sshd_config.d/banner.conf; systemctl reload ssh",
        "cp /root/bashrc ~operator/.bashrc; rm -f /etc/ssh/banner /etc/ssh/sshd_config.d/banner.conf; systemctl reload ssh",
    );
    lab.fault("use-pty", NODES[2]);
    // Or nothing would be proved.
    let shell = lab.on(NODES[0], "getent passwd operator");
    assert!(shell.trim().ends_with("/fish"), "{shell}");
    let greeted = lab.on(
        NODES[1],
        "SSH_CLIENT=x su operator -s /bin/bash -c 'SSH_CLIENT=x bash -c true; . ~/.bashrc'",
    );
    assert!(greeted.starts_with("Welcome!\n"), "{greeted}");
    operator.run().ends_with(0);
    for (node, blind) in NODES.iter().zip([true, false, false]) {
        let mut wanted = vec!["four", "long", "one", "three", "two"];
        if blind {
            wanted.insert(0, "blind");
        }
        assert_eq!(counted(&lab, node), wanted, "{node}");
    }
}
