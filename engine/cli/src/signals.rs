//! Signals of the person at the terminal, as messages to the run.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Listens: the first Ctrl-C, and every SIGTERM and SIGHUP, send `stop`; every further Ctrl-C
/// sends `detach`. Must be called inside a runtime, before anything is started.
pub(crate) fn listen<T: Clone + Send + 'static>(
    stop: T,
    detach: T,
) -> io::Result<UnboundedReceiver<T>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        let mut pressed = false;
        loop {
            let wish = tokio::select! {
                _ = interrupt.recv() => if std::mem::replace(&mut pressed, true) { &detach } else { &stop },
                _ = terminate.recv() => &stop,
                _ = hangup.recv() => &stop,
            };
            if sender.send(wish.clone()).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}
