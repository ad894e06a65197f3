//! A second copy of a run's plan and journal on another machine, for the day when the controller is
//! gone: current before each phase begins, before each gate asks, and at the end.
//!
//! ```text
//! DIR/RUN/plan.json  plan.json.sha256  journal.jsonl  epoch
//!         plan.2.json  plan.2.json.sha256          where the run went on with changed files
//! ```
//!
//! The copy is made aside of the run, which waits for it at those points and only so long. A copy that
//! fails is tried again at the next point; somebody is told once, and once more when it is current
//! again. A controller that a later one has replaced writes nothing there: `epoch` says who was last.

mod fetch;
mod place;

use std::fs;
use std::pin::Pin;
use std::time::Duration;

use runbook_model::text::printable;
use runbook_model::{Epoch, NodeIx, Plan, RunId};
use runbook_remote::{Host, Options, Param, Rights, Script, Verdict};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::dispatcher::Action;
use crate::store::{Home, JOURNAL, MAX_PLAN, needed_plans, plan_names};

pub use fetch::fetch;
pub use place::{MirrorError, MirrorPlace};

/// How long a run waits for its copy.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long it waits when the last one has failed: an outage must not grow by a mirror.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// For the script that looks at the directory.
const LIMIT: Duration = Duration::from_secs(30);
/// Mode of a copy.
const MODE: u32 = 0o600;
/// Makes the directory ready and says whether the plan is there.
const BEGIN: &str = r#"
mkdir -p -- "$dir" || fail "cannot make $dir"
chmod 700 -- "$dir" || fail "cannot close $dir to others"
had=0
if [ -f "$dir/epoch" ]; then had=$(head -c 12 "$dir/epoch"); fi
case $had in '' | *[!0-9]* | ??????????*) had=0 ;; esac
if [ "$had" -gt "$epoch" ]; then
  fail "a later controller (epoch $had) keeps its copy there"
fi
if [ "$had" != "$epoch" ]; then
  echo "$epoch" >"$dir/.epoch" || fail "cannot write to $dir"
  mv -f -- "$dir/.epoch" "$dir/epoch" || fail "cannot write to $dir"
fi
for plan in plan.json "$newest"; do
  if [ ! -f "$dir/$plan" ] || [ ! -f "$dir/$plan.sha256" ]; then output plan no; fi
done
"#;

/// A copy that a run keeps.
pub struct Mirror {
    /// Where.
    pub place: MirrorPlace,
    /// How the host is reached.
    pub options: Options,
    /// Who is told that it fails, and that it is current again.
    pub tell: Box<dyn FnMut(&str)>,
}

/// A wish for a copy of so many bytes of the journal.
struct Wish {
    bytes: u64,
    done: oneshot::Sender<Result<(), MirrorError>>,
}

/// The mirror of a run under way.
pub(super) struct Mirroring {
    wishes: mpsc::UnboundedSender<Wish>,
    task: JoinHandle<()>,
    journal: std::path::PathBuf,
    mirror: Mirror,
    /// The phase that has begun last.
    phase: Option<String>,
    failing: bool,
}

impl Mirroring {
    /// Nothing is reached before the first point. Needs a `LocalSet`.
    pub(super) fn begin(mirror: Mirror, home: &Home, run: &RunId, epoch: Epoch, plan: u32) -> Self {
        let (wishes, wanted) = mpsc::unbounded_channel();
        let keeper = Keeper {
            dir: mirror.place.of(run),
            place: mirror.place.clone(),
            options: mirror.options.clone(),
            home: home.clone(),
            epoch,
            plan,
            host: None,
        };
        Self {
            wishes,
            task: tokio::task::spawn_local(keeper.keep(wanted)),
            journal: home.dir().join(JOURNAL),
            mirror,
            phase: None,
            failing: false,
        }
    }

    /// Whether the copy must be current before this.
    pub(super) fn is_point(&mut self, action: &Action, plan: &Plan) -> bool {
        let node: NodeIx = match action {
            Action::Ask { .. } => return true,
            Action::Look { node, .. }
            | Action::Launch { node, .. }
            | Action::Undo { node, .. }
            | Action::Perform { node, .. } => *node,
            _ => return false,
        };
        let phase = plan.phase_of(node).map(|phase| phase.id.clone());
        let begins = phase.is_some() && phase != self.phase;
        if begins {
            self.phase = phase;
        }
        begins
    }

