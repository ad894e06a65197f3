//! A program on a pseudo-terminal, as a person drives it: reads the screen, answers, presses
//! Ctrl-C, and ends it by force. Every wait ends with what was waited for, or with a deadline and
//! everything that the program wrote.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty};

/// After this a wait has failed. Far more than anything takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(300);
/// How long one look waits before the next.
pub const MOMENT: Duration = Duration::from_millis(2);
/// What a gate writes at the end of its prompt when it waits for an answer.
const PROMPT: &str = "no to stop: ";
/// How long the rest of the output may take after the program's end, if something else holds the
/// terminal open.
const REST: Duration = Duration::from_secs(2);
/// Lines that left the screen at its top and are kept.
const HISTORY: usize = 10_000;

/// A program on a pseudo-terminal.
pub struct Terminal {
    child: Child,
    pty: Arc<Pty>,
    written: Arc<Written>,
    /// What the program wrote, as far as it was fetched: a search must not keep the reader waiting,
    /// or the program would wait for its terminal.
    text: Vec<u8>,
    seen: usize,
    searched: (String, usize),
    columns: u16,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none after a signal.
    pub code: Option<i32>,
    /// Everything that it wrote to the terminal, without carriage returns.
    pub text: String,
}

#[derive(Default)]
struct Written {
    now: Mutex<Now>,
    more: Condvar,
}

#[derive(Default)]
struct Now {
    text: Vec<u8>,
    screen: Option<vt100::Parser>,
    closed: bool,
}

impl Terminal {
    /// Starts a program on a new terminal of this size, as its session's leader.
    #[must_use]
    pub fn start(program: &Path, args: &[OsString], rows: u16, columns: u16) -> Self {
        let (pty, pts) = pty_process::blocking::open().expect("the system has pseudo-terminals");
        pty.resize(Size::new(rows, columns))
            .expect("a pseudo-terminal has a size");
        // What starts the tests may ignore Ctrl-C, as a shell does for what runs in its background;
        // a program at a terminal does not inherit that.
        let command = Command::new("env")
            .arg("--default-signal=INT,QUIT")
            .arg(program)
            .args(args)
            .env("TERM", "xterm")
            .env("NO_COLOR", "1");
        let child = command
            .spawn(pts)
            .unwrap_or_else(|e| panic!("cannot start {}: {e}", program.display()));
        let pty = Arc::new(pty);
        let written = Arc::new(Written::default());
        written.lock().screen = Some(vt100::Parser::new(rows, columns, HISTORY));
        let (from, to) = (Arc::clone(&pty), Arc::clone(&written));
        std::thread::spawn(move || read(&from, &to));
        Self {
            child,
            pty,
            written,
            text: Vec::new(),
            seen: 0,
            searched: (String::new(), 0),
            columns,
        }
    }

    /// Types.
    pub fn send(&self, text: &str) {
        (&*self.pty)
            .write_all(text.as_bytes())
            .expect("the terminal takes what is typed");
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        self.send("\x03");
    }

    /// Ends the program as `kill -9` does.
    pub fn kill(&mut self) {
        self.child
            .kill()
            .expect("the program is this process's child");
        self.child
            .wait()
            .expect("the program is this process's child");
    }

    /// Has the program stand still, as on a machine that sleeps.
    pub fn sleep(&self) {
        self.signal("STOP");
    }

