//! `runbook plan`: what a run would do now.

use std::sync::Arc;

use runbook_exec::secrets::Vault;
use runbook_report::{plan_json, plan_text};

use crate::args::{Cli, CompileArgs};
use crate::commands::compile;
use crate::engine::live;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::prompt;
use crate::secrets::{Around, Secrets};

pub(crate) fn plan(
    cli: &Cli,
    args: &CompileArgs,
    offline: bool,
    output: &Output,
) -> Result<Exit, Error> {
    let plan = Arc::new(compile(args, output)?.plan);
    let preview = match offline {
        true => live::offline(&plan)?,
        false => {
            let around = Around {
                other: &[],
                age_identity: args.secrets.age_identity.as_ref(),
            };
            let secrets = Secrets::read(&plan, around, |name| prompt::secret(name, output))?;
            live::preview(&plan, secrets, &Vault::new(&cli.state_dir()?))?
        }
    };
    match output.json {
        true => output.put_json(&plan_json(&plan, &preview))?,
        false => {
            let now = jiff::Timestamp::now().as_millisecond();
            output.put(&plan_text(&plan, &preview, now, &output.style()))?;
        }
    }
    Ok(if preview.unusable.is_empty() {
        Exit::Done
    } else {
        Exit::Host
    })
}
