//! A copy that is brought here, so that somebody can go on from it.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use runbook_model::RunId;
use runbook_remote::{Host, Options};
use tokio::io::AsyncWrite;

use super::{MODE, MirrorError, MirrorPlace};
use crate::journal::{self, MAX_JOURNAL};
use crate::store::{JOURNAL, MAX_PLAN, needed_plans};

/// Brings a copy here: plan and journal of a run, into a directory that is there.
///
/// # Errors
/// The host cannot be reached, has no copy of this run, or the copy is larger than any.
pub async fn fetch(
    place: &MirrorPlace,
    options: &Options,
    run: &RunId,
    into: &Path,
) -> Result<(), MirrorError> {
    let host = Host::connect(&place.spec, &place.account, options).await?;
    let fetched = fetch_all(&host, &place.of(run), into).await;
    host.close().await;
    fetched
}

async fn fetch_all(host: &Host, dir: &str, into: &Path) -> Result<(), MirrorError> {
    let get =
        async |name: &str, most| get(host, &format!("{dir}/{name}"), &into.join(name), most).await;
    get(JOURNAL, MAX_JOURNAL).await?;
    // Of a journal that cannot be followed somebody else says so.
    let known = journal::read(&into.join(JOURNAL)).ok();
    let state = known.and_then(|journal| journal.state().ok());
    for name in needed_plans(state.map_or(1, |state| state.plan_number)) {
        get(&name, MAX_PLAN).await?;
    }
    Ok(())
}

async fn get(host: &Host, from: &str, to: &Path, most: u64) -> Result<(), MirrorError> {
    let created = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(to);
    let file = created.map_err(|source| MirrorError::File {
        path: to.to_string_lossy().into_owned(),
        doing: "written",
        source,
    })?;
    let mut sink = Bounded { file, left: most };
    host.read_file(from, &mut sink).await?;
    Ok(())
}

/// A file that takes only so much.
struct Bounded {
    file: fs::File,
    left: u64,
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => {
                self.left = left;
                self.file.write_all(bytes).map(|()| bytes.len())
            }
            None => Err(io::Error::other("it is larger than it may be")),
        };
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.file.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let file = fs::File::create(dir.path().join("f")).unwrap();
        let mut sink = Bounded { file, left: 5 };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            use tokio::io::AsyncWriteExt as _;
            sink.write_all(b"12345").await.unwrap();
            assert!(sink.write_all(b"6").await.is_err());
        });
        assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"12345");
    }
}
