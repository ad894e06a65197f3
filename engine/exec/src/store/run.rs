//! One run: taken in order to go on with it, or only looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runbook_model::event::Controller;
use runbook_model::{AttemptId, Epoch, Plan, RunId, RunState};

use super::lock::LOOKERS;
use super::{AttemptLog, Lock, StoreError, disk, plan_file};
use crate::journal::{self, FileJournal, Loaded, Opaque, RealFiles, Torn};

/// What the name of a run that is being created begins with; no run id does.
pub(super) const UNBORN: &str = ".new-";
pub(crate) const JOURNAL: &str = "journal.jsonl";
pub(super) const LOCK: &str = "lock";
pub(super) const LOGS: &str = "logs";
pub(super) const INBOX: &str = "inbox";

/// A run that this controller has taken.
#[derive(Debug)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// What is run.
    pub plan: Plan,
    /// What its journal adds up to; without any event for a run that never began.
    pub state: RunState,
    /// This controller's epoch: one more than the last.
    pub epoch: Epoch,
    /// Where its next event goes.
    pub journal: FileJournal,
    /// What an earlier controller's end left unfinished in the journal, and was cut.
    pub cut: Option<Torn>,
    /// Where it keeps its things.
    pub home: Home,
    /// Keeps other controllers away; to be kept as long as anything is done for the run.
    pub lock: Lock,
}

impl Run {
    pub(super) fn create(
        runs: &Path,
        id: &RunId,
        plan: &Plan,
        controller: &Controller,
    ) -> Result<Self, StoreError> {
        let unborn = runs.join(format!("{UNBORN}{id}"));
        let dir = runs.join(id.as_str());
        disk::create_dir(&unborn)?;
        disk::create_dir(&unborn.join(LOGS))?;
        disk::create_dir(&unborn.join(INBOX))?;
        plan_file::write(&unborn, plan)?;
        let mut journal = FileJournal::create(&RealFiles, &unborn.join(JOURNAL))?;
        Lock::create(&unborn.join(LOCK))?;
        let lock = lock(&unborn, id, controller, Duration::ZERO)?;
        disk::sync_dir(&unborn)?;
        fs::rename(&unborn, &dir).map_err(StoreError::io("create", &dir))?;
        disk::sync_dir(runs)?;
        journal.moved_to(dir.join(JOURNAL));
        Ok(Self {
            id: id.clone(),
            plan: plan.clone(),
            state: RunState::default(),
            epoch: Epoch(1),
            journal,
            cut: None,
            home: Home::new(dir),
            lock,
        })
    }

    pub(super) fn open(
        home: Home,
        id: &RunId,
        controller: &Controller,
    ) -> Result<Self, StoreError> {
        let lock = lock(home.dir(), id, controller, LOOKERS)?;
        let path = home.dir().join(JOURNAL);
        // Everything is refused before the journal is touched: first read, then written anew.
        let first = journal::read(&path)?;
        let state = fold(&first, id)?;
        let plan = plan_file::read(home.dir(), state.plan_number)?;
        belong_together(id, &plan, &state)?;
        let (journal, loaded) = FileJournal::open_for_append(&RealFiles, &path)?;
        // What is in memory only may be gone at the second look: what is acted upon is what was made
        // durable, or nothing.
        if loaded.tail != first.tail {
            return Err(StoreError::Mismatch {
                run: id.clone(),
                problem: "its journal is not the same when it is read twice".into(),
            });
        }
        let epoch = Epoch(
            state
                .epoch
                .0
                .checked_add(1)
                .ok_or_else(|| StoreError::Mismatch {
                    run: id.clone(),
                    problem: "there is no epoch after its last".into(),
                })?,
        );
        Ok(Self {
            id: id.clone(),
            plan,
            state,
            epoch,
            journal,
            cut: loaded.tail.torn,
            home,
            lock,
        })
    }

    /// The log of an attempt.
    #[must_use]
    pub fn log(&self, attempt: &AttemptId) -> AttemptLog {
        self.home.log(attempt)
    }

    /// Puts another plan beside that of the run, durable. It counts once the journal names it.
    ///
    /// # Errors
    /// The plan is too large, or the system refuses.
    pub(crate) fn put_plan(&self, number: u32, plan: &Plan) -> Result<(), StoreError> {
        plan_file::write_another(self.home.dir(), number, plan)
    }
}

/// A run as it is read without taking it.
#[derive(Debug)]
pub struct Seen {
    /// Its id.
    pub id: RunId,
    /// What is run.
    pub plan: Plan,
    /// Its journal.
    pub journal: Loaded,
    /// What the journal adds up to, as far as its events are known.
    pub state: RunState,
    /// The controller that runs it now; `Some(None)` is one that did not give its name.
    pub held: Option<Option<Controller>>,
}

impl Seen {
    pub(super) fn read(home: &Home, id: &RunId) -> Result<Self, StoreError> {
        let lock = home.dir().join(LOCK);
        let held = Lock::held(&lock).map_err(StoreError::io("look at", &lock))?;
        // A plan that the journal names was there before it did.
        let journal = journal::read(&home.dir().join(JOURNAL))?;
        let state = fold(&journal, id)?;
        let plan = plan_file::read(home.dir(), state.plan_number)?;
        belong_together(id, &plan, &state)?;
        Ok(Self {
            id: id.clone(),
            plan,
            journal,
            state,
            held,
        })
    }

    /// The first event that this engine does not know; what is behind it is not in the state.
    #[must_use]
    pub fn opaque(&self) -> Option<&Opaque> {
        self.journal.opaque.first()
    }
}

/// The directory of a run.
#[derive(Debug, Clone)]
pub struct Home {
    dir: PathBuf,
}

impl Home {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The directory itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file of the journal.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.dir.join(JOURNAL)
    }

    /// Where others leave what they ask of the controller.
    #[must_use]
    pub fn inbox(&self) -> PathBuf {
        self.dir.join(INBOX)
    }

    /// The log of an attempt.
    #[must_use]
    pub fn log(&self, attempt: &AttemptId) -> AttemptLog {
        AttemptLog::new(&self.dir.join(LOGS), attempt)
    }
}

fn lock(
    dir: &Path,
    id: &RunId,
    controller: &Controller,
    patience: Duration,
) -> Result<Lock, StoreError> {
    let path = dir.join(LOCK);
    let mut lock = Lock::take(&path, patience)?.map_err(|by| StoreError::Held {
        run: id.clone(),
        by,
    })?;
    lock.sign(controller)
        .map_err(StoreError::io("sign", &path))?;
    Ok(lock)
}

fn fold(journal: &Loaded, id: &RunId) -> Result<RunState, StoreError> {
    journal.state().map_err(|source| StoreError::Fold {
        run: id.clone(),
        source,
    })
}

fn belong_together(id: &RunId, plan: &Plan, state: &RunState) -> Result<(), StoreError> {
    let Some(run) = &state.run else { return Ok(()) };
    let problem = if run != id {
        format!("the journal is of run {run}")
    } else if state.plan != plan.digest {
        "the journal is of another plan".into()
    } else if !state
        .nodes
        .iter()
        .map(|n| &n.summary.id)
        .eq(plan.nodes.iter().map(|n| &n.id))
    {
        "the journal lists other work".into()
    } else {
        return Ok(());
    };
    Err(StoreError::Mismatch {
        run: id.clone(),
        problem,
    })
}
