//! One host as one account: what the rest of the engine talks to.

mod attempts;
mod chains;
mod checks;
mod clean;
mod files;
mod locks;

use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock};
use std::time::Duration;

use runbook_model::{Account, Epoch, RunId};
use tokio::sync::{Mutex, Semaphore};

use crate::control::Control;
use crate::frame::Reply;
use crate::shell::lock;
use crate::transport::Transport;
use crate::watch;
use crate::worker::Worker;
use crate::{Fault, Hello, HostSpec, Options, RemoteError, spec};

pub use clean::Bounds;
pub use locks::{Holder, Says};

/// A host and an account there. Cheap to clone; requests are answered one after the other, checks run beside them.
///
/// A connection that is lost is made again, once, by the request that finds it lost. Every request can be repeated
/// without harm: that is what the protocol is for.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    spec: HostSpec,
    account: Account,
    options: Options,
    transport: Arc<Transport>,
    control: Mutex<Control>,
    hello: Lock<Arc<Hello>>,
    workers: Lock<Vec<Worker>>,
    places: Semaphore,
    watch: watch::Shared,
    epochs: Lock<HashMap<RunId, Epoch>>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("spec", &self.inner.spec)
            .field("account", &self.inner.account)
            .finish_non_exhaustive()
    }
}

impl Host {
    /// Connects, logs in and opens the control shell.
    ///
    /// # Errors
    /// See [`Fault`]: each reason why that cannot be is told apart.
    pub async fn connect(
        spec: &HostSpec,
        account: &Account,
        options: &Options,
    ) -> Result<Self, RemoteError> {
        let at = |fault: Fault| fault.at(spec.name.as_str());
        spec::validate(spec, account, options).map_err(at)?;
        let transport = Arc::new(Transport::open(spec, options).await.map_err(at)?);
        Self::on(transport, spec, account, options)
            .await
            .map_err(at)
    }

    /// The same host as another account, over the same connection.
    ///
    /// # Errors
    /// As for [`Host::connect`].
    pub async fn as_account(&self, account: &Account) -> Result<Self, RemoteError> {
        spec::validate_account(account).map_err(|fault| self.at(fault))?;
        let Inner {
            spec,
            options,
            transport,
            ..
        } = &*self.inner;
        Self::on(transport.clone(), spec, account, options)
            .await
            .map_err(|fault| self.at(fault))
    }

    async fn on(
        transport: Arc<Transport>,
        spec: &HostSpec,
        account: &Account,
        options: &Options,
    ) -> Result<Self, Fault> {
        let control = Control::open(&transport, account, options).await?;
        let hello = Lock::new(control.hello.clone());
        let workers = options.workers.max(1);
        let inner = Inner {
            spec: spec.clone(),
            account: account.clone(),
            options: options.clone(),
            transport,
            control: Mutex::new(control),
            hello,
            workers: Lock::default(),
            places: Semaphore::new(workers),
            watch: watch::Shared::default(),
            epochs: Lock::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The name in the inventory.
    #[must_use]
    pub fn name(&self) -> &str {
        self.inner.spec.name.as_str()
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.inner.account
    }

    /// What the host said when the control shell was last opened.
    #[must_use]
    pub fn hello(&self) -> Arc<Hello> {
        lock(&self.inner.hello).clone()
    }

    fn at(&self, fault: Fault) -> RemoteError {
        fault.at(self.name())
    }

    async fn control(&self) -> Result<Control, Fault> {
        let mut control = self.inner.control.lock().await;
        if control.is_closed() {
            *control = Control::open(
                &self.inner.transport,
                &self.inner.account,
                &self.inner.options,
            )
            .await?;
            *lock(&self.inner.hello) = control.hello.clone();
        }
        Ok(control.clone())
    }

    /// A request, and once more over a new shell when the first was lost on the way.
    async fn request(&self, command: String, payload: Vec<u8>) -> Result<Reply, RemoteError> {
        let again = (command.clone(), payload.clone());
        let first = async { self.control().await?.request(command, payload).await }.await;
        let result = match first {
            Err(Fault::Lost(_) | Fault::NoAnswer(_)) => {
                async { self.control().await?.request(again.0, again.1).await }.await
            }
            other => other,
        };
        result.map_err(|fault| self.at(fault))
    }

    fn epoch(&self, run: &RunId) -> u32 {
        lock(&self.inner.epochs).get(run).map_or(0, |epoch| epoch.0)
    }

    /// Makes the host ready for a run: the state directory, the epoch, and proof that detached work outlives the
    /// connection.
    ///
    /// # Errors
    /// `Fenced` when a controller of a later epoch was here, `NotDetached`, `Io`, or a lost connection.
    pub async fn ready(&self, run: &RunId, epoch: Epoch) -> Result<(), RemoteError> {
        self.request(format!("rb_ready {run} {epoch}"), Vec::new())
            .await?;
        lock(&self.inner.epochs).insert(run.clone(), epoch);
        let Inner {
            spec,
            account,
            options,
            transport,
            ..
        } = &*self.inner;
        // a connection of its own: what a logout ends would go on living while this one is open
        let started: Result<String, Fault> = async {
            let own = match &**transport {
                Transport::Local => None,
                Transport::Ssh(_) => Some(Transport::open(spec, options).await?),
            };
            let transport = own.as_ref().unwrap_or(transport);
            let control = Control::open(transport, account, options).await?;
            let reply = control.request("rb_canary".to_owned(), Vec::new()).await?;
            let canary = reply.word("canary").map(str::to_owned);
            control.close().await;
            if let Some(own) = own {
                own.close().await;
            }
            canary.ok_or_else(|| Fault::Protocol("no canary was started".to_owned()))
        }
        .await;
        let canary = started.map_err(|fault| self.at(fault))?;
        if !canary
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-'))
        {
            return Err(self.at(Fault::Protocol("a canary without a number".to_owned())));
        }
        // a login manager ends what is left a moment after the logout
        tokio::time::sleep(Duration::from_millis(250)).await;
        self.request(format!("rb_canary_lives {canary}"), Vec::new())
            .await?;
        Ok(())
    }

    /// Closes shells and connection. What is detached runs on; other accounts of this host lose the connection and
    /// make a new one when they need it.
    pub async fn close(&self) {
        lock(&self.inner.workers).clear();
        *self.inner.watch.lock().await = None;
        self.inner.control.lock().await.close().await;
        self.inner.transport.close().await;
    }

    /// What connections are made to, for messages.
    #[must_use]
    pub fn address(&self) -> &str {
        self.inner.transport.address()
    }
}
