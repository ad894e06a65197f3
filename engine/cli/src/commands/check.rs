//! `runbook check`: every mistake, without any host.

use std::collections::BTreeSet;

use runbook_model::text::printable;
use runbook_report::count;
use serde_json::json;

use crate::args::CompileArgs;
use crate::engine::load;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Output, diagnostics_json};

pub(crate) fn check(args: &CompileArgs, output: &Output) -> Result<Exit, Error> {
    let loaded = load::load(args)?;
    let missing: Vec<String> = loaded.missing().into_iter().map(|m| m.name).collect();
    let compiled = loaded.compile(true)?;
    let plan = &compiled.plan;
    let instances = plan.instances().count();
    let hosts: BTreeSet<_> = plan.instances().map(|(_, _, host)| host).collect();
    if output.json {
        output.put_json(&json!({
            "format": 1,
            "runbook": plan.runbook,
            "steps": plan.steps.len(),
            "instances": instances,
            "hosts": hosts,
            "missing_inputs": missing,
            "diagnostics": diagnostics_json(&compiled.warnings, &compiled.sources),
        }))?;
        return Ok(Exit::Done);
    }
    output.warn(&compiled.warnings, &compiled.sources);
    let mut text = format!(
        "{}: no mistakes; {}, {} on {}\n",
        printable(&plan.runbook),
        count(plan.steps.len(), "step"),
        count(instances, "instance"),
        count(hosts.len(), "host"),
    );
    if !missing.is_empty() {
        text.push_str(&format!("not given yet: {}\n", missing.join(", ")));
    }
    output.put(&text)?;
    Ok(Exit::Done)
}
