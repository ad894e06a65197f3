//! Reads what a shell on a host writes: lines, frames of exactly so many bytes, records ended by NUL. All bounded.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::Fault;
use crate::channel::Output;

/// The longest line, and the largest frame.
const LINE: usize = 64 << 10;
const FRAME: usize = 8 << 20;
/// All of one reply.
const REPLY: usize = 32 << 20;
/// What a login may print before our shell speaks.
const NOISE: usize = 1 << 20;

/// A reply: lines, named frames, the status of the command.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) lines: Vec<String>,
    pub(crate) data: Vec<(String, Vec<u8>)>,
    pub(crate) status: i32,
}

impl Reply {
    /// The rest of the first line that starts with a word.
    pub(crate) fn word(&self, word: &str) -> Option<&str> {
        self.lines
            .iter()
            .find_map(|line| line.strip_prefix(word)?.strip_prefix(' '))
    }

    pub(crate) fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines
            .iter()
            .filter_map(move |line| line.strip_prefix(word)?.strip_prefix(' '))
    }

    pub(crate) fn frame(&self, name: &str) -> &[u8] {
        self.data
            .iter()
            .find(|(n, _)| n == name)
            .map_or(&[], |(_, bytes)| bytes)
    }

    /// The bytes of a frame, moved out.
    pub(crate) fn take(&mut self, name: &str) -> Vec<u8> {
        let at = self.data.iter().position(|(n, _)| n == name);
        at.map_or_else(Vec::new, |at| std::mem::take(&mut self.data[at].1))
    }

    /// Takes an `error` line for what it is.
    pub(crate) fn into_result(self) -> Result<Self, Fault> {
        match self.word("error") {
            Some(line) => Err(Fault::from_line(line)),
            None if self.status != 0 => Err(Fault::Protocol(format!(
                "a command of the library ended with status {}",
                self.status
            ))),
            None => Ok(self),
        }
    }
}

/// The output of one shell.
pub(crate) struct Frames {
    reader: BufReader<Output>,
    token: String,
}

impl Frames {
    pub(crate) fn new(output: Output, token: String) -> Self {
        Self {
            reader: BufReader::new(output),
            token,
        }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Everything that follows, raw.
    pub(crate) fn into_reader(self) -> BufReader<Output> {
        self.reader
    }

    /// Appends up to a delimiter, which is consumed and not kept; at most `max` bytes are kept. False at the end.
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn until(
        &mut self,
        delimiter: u8,
        max: usize,
        kept: &mut Vec<u8>,
    ) -> Result<bool, Fault> {
        loop {
            let buffer = self
                .reader
                .fill_buf()
                .await
                .map_err(|e| Fault::Lost(format!(" ({e})")))?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let end = buffer.iter().position(|byte| *byte == delimiter);
            let part = &buffer[..end.unwrap_or(buffer.len())];
            let room = max.saturating_sub(kept.len()).min(part.len());
            kept.extend_from_slice(&part[..room]);
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// The next line, without its end.
    pub(crate) async fn line(&mut self) -> Result<String, Fault> {
        let mut line = Vec::new();
        if !self.until(b'\n', LINE, &mut line).await? {
            return Err(Fault::Lost(String::new()));
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// The rest of the next line that starts with our token; what comes before is not ours.
    pub(crate) async fn our_line(&mut self) -> Result<String, Fault> {
        let mut noise = 0;
        loop {
            let line = self.line().await?;
            if let Some(rest) = line.strip_prefix(&self.token) {
                return Ok(rest.trim_start().to_owned());
            }
            noise += line.len() + 1;
            if noise > NOISE {
                return Err(Fault::Protocol(
                    "it prints without end before the shell answers".to_owned(),
                ));
            }
        }
    }

    /// Reads a reply to its end.
    pub(crate) async fn reply(&mut self, sequence: &str) -> Result<Reply, Fault> {
        let mut reply = Reply::default();
        let mut size = 0;
        loop {
            let line = self.line().await?;
            size += line.len() + 1;
            if size > REPLY {
                return Err(Fault::Protocol("a reply without end".to_owned()));
            }
            let Some(ours) = line.strip_prefix(&self.token) else {
                if !line.is_empty() {
                    reply.lines.push(line);
                }
                continue;
            };
            let words: Vec<&str> = ours.split_whitespace().collect();
            match words[..] {
                ["data", name, size_of] => {
                    let bytes = size_of.parse().ok().filter(|bytes| *bytes <= FRAME);
                    let Some(bytes) = bytes else {
                        return Err(Fault::Protocol("a frame without a usable size".to_owned()));
                    };
                    size += bytes;
                    if size > REPLY {
                        return Err(Fault::Protocol("a reply without end".to_owned()));
                    }
                    let mut bytes = vec![0; bytes];
                    self.reader
                        .read_exact(&mut bytes)
                        .await
                        .map_err(|_| Fault::Lost(String::new()))?;
                    reply.data.push((name.to_owned(), bytes));
                }
                ["end", of, status] if of == sequence => {
                    reply.status = status.parse().unwrap_or(-1);
                    return Ok(reply);
                }
                _ => return Err(Fault::Protocol("a reply to something else".to_owned())),
            }
        }
    }
}

/// A random name for a session's frames: what a host prints cannot be taken for them.
pub(crate) fn token() -> Result<String, Fault> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| Fault::Local(format!("no random numbers: {e}")))?;
    Ok(bytes.iter().fold(String::from("rb"), |mut text, byte| {
        use std::fmt::Write as _;
        // writing to a String cannot fail
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// A future with a limit that is a fault.
pub(crate) async fn within<T>(
    limit: Duration,
    future: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    tokio::time::timeout(limit, future)
        .await
        .unwrap_or(Err(Fault::NoAnswer(limit)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(bytes: Vec<u8>) -> Frames {
        Frames::new(Box::pin(std::io::Cursor::new(bytes)), "rbX".to_owned())
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn a_reply_is_read_whole() {
        let mut frames =
            frames(b"state DONE 0 exit\nrbX data out 5\na\n\0bc\n\nrbX end 7 0\nrest".to_vec());
        let reply = run(frames.reply("7")).unwrap();
        assert_eq!(reply.word("state"), Some("DONE 0 exit"));
        assert_eq!(reply.frame("out"), b"a\n\0bc");
        assert_eq!(reply.status, 0);
    }

    #[test]
    fn noise_before_the_first_frame_is_dropped() {
        let mut frames = frames(b"Welcome!\n\x1b[0m no newline\nrbX hello 1\n".to_vec());
        assert_eq!(run(frames.our_line()).unwrap(), "hello 1");
    }

    #[test]
    fn nonsense_is_a_fault() {
        for text in [
            "rbX data out 99999999999\n",
            "rbX data out -1\n",
            "rbX end 8 0\n",
            "rbX\n",
            "",
            "rbX data out 5\nab",
        ] {
            assert!(run(frames(text.into()).reply("7")).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = run(frames(bytes.clone()).reply("1"));
            let _ = run(frames(bytes).our_line());
        }
    }
}
