//! `runbook graph`: the plan as a drawing, without asking any host.

use runbook_model::plan::Part;
use runbook_model::text::printable;
use runbook_report::{Detail, dot, drawing, drawing_json, mermaid, svg, to_json_text};

use crate::args::{GraphArgs, GraphFormat, GraphPart};
use crate::engine::load;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn graph(args: &GraphArgs, output: &Output) -> Result<Exit, Error> {
    let format = format(args, output.json)?;
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
        GraphFormat::Json => to_json_text(&drawing_json(&drawing), true) + "\n",
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
fn format(args: &GraphArgs, json: bool) -> Result<GraphFormat, Error> {
    let asked = match (args.format, json) {
        (Some(format), true) if format != GraphFormat::Json => {
            return Err(Error::Typed {
                message: "--json and --format ask for different things".to_owned(),
                hint: Some("leave one of them out".to_owned()),
            });
        }
        (None, true) => Some(GraphFormat::Json),
        (asked, _) => asked,
    };
    let Some(path) = args.out.as_deref() else {
        return Ok(asked.unwrap_or(GraphFormat::Dot));
    };
    let named = match path.extension().and_then(|e| e.to_str()) {
        Some("svg") => Some(GraphFormat::Svg),
        Some("mmd" | "mermaid") => Some(GraphFormat::Mermaid),
        Some("dot" | "gv") => Some(GraphFormat::Dot),
        Some("json") => Some(GraphFormat::Json),
        _ => None,
    };
    args.format
        .or(named.filter(|named| asked.is_none_or(|asked| asked == *named)))
        .ok_or_else(|| Error::Typed {
            message: format!(
                "the name {} does not say {}",
                printable(&path.to_string_lossy()),
                match named {
                    Some(_) => "that it is JSON, as --json does",
                    None => "which language the drawing has",
                }
            ),
            hint: Some("end it in .svg, .mmd, .dot or .json, or name one with --format".to_owned()),
        })
}