    /// Wakes it up again.
    pub fn wake(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "no SIG{name}");
    }

    /// Whether the program still runs.
    pub fn runs(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("the program is this process's child")
            .is_none()
    }

    /// Whether this text has been written since the last text that was found.
    pub fn appeared(&mut self, text: &str) -> bool {
        let known = self.text.len();
        self.text
            .extend_from_slice(&self.written.lock().text[known..]);
        // Searched once, a part is not searched again for the same.
        let from = if self.searched.0 == text {
            self.searched.1
        } else {
            self.seen
        };
        let found = find(&self.text[from..], text.as_bytes());
        if let Some(at) = found {
            self.seen = from + at + text.len();
        }
        let end = self.text.len().saturating_sub(text.len());
        let next = if found.is_some() {
            self.seen
        } else {
            end.max(from)
        };
        self.searched = (text.to_owned(), next);
        found.is_some()
    }

    /// Waits for this text.
    pub fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let over = self.written.lock().closed || Instant::now() > deadline;
            if self.appeared(text) {
                return;
            }
            assert!(!over, "`{text}` was never written");
            std::thread::sleep(MOMENT);
        }
    }

    /// Waits until what is typed is not shown. A prompt stands there a moment before that, and what
    /// is typed in this moment would be shown by the terminal itself.
    pub fn wait_for_silence(&mut self) {
        let tty = format!("/proc/{}/fd/0", self.child.id());
        let deadline = Instant::now() + DEADLINE;
        loop {
            let asked = std::process::Command::new("stty")
                .args(["-a", "-F", &tty])
                .output()
                .expect("the system has stty");
            let text = String::from_utf8_lossy(&asked.stdout);
            if text.split_whitespace().any(|word| word == "-echo") {
                return;
            }
            let over = !self.runs() || Instant::now() > deadline;
            assert!(!over, "what is typed was shown all the time: {text}");
            std::thread::sleep(MOMENT);
        }
    }

    /// Answers a gate that asks now with what lets it pass; the question counts as read.
    pub fn agree(&mut self) {
        if self.appeared(PROMPT) {
            let line = self.text[..self.seen].rsplit(|b| *b == b'\n').next();
            let line = String::from_utf8_lossy(line.unwrap_or_default()).into_owned();
            self.send(&agreeable(&line));
        }
    }

    /// Waits until this gate asks, and answers.
    pub fn answer(&mut self, gate: &str, answer: &str) {
        self.wait_for(&format!("{gate} asks:"));
        self.wait_for(PROMPT);
        self.send(&format!("{answer}\n"));
    }

    /// Waits for the program's end.
    pub fn end(&mut self) -> Ended {
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self
                .child
                .try_wait()
                .expect("the program is this process's child")
            {
                break status;
            }
            assert!(Instant::now() < deadline, "the program did not end");
            std::thread::sleep(MOMENT);
        };
        let rest = Instant::now() + REST;
        let mut now = self.written.lock();
        while !now.closed && Instant::now() < rest {
            now = self.written.wait(now);
        }
        Ended {
            code: status.code(),
            text: String::from_utf8_lossy(&now.text).into_owned(),
        }
    }

    /// The lines that have left the screen at its top: they can never be drawn over again.
    #[must_use]
    pub fn history(&self) -> Vec<String> {
        let mut now = self.written.lock();
        let screen = now
            .screen
            .as_mut()
            .expect("every terminal has a screen")
            .screen_mut();
        screen.set_scrollback(usize::MAX);
        let mut lines = Vec::new();
        for back in (1..=screen.scrollback()).rev() {
            screen.set_scrollback(back);
            lines.extend(screen.rows(0, self.columns).next());
        }
        screen.set_scrollback(0);
        lines
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let lines = self.history().join("\n");
            let screen = self
                .written
                .lock()
                .screen
                .as_ref()
                .map(|screen| screen.screen().contents());
            say(&format!(
                "---- the terminal ----\n{lines}\n{}\n----",
                screen.unwrap_or_default()
            ));
        }
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Written {
    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until there is more, but not for long: the program may have ended.
    fn wait<'a>(&self, now: MutexGuard<'a, Now>) -> MutexGuard<'a, Now> {
        let waited = self.more.wait_timeout(now, Duration::from_millis(100));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// What lets a gate with this prompt pass. Of several options it is `go`; evidence is that of the shipped upgrade.
