//! Files to and from a host, streamed over a channel of their own and never whole in memory.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::Fault;
use crate::control::{exchange, send};
use crate::excerpt::Ends;
use crate::frame::{Reply, within};
use crate::quote::quoted;
use crate::shell::{Shell, lock};

/// What went over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of them, in hexadecimal.
    pub sha256: String,
}

/// Whose a file is, and who may do what with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// A name or a number.
    pub owner: Option<String>,
    /// A name or a number.
    pub group: Option<String>,
    /// The bits of the mode.
    pub mode: Option<u32>,
}

impl Rights {
    /// A mode, and nothing else.
    #[must_use]
    pub fn of_mode(mode: u32) -> Self {
        Self {
            mode: Some(mode),
            ..Self::default()
        }
    }

    /// As words of a request: mode, owner, group.
    pub(crate) fn words(&self) -> String {
        let mode = self.mode.map(|mode| format!("{mode:04o}"));
        let words = [&mode, &self.owner, &self.group];
        words
            .map(|word| quoted(word.as_deref().unwrap_or_default()))
            .join(" ")
    }
}

/// A path that can stand in a request: absolute, one line.
pub(crate) fn valid_path(path: &str) -> Result<(), Fault> {
    if path.starts_with('/')
        && !path.ends_with('/')
        && path.len() < 4000
        && !path.chars().any(char::is_control)
    {
        Ok(())
    } else {
        Err(Fault::Io(format!(
            "`{}` cannot be used as a file's path",
            runbook_model::text::printable(path)
        )))
    }
}

struct Meter {
    size: u64,
    hash: Sha256,
}

impl Meter {
    async fn pump<R, W>(from: &mut R, to: &mut W) -> std::io::Result<Copied>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        let mut meter = Self {
            size: 0,
            hash: Sha256::new(),
        };
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 {
                break;
            }
            meter.size += count as u64;
            meter.hash.update(&buffer[..count]);
            to.write_all(&buffer[..count]).await?;
        }
        to.flush().await?;
        let sha256 = meter
            .hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Copied {
            size: meter.size,
            sha256,
        })
    }
}

/// Reads a file into a sink. The shell is used up.
pub(crate) async fn get<W: AsyncWrite + Unpin>(
    mut shell: Shell,
    path: &str,
    sink: &mut W,
    limit: Duration,
) -> Result<Copied, Fault> {
    let command = format!("rb_get {}", quoted(path));
    let reply = within(limit, exchange(&mut shell, 1, &command, &[])).await?;
    if reply.status != 0 {
        return Err(Fault::Io(format!(
            "`{}` is not a file that can be read",
            runbook_model::text::printable(path)
        )));
    }
    let Shell {
        frames,
        errors,
        mut marked,
        input,
        holder,
        ..
    } = shell;
    let mut reader = frames.into_reader();
    let copied = Meter::pump(&mut reader, sink)
        .await
        .map_err(|e| Fault::Io(format!("reading a file: {e}")))?;
    // the end of the stream is also how a lost connection looks: the mark tells
    let _ = tokio::time::timeout(limit, marked.wait_for(|seen| *seen > 0)).await;
    drop((input, holder));
    let mut errors = lock(&errors);
    match errors.last_mark.as_str() {
        "0" => Ok(copied),
        "" => Err(Fault::Lost(" in the middle of a file".to_owned())),
        _ => Err(Fault::Io(
            runbook_model::text::printable(&errors.ends.last_words()).into_owned(),
        )),
    }
}

/// Writes a stream to a temporary file beside the path and compares both ends. The shell is used up.
pub(crate) async fn put<R: AsyncRead + Unpin>(
    mut shell: Shell,
    temporary: &str,
    stream: &mut R,
    limit: Duration,
) -> Result<Copied, Fault> {
    let command = format!("rb_put {}", quoted(temporary));
    within(limit, async {
        send(&mut shell, 1, 0, &command, &[]).await?;
        shell.frames.reply("1").await?.into_result()
    })
    .await?;
    let sent = Meter::pump(stream, &mut shell.input).await;
    let closed = match sent {
        Ok(copied) => shell.input.shutdown().await.map(|()| copied),
        Err(error) => Err(error),
    };
    let Shell {
        input,
        mut frames,
        errors,
        ..
    } = shell;
    drop(input);
    let copied = match closed {
        Ok(copied) => copied,
        Err(error) => {
            let words = said(&errors);
            return Err(Fault::Io(
                format!("writing a file: {error} {words}").trim().to_owned(),
            ));
        }
    };
    // a large file takes a while to be summed up there
    let limit = limit + Duration::from_secs(copied.size >> 24);
    let reply: Reply = within(limit, frames.reply("put")).await?;
    if reply.status != 0 {
        return Err(Fault::Io(format!("writing a file: {}", said(&errors))));
    }
    let size = reply.word("size").and_then(|size| size.parse().ok());
    let sum = reply
        .word("sha256")
        .and_then(|line| line.split_whitespace().next());
    if size != Some(copied.size) || sum.is_some_and(|sum| sum != copied.sha256) {
        return Err(Fault::Io("what arrived is not what was sent".to_owned()));
    }
    Ok(copied)
}

/// A stream whose end counts only when its source says that it was the end.
pub(crate) struct Guarded<R> {
    inner: R,
    whole: Arc<AtomicBool>,
}

const CUT: &str = "the source ended early";

/// Whether a fault says only that the source failed.
pub(crate) fn is_cut(fault: &Fault) -> bool {
    matches!(fault, Fault::Io(text) if text.contains(CUT))
}

impl<R> Guarded<R> {
    pub(crate) fn new(inner: R, whole: Arc<AtomicBool>) -> Self {
        Self { inner, whole }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Guarded<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        match read {
            Poll::Ready(Ok(()))
                if buffer.filled().len() == before && !self.whole.load(Ordering::Acquire) =>
            {
                Poll::Ready(Err(std::io::Error::other(CUT)))
            }
            other => other,
        }
    }
}

fn said(errors: &std::sync::Mutex<crate::shell::Errors>) -> String {
    let ends: &mut Ends = &mut lock(errors).ends;
    runbook_model::text::printable(&ends.last_words()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_absolute_paths() {
        assert!(valid_path("/var/backups/a file's name").is_ok());
        for bad in ["", "a", "-x", "/a/", "/a\nb"] {
            assert!(valid_path(bad).is_err(), "{bad:?}");
        }
    }
}
