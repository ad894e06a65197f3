//! Files of a host: read, write, copy to another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Host, Inner};
use crate::frame::token;
use crate::quote::quoted;
use crate::shell::Shell;
use crate::{Copied, Fault, RemoteError, Rights, file};

impl Host {
    async fn shell(&self) -> Result<Shell, Fault> {
        let Inner {
            transport,
            account,
            options,
            ..
        } = &*self.inner;
        Shell::open(transport, account, options).await
    }

    /// Reads a file of the host into a sink.
    ///
    /// # Errors
    /// `Io` when it cannot be read or the sink refuses, `Lost` when the stream ended early.
    pub async fn read_file<W: AsyncWrite + Unpin>(
        &self,
        path: &str,
        sink: &mut W,
    ) -> Result<Copied, RemoteError> {
        let copied = async {
            file::valid_path(path)?;
            file::get(
                self.shell().await?,
                path,
                sink,
                self.inner.options.answer_timeout,
            )
            .await
        };
        copied.await.map_err(|fault| self.at(fault))
    }

    /// Writes a stream to a file of the host: whole and compared, or not at all. What `rights` leave open is of a new
    /// file: the account's, and 0600.
    ///
    /// # Errors
    /// `Io` when it cannot be written or did not arrive as it was sent, or the connection.
    pub async fn write_file<R: AsyncRead + Unpin>(
        &self,
        path: &str,
        rights: &Rights,
        stream: &mut R,
    ) -> Result<Copied, RemoteError> {
        let written = async {
            file::valid_path(path)?;
            let temporary = format!("{path}.{}", token()?);
            // those of a controller that died, and of one that was taken over: that one may not put its own in place now
            let swept = self.request(format!("rb_sweep {}", quoted(path)), Vec::new());
            swept.await.map_err(|e| e.fault)?;
            let put = file::put(
                self.shell().await?,
                &temporary,
                stream,
                self.inner.options.answer_timeout,
            )
            .await;
            match put {
                Ok(copied) => {
                    let command = format!(
                        "rb_commit {} {} {}",
                        quoted(&temporary),
                        quoted(path),
                        rights.words()
                    );
                    self.request(command, Vec::new())
                        .await
                        .map_err(|e| e.fault)?;
                    Ok(copied)
                }
                Err(fault) => {
                    // the fault that matters is the first one
                    drop(
                        self.request(format!("rm -f -- {}", quoted(&temporary)), Vec::new())
                            .await,
                    );
                    Err(fault)
                }
            }
        };
        written.await.map_err(|fault: Fault| self.at(fault))
    }

    /// Sets what `rights` say of a file that is there.
    ///
    /// # Errors
    /// `Io` when it cannot be set, or the connection.
    pub async fn give_file(&self, path: &str, rights: &Rights) -> Result<(), RemoteError> {
        let given = async {
            file::valid_path(path)?;
            let command = format!("rb_give {} {}", quoted(path), rights.words());
            let given = self.request(command, Vec::new()).await;
            given.map(drop).map_err(|error| error.fault)
        };
        given.await.map_err(|fault| self.at(fault))
    }

    /// Copies a file of this host to another one through the controller. A failing source leaves the target as it was.
    ///
    /// # Errors
    /// Those of reading here and of writing there.
    pub async fn copy_to(
        &self,
        path: &str,
        to: &Self,
        target: &str,
        rights: &Rights,
    ) -> Result<Copied, RemoteError> {
        let (mut sink, source) = tokio::io::duplex(256 << 10);
        let whole = Arc::new(AtomicBool::new(false));
        let mut source = file::Guarded::new(source, whole.clone());
        let read = async {
            let read = self.read_file(path, &mut sink).await;
            whole.store(read.is_ok(), Ordering::Release);
            drop(sink);
            read
        };
        let write = async {
            let written = to.write_file(target, rights, &mut source).await;
            // a reader that goes on gets to know that nobody takes it any more
            drop(source);
            written
        };
        match tokio::join!(read, write) {
            (Ok(read), Ok(written)) if read == written => Ok(written),
            (Ok(_), Ok(_)) => Err(to.at(Fault::Io("what arrived is not what was read".to_owned()))),
            // a target that refuses breaks the pipe of the reader, a source that fails ends the stream of the writer
            (Ok(_), Err(error)) => Err(error),
            (Err(_), Err(error)) if !file::is_cut(&error.fault) => Err(error),
            (Err(error), _) => Err(error),
        }
    }
}
