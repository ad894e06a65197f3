//! Secrets that a program prints: a password manager, `age`, `sops`. It runs without a shell and without input.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::{Value, read};

/// How long the program may take: somebody may have to unlock a key.
const LIMIT: Duration = Duration::from_secs(120);

/// What the program prints. What it says on its standard error stays with the program: it may repeat a secret.
pub(super) fn output(words: &[String]) -> Value {
    let (program, arguments) = words.split_first().ok_or("no program is named")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("it cannot be started: {e}"))?;
    let printed = printed(&mut child, LIMIT);
    if printed.is_err() {
        // It may have ended already.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    let text = printed?;
    match status.success() {
        true => Ok(text),
        false => Err(format!(
            "it ended with {status}; run it by hand to see why, its messages are not shown here"
        )),
    }
}

fn printed(child: &mut Child, limit: Duration) -> Value {
    let pipe = child.stdout.take().ok_or("it prints nowhere")?;
    let (done, wait) = mpsc::channel();
    // Something that it started may keep the pipe open for ever.
    std::thread::spawn(move || {
        let _ = done.send(read::text(pipe));
    });
    wait.recv_timeout(limit)
        .map_err(|_| format!("it takes longer than {} s", limit.as_secs()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str]) -> Value {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        output(&words)
    }

    #[test]
    fn a_program_prints_a_secret_and_no_shell_is_between() {
        let value = run(&["printf", "%s\\n\\n", "a $HOME; `x`"]).unwrap();
        assert_eq!(value.as_str(), "a $HOME; `x`\n");
        assert_eq!(run(&["cat"]).unwrap().as_str(), "", "there is no input");
    }

    #[test]
    fn what_goes_wrong_is_said_without_its_words() {
        let problem = run(&["sh", "-c", "echo hunter2; echo hunter2 >&2; exit 3"]).unwrap_err();
        assert!(
            problem.contains("exit status: 3") && !problem.contains("hunter2"),
            "{problem}"
        );
        assert!(
            run(&["/nonexistent/program"])
                .unwrap_err()
                .contains("cannot be started")
        );
        assert!(run(&[]).is_err());
    }

    #[test]
    fn a_program_that_does_not_end_is_given_up() {
        let mut child = Command::new("sleep")
            .arg("600")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let problem = printed(&mut child, Duration::from_millis(10)).unwrap_err();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(problem.starts_with("it takes longer"), "{problem}");
    }

    #[test]
    fn a_program_that_prints_without_end_is_bounded() {
        // The pipe closes, and that ends it.
        assert!(run(&["sh", "-c", "while :; do echo hunter2; done"]).is_err());
    }
}
