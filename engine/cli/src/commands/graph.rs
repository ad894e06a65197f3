//! `runbook graph`: the plan as a drawing, without asking any host.

use std::path::Path;

use runbook_model::plan::Part;
use runbook_model::text::printable;
use runbook_report::{Detail, dot, drawing, mermaid, svg};

use crate::args::{GraphArgs, GraphFormat, GraphPart};
use crate::engine::load;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn graph(args: &GraphArgs, output: &Output) -> Result<Exit, Error> {
    let compiled = load::load(&args.compile)?.compile(true)?;
    let detail = match args.instances {
        true => Detail::Instances,
        false => Detail::Steps,
    };
    let part = match args.part {
        GraphPart::Main => Some(Part::Main),
        GraphPart::Rollback => Some(Part::Rollback),
        GraphPart::Finally => Some(Part::Finally),
        GraphPart::All => None,
    };
    let drawing = drawing(&compiled.plan, detail, part);
    let text = match format(args) {
        GraphFormat::Dot => dot(&drawing),
        GraphFormat::Mermaid => mermaid(&drawing),
        GraphFormat::Svg => svg(&drawing),
    };
    match &args.out {
        Some(path) => std::fs::write(path, text).map_err(|error| Error::Typed {
            message: format!(
                "cannot write {}: {error}",
                printable(&path.to_string_lossy())
            ),
            hint: None,
        })?,
        None => output.put(&text)?,
    }
    Ok(Exit::Done)
}

/// What was asked for, else what the name of the file says.
fn format(args: &GraphArgs) -> GraphFormat {
    let extension = args
        .out
        .as_deref()
        .and_then(Path::extension)
        .and_then(|e| e.to_str());
    args.format.unwrap_or(match extension {
        Some("svg") => GraphFormat::Svg,
        Some("mmd" | "mermaid") => GraphFormat::Mermaid,
        _ => GraphFormat::Dot,
    })
}
