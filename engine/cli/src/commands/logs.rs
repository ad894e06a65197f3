//! `runbook logs`: what attempts printed.

mod follow;

use runbook_exec::store::{Seen, Stream};
use runbook_model::text::{printable, printable_lines};
use runbook_model::{AttemptId, NodeIx};
use runbook_report::{attempt_json, attempt_text, attempts_list, attempts_of, count, last_words};
use serde_json::json;

use crate::args::{Cli, LogsArgs};
use crate::engine::runs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

/// Instances that a hint names.
const NAMED: usize = 8;

pub(crate) fn logs(cli: &Cli, args: &LogsArgs, output: &Output) -> Result<Exit, Error> {
    let (run, instance) = args.parts();
    let store = runs::store(cli)?;
    let seen = runs::look(&store, run)?;
    let style = output.style();
    let Some(instance) = instance else {
        if args.follow {
            return Err(Error::Typed {
                message: "`--follow` needs a step".into(),
                hint: Some("see what runs with: runbook status".into()),
            });
        }
        if output.json {
            let all = seen
                .state
                .all_attempts()
                .map(|(id, _)| attempt_json(&seen.plan, &seen.state, id));
            output.put_json(&json!({ "format": 1, "attempts": all.collect::<Vec<_>>() }))?;
            return Ok(Exit::Done);
        }
        output.put(&attempts_list(&seen.plan, &seen.state, &style))?;
        return Ok(Exit::Done);
    };
    let node = meant(&seen, instance)?;
    if args.follow {
        return follow::follow(&store, &seen.id, node, output);
    }
    let home = store.home(&seen.id)?;
    let attempts = attempts_of(&seen.state, node);
    if output.json {
        let mut all = Vec::new();
        for id in &attempts {
            let mut one = attempt_json(&seen.plan, &seen.state, id);
            for (name, stream) in [("out", Stream::Out), ("err", Stream::Err)] {
                let bytes = home.log(id).read(stream).map_err(|e| unreadable(id, &e))?;
                one[name] = String::from_utf8_lossy(&bytes).into();
            }
            all.push(one);
        }
        output.put_json(&json!({ "format": 1, "attempts": all }))?;
        return Ok(Exit::Done);
    }
    for id in &attempts {
        output.put(&(attempt_text(&seen.plan, &seen.state, id, &style) + "\n"))?;
        let log = home.log(id);
        for stream in [Stream::Out, Stream::Err] {
            let bytes = log.read(stream).map_err(|e| unreadable(id, &e))?;
            output.put(&shown(stream, &bytes))?;
        }
    }
    if attempts.is_empty() {
        let id = printable(name(&seen, node).unwrap_or(instance));
        output.put(&format!("{id} had no attempt\n"))?;
    }
    output.put(&last_words(&seen.state, node, &style))?;
    Ok(Exit::Done)
}

/// An instance by its whole name, or the only one of a step.
fn meant(seen: &Seen, text: &str) -> Result<NodeIx, Error> {
    let plan = &seen.plan;
    let whole = plan
        .node(text)
        .filter(|node| plan.instance(*node).is_some());
    if let Some(node) = whole {
        return Ok(node);
    }
    let Some((step, _)) = plan.step(text) else {
        return Err(unknown(seen, text));
    };
    let all: Vec<NodeIx> = plan.instances_of(step).map(|(node, _)| node).collect();
    if let [node] = all[..] {
        return Ok(node);
    }
    let names: Vec<&str> = all.iter().filter_map(|node| name(seen, *node)).collect();
    let (first, rest) = names.split_at(names.len().min(NAMED));
    let more = match rest.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(Error::Typed {
        message: format!("`{}` has {}", printable(text), count(all.len(), "instance")),
        hint: (!all.is_empty())
            .then(|| format!("name one: {}{more}", printable(&first.join(", ")))),
    })
}

fn unknown(seen: &Seen, instance: &str) -> Error {
    let steps = seen.plan.steps.iter().map(|step| step.id.as_str());
    let names = seen.plan.instances();
    let names = names.filter_map(|(node, ..)| name(seen, node)).chain(steps);
    let hint =
        runbook_lang::diagnostic::nearest(instance, names).map(|n| format!("did you mean {n}?"));
    Error::Typed {
        message: format!("run {} has no instance `{}`", seen.id, printable(instance)),
        hint: hint.or_else(|| Some("write STEP or STEP@HOST".into())),
    }
}

fn name(seen: &Seen, node: NodeIx) -> Option<&str> {
    seen.plan.nodes.get(node.at()).map(|n| n.id.as_str())
}

fn unreadable(id: &AttemptId, error: &std::io::Error) -> Error {
    Error::Engine(format!("the log of attempt {id} cannot be read: {error}"))
}

fn shown(stream: Stream, bytes: &[u8]) -> String {
    let mark = match stream {
        Stream::Out => "  | ",
        Stream::Err => "  ! ",
    };
    let text = String::from_utf8_lossy(bytes);
    printable_lines(&text)
        .map(|line| format!("{mark}{line}\n"))
        .collect()
}
