//! `runbook steps`: the step types, or everything about one.

use runbook_report::{step_doc, steps_list};
use serde_json::json;

use crate::args::StepsArgs;
use crate::engine::load;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn steps(args: &StepsArgs, output: &Output) -> Result<Exit, Error> {
    let types = load::types(args.beside.as_deref())?;
    match &args.name {
        Some(name) => {
            let found = load::type_named(types, name)?;
            match output.json {
                true => output.put_json(&json!({ "format": 1, "type": found }))?,
                false => output.put(&step_doc(&found, &output.style()))?,
            }
        }
        None if output.json => output.put_json(&json!({ "format": 1, "types": types }))?,
        None => output.put(&steps_list(&types, &output.style()))?,
    }
    Ok(Exit::Done)
}
