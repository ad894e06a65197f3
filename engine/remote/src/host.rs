//! One host as one account: what the rest of the engine talks to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as Lock};
use std::time::Duration;

use runbook_model::{Account, AttemptId, Epoch, RunId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};

use crate::control::Control;
use crate::excerpt::{HEAD, TAIL};
use crate::frame::{Reply, token};
use crate::job::{Ended, Job, JobState, Offsets, Poll};
use crate::quote::quoted;
use crate::report::RECORDS;
use crate::shell::{Shell, lock};
use crate::transport::Transport;
use crate::watch::{self, Watch};
use crate::worker::{Checked, Group, Worker};
use crate::{Copied, Fault, Hello, HostSpec, Options, RemoteError, Report, Script, file, spec};

/// How often a state is asked for although the host would say that it changed.
const SAFETY_NET: Duration = Duration::from_secs(5);
/// How long something launched may take to be claimed before waiting for it makes no sense.
const CLAIM: Duration = Duration::from_secs(10);
/// What one poll brings at most, for each of the two outputs.
const POLL: u64 = 4 << 20;

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
        f.debug_struct("Host").field("spec", &self.inner.spec).field("account", &self.inner.account).finish_non_exhaustive()
    }
}

impl Host {
    /// Connects, logs in and opens the control shell.
    ///
    /// # Errors
    /// See [`Fault`]: each reason why that cannot be is told apart.
    pub async fn connect(spec: &HostSpec, account: &Account, options: &Options) -> Result<Self, RemoteError> {
        let at = |fault: Fault| fault.at(spec.name.as_str());
        spec::validate(spec, account, options).map_err(at)?;
        let transport = Arc::new(Transport::open(spec, options).await.map_err(at)?);
        Self::on(transport, spec, account, options).await.map_err(at)
    }

    /// The same host as another account, over the same connection.
    ///
    /// # Errors
    /// As for [`Host::connect`].
    pub async fn as_account(&self, account: &Account) -> Result<Self, RemoteError> {
        spec::validate_account(account).map_err(|fault| self.at(fault))?;
        let Inner { spec, options, transport, .. } = &*self.inner;
        Self::on(transport.clone(), spec, account, options).await.map_err(|fault| self.at(fault))
    }

