//! `runbook plan`: what a run would do now.

use std::sync::Arc;

use runbook_report::{plan_json, plan_text};

use crate::args::CompileArgs;
use crate::commands::compile;
use crate::engine::live;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::prompt;
use crate::secrets::Secrets;

pub(crate) fn plan(args: &CompileArgs, offline: bool, output: &Output) -> Result<Exit, Error> {
    let plan = Arc::new(compile(args, output)?.plan);
    let secrets = match offline {
        true => Secrets::default(),
        false => Secrets::read(&plan, &[], |name| prompt::secret(name, output))?,
    };
    let preview = live::preview(&plan, &secrets, offline)?;
    match output.json {
        true => output.put_json(&plan_json(&plan, &preview))?,
        false => output.put(&plan_text(&plan, &preview, &output.style()))?,
    }
    Ok(if preview.unusable.is_empty() {
        Exit::Done
    } else {
        Exit::Host
    })
}
