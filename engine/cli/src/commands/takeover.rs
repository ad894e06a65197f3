//! `runbook takeover` and `runbook handover`: another controller goes on with a run.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use runbook_exec::driver::{self, MirrorPlace, Reach};
use runbook_exec::store::{Inbox, MAX_EPOCH, Received, Seen, Store, leap, run_in, take_over};
use runbook_model::text::printable;
use runbook_model::{Command, Epoch, Event, HostName, Plan, RunId};
use runbook_remote::Fault;
use tokio::task::JoinSet;

use crate::args::{
    Cli, DecideArgs, EditedArgs, HandoverArgs, ResumeArgs, SecretArgs, TakeoverArgs,
};
use crate::commands::order::{order, typed};
use crate::commands::{export, mirror, run};
use crate::engine::{live, runs};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::{secrets, who};

/// How often it is looked whether a controller has ended its part.
const LOOK: Duration = Duration::from_millis(500);

pub(crate) fn takeover(cli: &Cli, args: &TakeoverArgs, output: &Output) -> Result<Exit, Error> {
    if let Some(epoch) = args.epoch.filter(|n| *n > MAX_EPOCH) {
        return Err(typed(
            format!("{epoch} is too high for an epoch"),
            format!("at most {MAX_EPOCH}"),
        ));
    }
    let store = runs::store(cli)?;
    let (id, received) = match MirrorPlace::is_place(&args.from) {
        true => from_mirror(&store, args)?,
        false => from_file(&store, &args.run, Path::new(&args.from))?,
    };
    output.note(&format!("{}\n", export::became(&id, received)));
    let seen = store.look(&id)?;
    // What is over is nobody's to take.
    if seen.state.result.as_ref().is_none_or(|r| r.goes_on()) {
        own(&store, &seen, args, output)?;
    }
    let resume = ResumeArgs {
        gates: args.gates,
        run: Some(id.to_string()),
        mirror: args.mirror.clone(),
        edited: EditedArgs::default(),
        decide: DecideArgs::default(),
        secrets: SecretArgs {
            secret: args.secrets.secret.clone(),
            age_identity: args.secrets.age_identity.clone(),
        },
    };
    run::resume(cli, &resume, output)
}

fn from_file(store: &Store, wanted: &str, file: &Path) -> Result<(RunId, Received), Error> {
    let id = run_in(export::open(file)?)?;
    if !id.as_str().starts_with(wanted) {
        return Err(typed(
            format!("the file has run {id}, not `{}`", printable(wanted)),
            format!("runbook takeover {id} --from …"),
        ));
    }
    export::from_file(store, file)
}

fn from_mirror(store: &Store, args: &TakeoverArgs) -> Result<(RunId, Received), Error> {
    let id = RunId::new(args.run.clone())
        .map_err(|error| typed(error.to_string(), "name the whole id of the run"))?;
    let place = mirror::place_of(&args.from, args.inventory.as_deref())?;
    let dir = tempfile::tempdir()
        .map_err(|error| Error::Engine(format!("there is no place for the copy: {error}")))?;
    live::block_on(async {
        driver::fetch(&place, &live::remote(), &id, dir.path())
            .await
            .map_err(mirror::failed)
    })?;
    Ok(store.import_copy(&id, dir.path(), &who::controller())?)
}

/// Makes the run this controller's: in the journal first, then on every host that can be reached, so
/// that the old controller is refused there from now on.
fn own(store: &Store, seen: &Seen, args: &TakeoverArgs, output: &Output) -> Result<(), Error> {
    let id = &seen.id;
    let text = format!("taken over from {}: {}", args.from, args.reason.trim());
    let note = order(Command::Note, text.trim_end_matches([':', ' ']))?;
    let controller = who::controller();
    let mut run = store.take(id, &controller)?;
    if run.state.run.is_none() {
        return Ok(());
    }
    let have = run.state.epoch;
    let epoch = match args.epoch {
        Some(epoch) if epoch <= have.0 => {
            return Err(typed(
                format!("the journal of run {id} knows epoch {have} already"),
                "leave --epoch out, or give a higher one",
            ));
        }
        Some(epoch) => Epoch(epoch),
        None => leap(have)?,
    };
    take_over(&mut run, epoch, controller, note, driver::now())?;
    for (host, problem) in fence(&run.plan, id, epoch)? {
        output.note(&format!(
            "{host} does not know of it yet: {}\n",
            printable(&problem)
        ));
    }
    Ok(())
}

/// Tells the hosts of a run of its new controller; those that cannot be told, each with why.
fn fence(plan: &Plan, id: &RunId, epoch: Epoch) -> Result<Vec<(HostName, String)>, Error> {
    let hosts: BTreeSet<_> = plan
        .instances()
        .filter_map(|(node, ..)| plan.runs_on(node))
        .cloned()
        .collect();
    live::block_on(async {
        let reach = Rc::new(Reach::new(plan, live::remote()));
        let mut told = JoinSet::new();
        for name in hosts {
            let (reach, id) = (Rc::clone(&reach), id.clone());
            told.spawn_local(async move {
                let told = async { reach.host(&name).await?.ready(&id, epoch).await };
                let told = told.await;
                (name, told)
            });
        }
        let mut later = None;
        let mut left = Vec::new();
        while let Some(answer) = told.join_next().await {
            match answer {
                Ok((host, Err(error))) => match error.fault {
                    Fault::Fenced(epoch) => {
                        let run = id.clone();
                        later.get_or_insert(Error::Fenced { run, host, epoch });
                    }
                    fault => left.push((host, fault.to_string())),
                },
                Ok((_, Ok(()))) => {}
                Err(error) => later = later.or(Some(Error::Engine(error.to_string()))),
            }
        }
        live::close(&reach).await;
        left.sort();
        later.map_or(Ok(left), Err)
    })
}

