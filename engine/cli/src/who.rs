//! Who runs this program, and where, as the system names them.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use runbook_model::event::Controller;

/// More of a system file is not read.
const MOST: u64 = 1 << 20;

/// This process.
pub(crate) fn controller() -> Controller {
    Controller {
        host: host(),
        pid: std::process::id(),
        user: user(),
        engine: env!("CARGO_PKG_VERSION").into(),
    }
}

fn host() -> String {
    let name = read("/proc/sys/kernel/hostname").trim().to_owned();
    if name.is_empty() {
        "unknown".into()
    } else {
        name
    }
}

/// The account; what the environment says is only believed where the system does not know.
fn user() -> String {
    let Ok(own) = std::fs::metadata("/proc/self") else {
        return std::env::var("USER").unwrap_or_else(|_| "unknown".into());
    };
    name_of(own.uid(), &read("/etc/passwd")).unwrap_or_else(|| format!("uid {}", own.uid()))
}

fn name_of(uid: u32, passwd: &str) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse::<u32>().ok()? == uid).then(|| name.to_owned())
    })
}

fn read(path: &str) -> String {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MOST).read_to_string(&mut text));
    if read.is_err() {
        text.clear();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nop:x:1000:1000::/home/op:/bin/sh\n";
        assert_eq!(name_of(1000, passwd).as_deref(), Some("op"));
        assert_eq!(name_of(7, passwd), None);
    }

    #[test]
    fn this_process_has_a_name() {
        let me = controller();
        assert!(!me.user.is_empty() && !me.host.is_empty());
    }
}