fn agreeable(prompt: &str) -> String {
    let asked = prompt.trim_start_matches("type ");
    let words: Vec<&str> = asked.split(' ').collect();
    match words.as_slice() {
        ["the", "word", word, ..] => format!("{word}\n"),
        ["done", ..] => "done\n12\nC-17\n".to_owned(),
        ["yes", ..] => "yes\n".to_owned(),
        words if words.iter().any(|word| word.trim_end_matches(',') == "go") => "go\n".to_owned(),
        _ => panic!("nobody knows what to say: {prompt}"),
    }
}

/// Writes into the log of the test.
#[expect(
    clippy::print_stderr,
    reason = "this is what a test has to say, and the test harness keeps it"
)]
pub fn say(text: &str) {
    eprintln!("{text}");
}

/// Until nobody holds the other side open.
fn read(pty: &Pty, written: &Written) {
    let mut bytes = [0; 4096];
    loop {
        let n = match (&mut &*pty).read(&mut bytes) {
            Ok(n) if n > 0 => n,
            _ => break,
        };
        let mut now = written.lock();
        if let Some(screen) = &mut now.screen {
            screen.process(&bytes[..n]);
        }
        now.text.extend(bytes[..n].iter().filter(|b| **b != b'\r'));
        written.more.notify_all();
    }
    written.lock().closed = true;
    written.more.notify_all();
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Terminal {
        Terminal::start(Path::new("/bin/sh"), &["-c".into(), script.into()], 5, 40)
    }

    #[test]
    fn a_person_reads_and_answers() {
        let mut terminal = shell(
            "echo 'g asks:'; printf 'type yes to go on, no to stop: '; read a; echo \"got $a\"; exit 3",
        );
        terminal.answer("g", "yes");
        terminal.wait_for("got");
        terminal.wait_for(" yes");
        let ended = terminal.end();
        assert_eq!(ended.code, Some(3));
        assert!(ended.text.ends_with("got yes\n"), "{}", ended.text);
    }

    #[test]
    fn each_gate_is_answered_in_its_words() {
        let prompts = [
            ("type yes to go on, no to stop: ", "yes\n"),
            ("type yes to end the wait now, no to stop: ", "yes\n"),
            ("type the word open to go on, no to stop: ", "open\n"),
            ("type back or go, or no to stop: ", "go\n"),
            (
                "type done when it is done, no to stop: ",
                "done\n12\nC-17\n",
            ),
        ];
        for (prompt, said) in prompts {
            assert_eq!(agreeable(prompt), said);
        }
        let mut terminal = shell(
            "echo; printf 'type back or go, or no to stop: '; read a; printf 'type the word open to go on, no to stop: '; read b; echo \"got $a $b\"",
        );
        while terminal.runs() {
            terminal.agree();
        }
        let ended = terminal.end();
        assert!(ended.text.ends_with("got go open\n"), "{}", ended.text);
    }

    #[test]
    fn what_is_typed_in_silence_is_not_shown() {
        let mut terminal = shell("echo word:; stty -echo; read a; stty echo; echo \"got ${#a}\"");
        terminal.wait_for("word:");
        terminal.wait_for_silence();
        terminal.send("secret\n");
        let ended = terminal.end();
        assert_eq!(ended.text, "word:\ngot 6\n");
    }

    #[test]
    fn ctrl_c_is_a_signal_and_a_kill_is_final() {
        let mut terminal = shell("trap 'echo heard' INT; echo ready; while :; do sleep 1; done");
        terminal.wait_for("ready");
        terminal.interrupt();
        terminal.wait_for("heard");
        assert!(terminal.runs());
        terminal.kill();
        assert_eq!(terminal.end().code, None);
    }

    #[test]
    fn what_left_the_screen_is_known() {
        let mut terminal = shell("for i in 1 2 3 4 5 6 7; do echo line $i; done");
        assert_eq!(terminal.end().code, Some(0));
        assert_eq!(terminal.history(), ["line 1", "line 2", "line 3"]);
    }

    #[test]
    #[should_panic(expected = "`never` was never written")]
    fn what_never_comes_is_not_waited_for() {
        shell("echo something").wait_for("never");
    }
}
