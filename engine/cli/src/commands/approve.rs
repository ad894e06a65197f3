//! `runbook approve`: a gate of a run is answered from another terminal, through the run's inbox.

use std::collections::BTreeMap;
use std::time::Instant;

use runbook_exec::desk::GateQuestion;
use runbook_exec::store::{Seen, Store};
use runbook_model::gate::{Said, Terms};
use runbook_model::text::printable;
use runbook_model::transition::Stage;
use runbook_model::{Command, NodeIx, RunId};

use super::order::{LOOK, PATIENCE, deliver, order, typed};
use crate::args::{ApproveArgs, Cli};
use crate::desk::{ask_here, piece};
use crate::engine::runs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::who;

pub(crate) fn approve(cli: &Cli, args: &ApproveArgs, output: &Output) -> Result<Exit, Error> {
    let store = runs::store(cli)?;
    let id = store.resolve(&args.run)?;
    let asked = waited_for(&store, &id, &args.gate)?;
    let person = person(args.by.as_deref())?;
    let said = match given(args, &asked.terms)? {
        Some(said) => said,
        None if output.can_ask => {
            let said = ask_here(&asked, &person, &output.stderr_style());
            said.ok_or_else(|| typed("nothing was answered", "ask again"))?
        }
        None => {
            return Err(typed(
                "there is no terminal to ask at",
                "say it: --say yes, --word WORD, or --evidence NAME=VALUE",
            ));
        }
    };
    if let Err(why) = asked.terms.judge(&said) {
        let gate = printable(&asked.gate);
        return Err(typed(
            format!("that is no answer to {gate}: {why}"),
            format!("see what it asks: runbook status {id}"),
        ));
    }
    let command = Command::Answer {
        at: Some(runbook_exec::driver::now()),
        what: asked.gate,
        said,
        question: asked.mark,
    };
    let mut order = order(command, &args.reason)?;
    order.by = person;
    deliver(cli, Some(id.as_str()), &order, output)
}

/// Who says so: the account, or who is named, with the account that they use.
fn person(named: Option<&str>) -> Result<String, Error> {
    let of = who::controller();
    let Some(name) = named else {
        return Ok(format!("{} on {}", of.user, of.host));
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    match !name.is_empty() && name.len() <= 64 && name.chars().all(plain) {
        true => Ok(format!("{name} on {} (as {})", of.host, of.user)),
        false => Err(typed(
            format!("`{}` is not a name", printable(name)),
            "letters, digits, `.`, `_`, `-` and `@`, at most 64",
        )),
    }
}

/// The gate that is meant. A controller that is at work may be about to ask it, or to write down that it does.
fn waited_for(store: &Store, id: &RunId, wanted: &str) -> Result<GateQuestion, Error> {
    let until = Instant::now() + PATIENCE;
    loop {
        let seen = store.look(id)?;
        let found = asked(&seen, wanted);
        if found.is_ok() || seen.held.is_none() || Instant::now() >= until {
            return found;
        }
        std::thread::sleep(LOOK);
    }
}

/// The gate that is meant, as it is asked now.
fn asked(seen: &Seen, wanted: &str) -> Result<GateQuestion, Error> {
    let plan = &seen.plan;
    let open: Vec<NodeIx> = (0u32..)
        .map(NodeIx)
        .take(plan.nodes.len())
        .filter(|node| {
            seen.state
                .node(*node)
                .is_some_and(|n| n.stage == Stage::Asking)
        })
        .collect();
    let id = |node: &NodeIx| plan.nodes[node.at()].id.as_str();
    let step = |node: &NodeIx| plan.instance(*node).map(|(step, _)| step.id.as_str());
    let mut meant = open
        .iter()
        .filter(|node| id(node) == wanted || step(node) == Some(wanted));
    let names: Vec<_> = open
        .iter()
        .map(|node| format!("`{}`", printable(id(node))))
        .collect();
    let names = match names.is_empty() {
        true => format!(
            "nothing is asked; see how it stands: runbook status {}",
            seen.id
        ),
        false => format!("asked at the moment: {}", names.join(", ")),
    };
    let (Some(node), None) = (meant.next(), meant.next()) else {
        let of = printable(wanted);
        return Err(typed(
            format!(
                "run {} does not ask `{of}` now, or more than one of it",
                seen.id
            ),
            names,
        ));
    };
    GateQuestion::of(plan, &seen.state, *node)
        .ok_or_else(|| typed(format!("run {} does not say what it asks", seen.id), names))
}

/// What is said on the command line.
fn given(args: &ApproveArgs, terms: &Terms) -> Result<Option<Said>, Error> {
    if let Some(word) = &args.say {
        return Ok(Some(Said::Choice(word.clone())));
    }
    if let Some(word) = &args.word {
        return Ok(Some(Said::Word(word.trim().to_owned())));
    }
    if args.evidence.is_empty() {
        return Ok(None);
    }
    let empty = BTreeMap::new();
    let kinds = match terms {
        Terms::Task(kinds) => kinds,
        _ => &empty,
    };
    let mut all = BTreeMap::new();
    for text in &args.evidence {
        let help = "write it like --evidence ticket=C-17";
        let (name, text) = text
            .split_once('=')
            .ok_or_else(|| typed("evidence has a name and a value", help))?;
        let kind = kinds.get(name).copied().ok_or_else(|| {
            let message = format!("the gate does not ask for `{}`", printable(name));
            typed(message, "name what it asks for")
        })?;
        let value = piece(kind, text)
            .map_err(|why| typed(format!("`{}` {}", printable(name), printable(&why)), help))?;
        all.insert(name.to_owned(), value);
    }
    Ok(Some(Said::Evidence(all)))
}