pub(crate) fn handover(cli: &Cli, args: &HandoverArgs, output: &Output) -> Result<Exit, Error> {
    let store = runs::store(cli)?;
    let id = match args.run.as_deref() {
        Some(wanted) => store.resolve(wanted)?,
        None => runs::under_way(&store)?,
    };
    let path = args.to.clone();
    let path = path.unwrap_or_else(|| PathBuf::from(format!("{id}.tar")));
    if path.symlink_metadata().is_ok() {
        // Before the run is stopped for it.
        return Err(typed(
            format!("{} is there already", printable(&path.to_string_lossy())),
            "name a file that is not there: --to FILE",
        ));
    }
    let mut seen = store.look(&id)?;
    if seen.held.is_some() {
        seen = paused(&store, &id, &args.reason, output)?;
    }
    if seen.state.result.as_ref().is_some_and(|r| !r.goes_on()) {
        return Err(typed(
            format!("run {id} is over: there is nothing to hand over"),
            format!("runbook runs export {id} --out {id}.tar"),
        ));
    }
    let exported = export::to_file(&store, &seen, !args.no_logs, &path)?;
    output.put(&told(&seen, &path, &export::words(&exported)))?;
    Ok(Exit::Done)
}

/// Has the controller of a run end its part, and waits for that.
fn paused(store: &Store, id: &RunId, reason: &str, output: &Output) -> Result<Seen, Error> {
    let text = format!("handed over: {}", reason.trim());
    let text = text.trim_end_matches([':', ' ']);
    let pause = order(Command::Pause { before: None }, text)?;
    let mut inbox = Inbox::new(&store.home(id)?);
    inbox.leave(&pause)?;
    output.note(&format!(
        "run {id} starts nothing new; waiting until its controller has ended what runs\n"
    ));
    loop {
        let seen = store.look(id)?;
        let refusal = seen
            .journal
            .records
            .iter()
            .find_map(|record| match &record.event {
                Event::OrderRefused { order, problem } if *order == pause.id => Some(problem),
                _ => None,
            });
        if let Some(problem) = refusal {
            return Err(typed(
                format!("run {id} refuses: {}", printable(problem)),
                format!("see how it stands: runbook status {id}"),
            ));
        }
        if seen.held.is_none() {
            // What its controller did not take in any more must not stop whoever resumes here.
            inbox.look();
            inbox.clear(&BTreeSet::from([pause.id]));
            return Ok(seen);
        }
        std::thread::sleep(LOOK);
    }
}

/// What the colleague needs.
fn told(seen: &Seen, path: &Path, what: &str) -> String {
    let id = &seen.id;
    let shown = printable(&path.to_string_lossy()).into_owned();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = printable(&name);
    let name = shlex::try_quote(&name).unwrap_or(Cow::Borrowed("FILE"));
    let mut out = format!(
        "run {id} is in {shown}: {what}\nyour colleague types, where the hosts can be reached:\n  runbook takeover \
         {id} --from {name}\n"
    );
    let secrets = seen.plan.inputs.iter();
    let mut secrets = secrets
        .filter_map(|(name, input)| Some((name, input.secret.as_ref()?)))
        .peekable();
    if secrets.peek().is_some() {
        out.push_str(
            "the file has no secrets; there they are read from the same places, or from others:\n",
        );
    }
    for (name, source) in secrets {
        let place = secrets::words(source);
        let name = printable(name);
        out.push_str(&format!(
            "  {name} from {place}; else --secret {name}=PLACE\n"
        ));
    }
    out.push_str(&format!(
        "once it is taken over, every host refuses this controller; until then it can go on here: runbook resume {id}\n"
    ));
    out
}

#[cfg(test)]
mod tests {
    use runbook_exec::journal::Loaded;
    use runbook_model::RunState;
    use runbook_model::plan::{Input, SecretSource};

    use super::*;

    #[test]
    fn the_colleague_is_told_what_to_type() {
        let mut plan = Plan::empty("upgrade");
        let input = Input {
            kind: "secret".into(),
            value: None,
            secret: Some(SecretSource::Env("DB".into())),
        };
        plan.inputs.insert("db".into(), input);
        let seen = Seen {
            id: RunId::new("k3x9q0wd").unwrap(),
            plan,
            journal: Loaded::default(),
            state: RunState::default(),
            held: None,
        };
        insta::assert_snapshot!(told(
            &seen,
            Path::new("/tmp/k3 \x1b.tar"),
            "4 files with 12 bytes, up to event 3"
        ));
    }
}