    /// Returns when the copy has what the journal has, or when it has been waited for long enough.
    /// The journal must be synced.
    pub(super) async fn current(&mut self) {
        let patience = if self.failing {
            AFTER_FAILURE
        } else {
            PATIENCE
        };
        let problem = self.try_current(patience).await.err();
        match (problem, self.failing) {
            (Some(problem), false) => (self.mirror.tell)(&format!(
                "the copy of the journal is not current: {problem}; the run goes on, and it is tried again before \
                 the next phase or gate"
            )),
            (None, true) => (self.mirror.tell)("the copy of the journal is current again"),
            (Some(_), true) | (None, false) => return,
        }
        self.failing = !self.failing;
    }

    async fn try_current(&self, patience: Duration) -> Result<(), String> {
        let found = fs::metadata(&self.journal).map_err(|e| e.to_string())?;
        let (done, wait) = oneshot::channel();
        let bytes = found.len();
        let ended = |_| "it has ended".to_owned();
        self.wishes
            .send(Wish { bytes, done })
            .map_err(|_| ended(()))?;
        match tokio::time::timeout(patience, wait).await {
            Ok(Ok(copied)) => copied.map_err(|error| error.to_string()),
            Ok(Err(_)) => Err(ended(())),
            Err(_) => Err(format!("it takes more than {} s", patience.as_secs())),
        }
    }

    /// The last copy, and the end of the connection. Gives back what another part can begin with.
    pub(super) async fn end(mut self) -> Mirror {
        self.current().await;
        drop(self.wishes);
        let abort = self.task.abort_handle();
        if tokio::time::timeout(AFTER_FAILURE, self.task)
            .await
            .is_err()
        {
            abort.abort();
        }
        self.mirror
    }
}

/// Who makes the copies.
struct Keeper {
    place: MirrorPlace,
    dir: String,
    options: Options,
    home: Home,
    epoch: Epoch,
    /// The number of the plan that is run.
    plan: u32,
    /// Of its own: the run's readiness must not take a host for one that it has used.
    host: Option<Host>,
}

impl Keeper {
    async fn keep(mut self, mut wishes: mpsc::UnboundedReceiver<Wish>) {
        while let Some(mut wish) = wishes.recv().await {
            // Nobody waits any more for what came before the newest.
            while let Ok(newer) = wishes.try_recv() {
                wish = newer;
            }
            let copied = self.copy(wish.bytes).await;
            if copied.is_err()
                && let Some(host) = self.host.take()
            {
                host.close().await;
            }
            let _ = wish.done.send(copied);
        }
        if let Some(host) = self.host {
            host.close().await;
        }
    }

    async fn copy(&mut self, bytes: u64) -> Result<(), MirrorError> {
        let host = match &self.host {
            Some(host) => host.clone(),
            None => {
                let MirrorPlace { spec, account, .. } = &self.place;
                let host = Host::connect(spec, account, &self.options).await?;
                self.host.insert(host).clone()
            }
        };
        let script = Script::new()
            .param("dir", Param::Text(self.dir.clone()))
            .param("epoch", Param::Text(self.epoch.to_string()))
            .param("newest", Param::Text(plan_names(self.plan).0))
            .body(BEGIN);
        let report = host.check(&script, LIMIT).await?;
        match report.verdict {
            Verdict::Satisfied => {}
            Verdict::Failed(why) => return Err(MirrorError::Refused(printable(&why).into_owned())),
            _ => return Err(MirrorError::Refused("the directory cannot be used".into())),
        }
        if !report.outputs.is_empty() {
            for name in needed_plans(self.plan) {
                self.put(&host, &name, MAX_PLAN).await?;
            }
        }
        self.put(&host, JOURNAL, bytes).await
    }

    /// Puts the first bytes of a file of the run there.
    async fn put(&self, host: &Host, name: &str, bytes: u64) -> Result<(), MirrorError> {
        let path = self.home.dir().join(name);
        let file = tokio::fs::File::open(&path).await;
        let file = file.map_err(|source| MirrorError::File {
            path: path.to_string_lossy().into_owned(),
            doing: "read",
            source,
        })?;
        let mut file: Pin<Box<dyn AsyncRead + Send>> = Box::pin(file.take(bytes));
        let target = format!("{}/{name}", self.dir);
        host.write_file(&target, &Rights::of_mode(MODE), &mut file)
            .await?;
        Ok(())
    }
}
