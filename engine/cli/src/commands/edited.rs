//! `runbook resume --edited`: a run goes on with changed files. They are compared with what the run
//! has, what that means is shown, and nothing changes before somebody has confirmed it.

use std::path::PathBuf;

use runbook_exec::edited::{Edit, EditError, Words, compare};
use runbook_exec::store::{Seen, Store};
use runbook_model::text::printable;
use runbook_model::{Plan, RunId};
use runbook_report::{edited_json, edited_text};

use crate::args::{Cli, CompileArgs, ResumeArgs, SecretArgs};
use crate::commands::order::typed;
use crate::commands::run::{finish, keep_locks, live};
use crate::commands::{compiled, mirror};
use crate::confirm;
use crate::engine::{live, load};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

/// What became of the wish.
pub(crate) enum Outcome {
    /// The command is over.
    Ended(Exit),
    /// The files say what the run runs: it goes on as it was.
    Unchanged,
}

pub(crate) fn edited(
    cli: &Cli,
    args: &ResumeArgs,
    (store, id, seen): (&Store, &RunId, &Seen),
    output: &Output,
) -> Result<Outcome, Error> {
    let plan = plan_anew(args, &seen.plan, output)?;
    if plan.digest == seen.plan.digest {
        output.note(&format!("nothing in the files of run {id} has changed\n"));
        return Ok(match args.edited.plan {
            true => Outcome::Ended(Exit::Done),
            false => Outcome::Unchanged,
        });
    }
    let edit = change(&plan, seen)?;
    show(&edit, seen, args, output)?;
    if args.edited.plan {
        return Ok(Outcome::Ended(Exit::Done));
    }
    let confirmed = args.edited.confirm.as_deref();
    confirm::confirm("the run goes on so", id.as_str(), confirmed, output)?;
    let place = mirror::of_run(args.mirror.as_deref(), &edit.plan)?;
    let mut live = live(cli, &edit.plan, &[], &args.secrets, output)?;
    live.desk.waits = args.gates.wait_at_gates;
    live.mirror = place.map(|place| mirror::keep(place, live.desk.curtain.clone()));
    let ended = live::edited(store, seen, edit, live, |hosts| keep_locks(hosts, output))?;
    finish(&ended, output).map(Outcome::Ended)
}

fn show(edit: &Edit, seen: &Seen, args: &ResumeArgs, output: &Output) -> Result<(), Error> {
    let made = &edit.comparison;
    match output.json {
        // What follows on standard output are the events of the run.
        true if args.edited.plan => output.put_json(&edited_json(made, &seen.state)),
        true => {
            output.note(&edited_text(made, &seen.state, &output.stderr_style()));
            Ok(())
        }
        false => output.put(&edited_text(made, &seen.state, &output.style())),
    }
}

/// Compares; all that keeps the change from being made is told at once.
fn change(plan: &Plan, seen: &Seen) -> Result<Edit, Error> {
    let words = Words::new(&seen.plan, plan);
    let words = words.map_err(|e| Error::Engine(format!("a plan cannot be evaluated: {e}")))?;
    compare(&seen.plan, plan, &seen.state, Some(&words)).map_err(|error| match error {
        EditError::Refused(reasons) => {
            let said: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            let mut ways: Vec<String> = Vec::new();
            for reason in &reasons {
                let way = reason.way_out(seen.id.as_str());
                if !ways.contains(&way) {
                    ways.push(way);
                }
            }
            typed(
                format!(
                    "run {} does not go on with the changed files: {}",
                    seen.id,
                    said.join("; ")
                ),
                ways.join("; "),
            )
        }
        EditError::Plan(error) => Error::Engine(error.to_string()),
    })
}

/// The plan that the files make now, with the inputs of the run where no others are given.
fn plan_anew(args: &ResumeArgs, old: &Plan, output: &Output) -> Result<Plan, Error> {
    let files = CompileArgs {
        file: file(args, old)?,
        inventory: Some(inventory(args, old)?),
        input: args.edited.input.clone(),
        inputs: args.edited.inputs.clone(),
        secrets: SecretArgs {
            secret: args.secrets.secret.clone(),
            age_identity: args.secrets.age_identity.clone(),
        },
    };
    let mut loaded = load::load(&files)?;
    for note in loaded.keep_inputs(old) {
        output.note(&format!("{note}\n"));
    }
    Ok(compiled(loaded, output)?.plan)
}

fn file(args: &ResumeArgs, old: &Plan) -> Result<PathBuf, Error> {
    if let Some(file) = &args.edited.file {
        return Ok(file.clone());
    }
    let first = old.sources.first().map(|source| source.name.as_str());
    there("runbook", first, "--file FILE")
}

/// The inventory is read after the runbook, what it imports, and the types.
fn inventory(args: &ResumeArgs, old: &Plan) -> Result<PathBuf, Error> {
    if let Some(file) = &args.edited.inventory {
        return Ok(file.clone());
    }
    let says = |text: &str, key: &str| text.lines().any(|line| line.starts_with(key));
    let mut rest = old.sources.iter().skip(1);
    let found = rest.find(|source| {
        let text = &source.text;
        let other = says(text, "runbook:") || says(text, "type:");
        !other && (says(text, "hosts:") || says(text, "groups:"))
    });
    there(
        "inventory",
        found.map(|source| source.name.as_str()),
        "-i FILE",
    )
}

/// A file that the run began with, as it was named then.
fn there(what: &str, name: Option<&str>, option: &str) -> Result<PathBuf, Error> {
    let Some(name) = name else {
        return Err(typed(
            format!("the run does not say what its {what} was"),
            format!("name it: {option}"),
        ));
    };
    let path = PathBuf::from(name);
    match path.exists() {
        true => Ok(path),
        false => Err(typed(
            format!(
                "the {what} that the run began with, {}, is not here",
                printable(name)
            ),
            format!("go to the directory where the run began, or name it: {option}"),
        )),
    }
}
