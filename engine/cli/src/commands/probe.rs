//! `runbook probe`: how a step of a run is now, on all its hosts. Only looks; nothing is written down.

use std::sync::Arc;

use runbook_exec::driver::Reach;
use runbook_exec::probe::{Probed, probe as look};
use runbook_exec::secrets::{Purpose, Vault, settle};
use runbook_exec::store::Seen;
use runbook_lang::diagnostic::nearest;
use runbook_lang::evaluate::Evaluator;
use runbook_model::NodeIx;
use runbook_model::event::Verdict;
use runbook_model::text::printable;
use runbook_report::{ProbeRow, probe_json, probe_text};

use crate::args::{Cli, ProbeArgs, SecretArg};
use crate::engine::{live, runs};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::prompt;
use crate::secrets::{Around, Secrets};

pub(crate) fn probe(cli: &Cli, args: &ProbeArgs, output: &Output) -> Result<Exit, Error> {
    let store = runs::store(cli)?;
    let seen = runs::look(&store, args.run.as_deref())?;
    if let Some(opaque) = runs::opaque(&seen) {
        output.note(&opaque);
    }
    let nodes = wanted(&seen, &args.step)?;
    let dir = store.home(&seen.id)?;
    let around = Around {
        other: &SecretArg::all(&args.secrets.secret)?,
        age_identity: args.secrets.age_identity.as_ref(),
    };
    let mut secrets = Secrets::read(&seen.plan, around, |name| prompt::secret(name, output))?;
    let vault = Vault::new(&cli.state_dir()?);
    let plan = Arc::new(seen.plan);
    let found = live::block_on(async {
        let reach = Reach::new(&plan, live::remote());
        let given = secrets.names();
        let settled = settle(&plan, &seen.state, &given, &reach, &vault, Purpose::Look).await;
        let found = match settled {
            Ok(settled) => {
                secrets.add(&settled);
                let dir = dir.dir().to_string_lossy();
                let id = seen.id.as_str();
                match Evaluator::new(Arc::clone(&plan), &secrets.values(), id, &dir) {
                    Ok(evaluator) => look(&plan, &evaluator, &seen.state, &reach, &nodes)
                        .await
                        .map_err(|error| Error::Engine(error.to_string())),
                    Err(error) => Err(Error::Engine(format!(
                        "the plan cannot be evaluated: {error}"
                    ))),
                }
            }
            Err(error) => Err(error.into()),
        };
        live::close(&reach).await;
        found
    })?;
    let rows: Vec<(NodeIx, ProbeRow<'_>)> = found
        .iter()
        .map(|(node, probed)| (*node, row(probed)))
        .collect();
    match output.json {
        true => output.put_json(&probe_json(&plan, &rows))?,
        false => output.put(&probe_text(&plan, &rows, &output.style()))?,
    }
    Ok(exit(&found))
}

fn row(probed: &Probed) -> ProbeRow<'_> {
    match probed {
        Probed::Looked {
            verdict,
            outputs,
            secret,
        } => ProbeRow::Looked {
            verdict,
            outputs,
            secret,
        },
        Probed::Unreachable(problem) => ProbeRow::Nothing("not reached", problem),
        Probed::NoValue(failure) => ProbeRow::Nothing("not known", &failure.message),
        Probed::NoCheck => ProbeRow::Nothing("not looked at", "its type has no check"),
    }
}

/// A difference is an answer as well; only what gave none is a failure.
fn exit(found: &[(NodeIx, Probed)]) -> Exit {
    let unreachable = |probed: &Probed| matches!(probed, Probed::Unreachable(_));
    let silent = |probed: &Probed| {
        let error = matches!(
            probed,
            Probed::Looked {
                verdict: Verdict::Error(_),
                ..
            }
        );
        error || matches!(probed, Probed::NoValue(_) | Probed::NoCheck)
    };
    match () {
        () if found.iter().any(|(_, probed)| unreachable(probed)) => Exit::Host,
        () if found.iter().any(|(_, probed)| silent(probed)) => Exit::Failed,
        () => Exit::Done,
    }
}

/// All instances of a step, or the one of this name.
fn wanted(seen: &Seen, text: &str) -> Result<Vec<NodeIx>, Error> {
    let plan = &seen.plan;
    let nodes: Vec<NodeIx> = match plan.step(text) {
        Some((step, _)) => plan.instances_of(step).map(|(node, _)| node).collect(),
        None => {
            let node = plan
                .node(text)
                .filter(|node| plan.instance(*node).is_some());
            node.into_iter().collect()
        }
    };
    if !nodes.is_empty() {
        return Ok(nodes);
    }
    if plan.step(text).is_some() {
        return Err(Error::Typed {
            message: format!("`{}` is done nowhere in run {}", printable(text), seen.id),
            hint: None,
        });
    }
    let steps = plan.steps.iter().map(|step| step.id.as_str());
    let names = plan.nodes.iter().map(|node| node.id.as_str());
    let near = match text.contains('@') {
        true => nearest(text, names),
        false => nearest(text, steps),
    };
    Err(Error::Typed {
        message: format!(
            "run {} has no step or instance `{}`",
            seen.id,
            printable(text)
        ),
        hint: Some(match near {
            Some(name) => format!("did you mean {name}?"),
            None => format!("see all of them: runbook status {}", seen.id),
        }),
    })
}
