//! The three streams of one command on a host, wherever it runs.

use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) type Input = Pin<Box<dyn AsyncWrite + Send>>;
pub(crate) type Output = Pin<Box<dyn AsyncRead + Send>>;

/// A running command. Dropping it closes its input; shells end at the end of their input.
pub(crate) struct Channel {
    pub(crate) input: Input,
    pub(crate) output: Output,
    pub(crate) errors: Output,
    /// Keeps what the streams need.
    pub(crate) holder: Holder,
}

pub(crate) enum Holder {
    Local(#[expect(dead_code, reason = "held until the channel is dropped")] tokio::process::Child),
    Ssh(
        #[expect(dead_code, reason = "held until the channel is dropped")]
        openssh::Child<std::sync::Arc<openssh::Session>>,
    ),
}
