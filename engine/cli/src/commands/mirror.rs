//! `--mirror HOST:DIR`: where it is, and who is told when it fails.

use std::io::{self, Write as _};
use std::path::Path;

use runbook_exec::driver::{Mirror, MirrorError, MirrorPlace};
use runbook_model::{HostName, Plan};
use runbook_report::Curtain;

use crate::commands::order::typed;
use crate::engine::live;
use crate::engine::load::trials;
use crate::error::Error;

/// The mirror of a run, among the hosts of its plan.
pub(crate) fn of_run(text: Option<&str>, plan: &Plan) -> Result<Option<MirrorPlace>, Error> {
    let place = |text: &str| {
        let name = MirrorPlace::host_of(text).and_then(|name| HostName::new(name).ok());
        let host = name.and_then(|name| plan.hosts.get(&name));
        MirrorPlace::new(text, host).map_err(failed)
    };
    text.map(place).transpose()
}

/// A mirror, among the hosts of an inventory.
pub(crate) fn place_of(text: &str, inventory: Option<&Path>) -> Result<MirrorPlace, Error> {
    let host = match (MirrorPlace::host_of(text), inventory) {
        (Some(name), Some(inventory)) => Some(trials::host(inventory, name)?),
        (Some(_), None) => {
            return Err(typed(
                "which inventory has the host of the mirror?",
                "name it with -i FILE or RUNBOOK_INVENTORY",
            ));
        }
        (None, _) => None,
    };
    MirrorPlace::new(text, host.as_ref()).map_err(failed)
}

/// A mirror that tells whoever sits at this terminal.
pub(crate) fn keep(place: MirrorPlace, curtain: Option<Curtain>) -> Mirror {
    Mirror {
        place,
        options: live::remote(),
        tell: Box::new(move |text| {
            let _held = curtain.as_ref().map(Curtain::hold);
            // There is nobody to tell if that fails.
            let _ = writeln!(io::stderr().lock(), "mirror: {text}");
        }),
    }
}

/// What was typed is a mistake; everything else is the host's.
pub(crate) fn failed(error: MirrorError) -> Error {
    match error {
        MirrorError::Place { .. } => typed(error.to_string(), "write HOST:DIR or local:DIR"),
        other => Error::Mirror(other),
    }
}
