//! `runbook logs --follow`: what an instance prints, as it comes.

use std::collections::HashMap;
use std::time::Duration;

use runbook_exec::store::{Store, Stream};
use runbook_model::{AttemptId, NodeIx, RunId};
use runbook_report::{attempt_text, attempts_of, last_words};

use super::{shown, unreadable};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Bytes of a line that has not ended, above which it is shown all the same.
const LINE: usize = 64 * 1024;

/// A stream of an attempt, as far as it was shown.
#[derive(Default)]
struct Tail {
    at: u64,
    /// The line that has not ended yet.
    held: Vec<u8>,
}

impl Tail {
    /// What can be shown of new bytes: whole lines, or all if there will be no more.
    fn take(&mut self, new: &[u8], is_last: bool) -> Vec<u8> {
        self.at += new.len() as u64;
        self.held.extend_from_slice(new);
        let whole = match self.held.iter().rposition(|byte| *byte == b'\n') {
            _ if is_last || self.held.len() > LINE => self.held.len(),
            Some(end) => end + 1,
            None => 0,
        };
        self.held.drain(..whole).collect()
    }
}

/// Shows what the attempts of a node print until it has ended, or nobody has the run.
pub(super) fn follow(
    store: &Store,
    run: &RunId,
    node: NodeIx,
    output: &Output,
) -> Result<Exit, Error> {
    let style = output.style();
    let mut tails: HashMap<AttemptId, [Tail; 2]> = HashMap::new();
    loop {
        let seen = store.look(run)?;
        let home = store.home(run)?;
        let ended = seen.state.node(node).is_none_or(|n| n.is_done());
        // What was printed before this look is in the log by now.
        let is_last = ended || seen.held.is_none();
        for id in attempts_of(&seen.state, node) {
            if !tails.contains_key(id) {
                output.put(&(attempt_text(&seen.plan, &seen.state, id, &style) + "\n"))?;
            }
            let tails = tails.entry(id.clone()).or_default();
            let over = seen.state.attempts.get(id).is_none_or(|a| a.end.is_some());
            for (tail, stream) in tails.iter_mut().zip([Stream::Out, Stream::Err]) {
                let log = home.log(id);
                let new = log
                    .read_from(stream, tail.at)
                    .map_err(|e| unreadable(id, &e))?;
                output.put(&shown(stream, &tail.take(&new, is_last || over)))?;
            }
        }
        if is_last {
            output.put(&last_words(&seen.state, node, &style))?;
            if !ended {
                output.note(&format!("no controller has run {run}\n"));
            }
            return Ok(Exit::Done);
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shown_when_they_end_and_what_is_left_at_the_end() {
        let mut tail = Tail::default();
        assert_eq!(tail.take(b"one\ntw", false), b"one\n");
        assert_eq!(tail.take(b"", false), b"");
        assert_eq!(tail.take(b"o\nthree\nfo", false), b"two\nthree\n");
        assert_eq!(tail.take(b"ur", true), b"four");
        assert_eq!(tail.at, 18);
        assert_eq!(tail.take(&[b'x'; LINE + 1], false).len(), LINE + 1);
    }
}
