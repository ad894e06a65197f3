//! `runbook graph`: the plan as a drawing, without asking any host.

use runbook_model::plan::Part;
use runbook_model::text::printable;
use runbook_report::{Detail, dot, drawing, mermaid, svg};

use crate::args::{GraphArgs, GraphFormat, GraphPart};
use crate::engine::load;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn graph(args: &GraphArgs, output: &Output) -> Result<Exit, Error> {
    let format = format(args)?;
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
    let text = match format {
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

/// What was asked for, else what the name of the file says. A name that says something else is
/// refused, so that a runbook is not written over by its own drawing.
fn format(args: &GraphArgs) -> Result<GraphFormat, Error> {
    if let Some(format) = args.format {
        return Ok(format);
    }
    let Some(path) = args.out.as_deref() else {
        return Ok(GraphFormat::Dot);
    };
    match path.extension().and_then(|e| e.to_str()) {
        Some("svg") => Ok(GraphFormat::Svg),
        Some("mmd" | "mermaid") => Ok(GraphFormat::Mermaid),
        Some("dot" | "gv") => Ok(GraphFormat::Dot),
        _ => Err(Error::Typed {
            message: format!(
                "the name {} does not say which language the drawing has",
                printable(&path.to_string_lossy())
            ),
            hint: Some("end it in .svg, .mmd or .dot, or name one with --format".to_owned()),
        }),
    }
}