    async fn on(transport: Arc<Transport>, spec: &HostSpec, account: &Account, options: &Options) -> Result<Self, Fault> {
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
        Ok(Self { inner: Arc::new(inner) })
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
            *control = Control::open(&self.inner.transport, &self.inner.account, &self.inner.options).await?;
            *lock(&self.inner.hello) = control.hello.clone();
        }
        Ok(control.clone())
    }

    /// A request, and once more over a new shell when the first was lost on the way.
    async fn request(&self, command: String, payload: Vec<u8>) -> Result<Reply, RemoteError> {
        let again = (command.clone(), payload.clone());
        let first = async { self.control().await?.request(command, payload).await }.await;
        let result = match first {
            Err(Fault::Lost(_) | Fault::NoAnswer(_)) => async { self.control().await?.request(again.0, again.1).await }.await,
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
        self.request(format!("rb_ready {run} {epoch}"), Vec::new()).await?;
        lock(&self.inner.epochs).insert(run.clone(), epoch);
        let Inner { spec, account, options, transport, .. } = &*self.inner;
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
        if !canary.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-')) {
            return Err(self.at(Fault::Protocol("a canary without a number".to_owned())));
        }
        // a login manager ends what is left a moment after the logout
        tokio::time::sleep(Duration::from_millis(250)).await;
        self.request(format!("rb_canary_lives {canary}"), Vec::new()).await?;
        Ok(())
    }

    /// Runs a check. It may change nothing on the host. A check that takes longer than `limit` is killed with all
    /// that it started, and reported as failed with `timed_out`; time spent waiting for a worker does not count.
    ///
    /// # Errors
    /// The connection, or a script that cannot be handed over.
    pub async fn check(&self, script: &Script, limit: Duration) -> Result<Report, RemoteError> {
        let _place = self.inner.places.acquire().await.map_err(|_| self.at(Fault::Lost(String::new())))?;
        let idle = lock(&self.inner.workers).pop();
        let reused = idle.is_some();
        let result = match idle {
            Some(worker) => self.check_in(worker, script, limit).await,
            None => self.check_anew(script, limit).await,
        };
        match result {
            // a check changes nothing: when its worker died while idle, a new one can do it
            Err(Fault::Lost(_)) if reused => {
                lock(&self.inner.workers).clear();
                self.check_anew(script, limit).await
            }
            other => other,
        }
        .map_err(|fault| self.at(fault))
    }

    async fn check_anew(&self, script: &Script, limit: Duration) -> Result<Report, Fault> {
        let Inner { transport, account, options, .. } = &*self.inner;
        let worker = Worker::new(Shell::open(transport, account, options).await?);
        self.check_in(worker, script, limit).await
    }

    async fn check_in(&self, mut worker: Worker, script: &Script, limit: Duration) -> Result<Report, Fault> {
        let kill = |group: Group, signal: &'static str| async move {
            let command = format!("rb_signal_group {} {} {signal}", group.pid, group.born);
            self.request(command, Vec::new()).await.map(drop).map_err(|e| e.fault)
        };
        match worker.check(script, limit, kill).await? {
            Checked::Done(report) => {
                lock(&self.inner.workers).push(worker);
                Ok(report)
            }
            Checked::Stuck(report) => Ok(report),
        }
    }

    /// Prepares and launches an attempt in one round trip. Any number of times: it runs once.
    ///
    /// # Errors
    /// `Rebooted` when the boot is not the job's, `Fenced`, `NotReady`, `NoTmpfs`, `Io` (nothing was launched), or
    /// a lost connection (it may have been launched: ask for its state).
    pub async fn start(&self, job: &Job) -> Result<JobState, RemoteError> {
        let text = job.script.for_file().map_err(|e| self.at(e.into()))?;
        let Job { run, attempt, epoch, boot_id, .. } = job;
        let boot = quoted(boot_id);
        let secrets = job.script.secret_text();
        let with = if secrets.is_some() { "yes" } else { "no" };
        if let Some(secrets) = secrets {
            let command = format!("rb_secrets {run} {attempt} {boot} {}", secrets.len());
            self.request(command, secrets.into_bytes()).await?;
        }
        let seconds = job.timeout.map_or(0, |limit| limit.as_secs() + u64::from(limit.subsec_nanos() > 0)).min(999_999_999);
        let limit = self.inner.options.output_limit.min(999_999_999);
        let command = format!("rb_job {run} {attempt} {epoch} {boot} {seconds} {limit} {} {with}", text.len());
        let reply = self.request(command, text.into_bytes()).await?;
        JobState::of(&reply).map_err(|fault| self.at(fault))
    }

    /// Where an attempt stands.
    ///
    /// # Errors
    /// The connection.
    pub async fn state(&self, run: &RunId, attempt: &AttemptId) -> Result<JobState, RemoteError> {
        let reply = self.request(format!("rb_state {run} {attempt}"), Vec::new()).await?;
        JobState::of(&reply).map_err(|fault| self.at(fault))
    }

    /// All attempts of a run that this account has on the host.
    ///
    /// # Errors
    /// The connection.
    pub async fn list(&self, run: &RunId) -> Result<Vec<(AttemptId, JobState)>, RemoteError> {
        let reply = self.request(format!("rb_list {run}"), Vec::new()).await?;
        let mut jobs = Vec::new();
        for line in reply.words("job") {
            let (attempt, state) = line.split_once(' ').unwrap_or((line, ""));
            let attempt = AttemptId::new(attempt).map_err(|e| self.at(Fault::Protocol(e.to_string())))?;
            jobs.push((attempt, JobState::read(state).map_err(|fault| self.at(fault))?));
        }
        Ok(jobs)
    }

    /// Reads an attempt's output from the offsets on, at most `max` bytes (4 MiB) of each.
    ///
    /// # Errors
    /// The connection.
    pub async fn poll(&self, run: &RunId, attempt: &AttemptId, from: Offsets, max: u64) -> Result<Poll, RemoteError> {
        let (out, err) = (from.out.min(999_999_999), from.err.min(999_999_999));
        let reply = self.request(format!("rb_poll {run} {attempt} {out} {err} {}", max.min(POLL)), Vec::new()).await?;
        Poll::of(reply).map_err(|fault| self.at(fault))
    }

    /// Waits until an attempt is over, at most for `limit`, and gives its state then. The host says when; other
    /// requests are not held up. Something that nobody claims is given back as `Prepared` after ten seconds.
    ///
    /// # Errors
    /// The connection.
    pub async fn wait(&self, run: &RunId, attempt: &AttemptId, limit: Duration) -> Result<JobState, RemoteError> {
        let begun = Instant::now();
        // the first look is before listening, the second after: nothing falls between
        let mut state = self.state(run, attempt).await?;
        let mut listener = None;
        let mut pause = Duration::from_millis(50);
        loop {
            let waiting = state.is_alive() || (matches!(state, JobState::Staging | JobState::Prepared) && begun.elapsed() < CLAIM);
            let left = limit.saturating_sub(begun.elapsed());
            if !waiting || left.is_zero() {
                return Ok(state);
            }
            match &mut listener {
                None => listener = self.listen().await,
                Some(heard) => {
                    let over = timeout(SAFETY_NET.min(left), watch::ended(heard, run.as_str(), attempt.as_str())).await;
                    if matches!(over, Ok(Err(_))) {
                        listener = None;
                    }
                }
            }
            if listener.is_none() {
                tokio::time::sleep(pause.min(left)).await;
                pause = (pause * 2).min(SAFETY_NET);
            }
            state = self.state(run, attempt).await?;
        }
    }

    /// Listens to what ends; none when that cannot be, and then polling has to do.
    async fn listen(&self) -> Option<tokio::sync::broadcast::Receiver<watch::Ended>> {
        let mut watch = self.inner.watch.lock().await;
        if watch.as_ref().is_none_or(|watch| watch.is_over()) {
            let Inner { transport, account, options, .. } = &*self.inner;
            *watch = Watch::open(transport, account, options).await.ok().map(Arc::new);
        }
        watch.as_ref().map(|watch| watch.listen())
    }

    /// What an attempt left behind: its records, and both ends of its output.
    ///
    /// # Errors
    /// The connection.
    pub async fn collect(&self, run: &RunId, attempt: &AttemptId) -> Result<Ended, RemoteError> {
        let reply = self.request(format!("rb_collect {run} {attempt} {RECORDS} {HEAD} {TAIL}"), Vec::new()).await?;
        Ended::of(&reply).map_err(|fault| self.at(fault))
    }

    /// Ends an attempt: one that has not begun never will; one that runs is asked to end, and after `grace` killed
    /// with all that it started. Gives the state after that.
    ///
    /// # Errors
    /// `Fenced` when a later controller has the run, or the connection.
    pub async fn cancel(&self, run: &RunId, attempt: &AttemptId, grace: Duration) -> Result<JobState, RemoteError> {
        let epoch = self.epoch(run);
        let asked = self.request(format!("rb_cancel {run} {attempt} {epoch} TERM"), Vec::new()).await?;
        let mut state = JobState::of(&asked).map_err(|fault| self.at(fault))?;
        if state.is_alive() {
            state = self.wait(run, attempt, grace).await?;
        }
        if state.is_alive() {
            self.request(format!("rb_cancel {run} {attempt} {epoch} KILL"), Vec::new()).await?;
            state = self.wait(run, attempt, SAFETY_NET).await?;
        }
        Ok(state)
    }

    /// Removes what is left of an attempt that is over, after its end is durable elsewhere.
    ///
    /// # Errors
    /// `Alive`, `Fenced`, `Io`, or the connection.
    pub async fn forget(&self, run: &RunId, attempt: &AttemptId) -> Result<(), RemoteError> {
        let epoch = self.epoch(run);
        self.request(format!("rb_forget {run} {attempt} {epoch}"), Vec::new()).await.map(drop)
    }

    async fn shell(&self) -> Result<Shell, Fault> {
        let Inner { transport, account, options, .. } = &*self.inner;
        Shell::open(transport, account, options).await
    }

    /// Reads a file of the host into a sink.
    ///
    /// # Errors
    /// `Io` when it cannot be read or the sink refuses, `Lost` when the stream ended early.
    pub async fn read_file<W: AsyncWrite + Unpin>(&self, path: &str, sink: &mut W) -> Result<Copied, RemoteError> {
        let copied = async {
            file::valid_path(path)?;
            file::get(self.shell().await?, path, sink, self.inner.options.answer_timeout).await
        };
        copied.await.map_err(|fault| self.at(fault))
    }

    /// Writes a stream to a file of the host: whole and compared, or not at all. `mode` is of the new file.
    ///
    /// # Errors
    /// `Io` when it cannot be written or did not arrive as it was sent, or the connection.
    pub async fn write_file<R: AsyncRead + Unpin>(&self, path: &str, mode: u32, stream: &mut R) -> Result<Copied, RemoteError> {
        let written = async {
            file::valid_path(path)?;
            let temporary = format!("{path}.{}", token()?);
            let put = file::put(self.shell().await?, &temporary, stream, self.inner.options.answer_timeout).await;
            match put {
                Ok(copied) => {
                    let command = format!("rb_commit {} {} {mode:04o}", quoted(&temporary), quoted(path));
                    self.request(command, Vec::new()).await.map_err(|e| e.fault)?;
                    Ok(copied)
                }
                Err(fault) => {
                    // the fault that matters is the first one
                    drop(self.request(format!("rm -f -- {}", quoted(&temporary)), Vec::new()).await);
                    Err(fault)
                }
            }
        };
        written.await.map_err(|fault: Fault| self.at(fault))
    }

    /// Copies a file of this host to another one through the controller. A failing source leaves the target as it was.
    ///
    /// # Errors
    /// Those of reading here and of writing there.
    pub async fn copy_to(&self, path: &str, to: &Self, target: &str, mode: u32) -> Result<Copied, RemoteError> {
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
            let written = to.write_file(target, mode, &mut source).await;
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
