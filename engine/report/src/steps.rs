//! The step types: a list of them, and everything about one.

use std::fmt::Write as _;

use runbook_model::step_type::{InDoubt, Param, Shape, TypeKind};
use runbook_model::text::{printable, printable_lines};
use runbook_model::{StepType, Value};

use crate::text::{bounded, cut, value_text, wrap};
use crate::time::written;
use crate::{Style, Tone};

/// One line for each type, in the order given.
#[must_use]
pub fn steps_list(types: &[StepType], style: &Style) -> String {
    let wide = types
        .iter()
        .map(|t| printable(&t.name).chars().count())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for t in types {
        let name = printable(&t.name);
        let pad = " ".repeat(wide.saturating_sub(name.chars().count()));
        let first = format!("{name}{pad}  ");
        let mut line = String::new();
        wrap(
            &mut line,
            &first,
            wide + 2,
            &bounded(&t.summary, 200),
            style.width,
        );
        let rest = line.strip_prefix(&first).unwrap_or(&line);
        let _ = write!(out, "{}{pad}  {rest}", style.paint(Tone::Head, &name));
    }
    out
}

/// Everything about one type: what it does, what it takes and gives, examples, scripts.
#[must_use]
pub fn step_doc(t: &StepType, style: &Style) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}: {}",
        style.paint(Tone::Head, &printable(&t.name)),
        bounded(&t.summary, 400)
    );
    let _ = writeln!(out, "  {}; {}", kind(t.kind), origin(&t.origin));
    let limits = match t.kind {
        TypeKind::Probe => Some(format!("a check may take {}", written(t.check_timeout_ms))),
        TypeKind::Always => Some(format!("may take {}", written(t.apply_timeout_ms))),
        TypeKind::Ordinary | TypeKind::Copy => Some(format!(
            "a check may take {}, the change {}",
            written(t.check_timeout_ms),
            written(t.apply_timeout_ms)
        )),
        TypeKind::Gate | TypeKind::Assert | TypeKind::Record | TypeKind::Wait => None,
    };
    if let Some(limits) = limits {
        let _ = writeln!(out, "  {limits}");
    }
    if t.in_doubt == InDoubt::Ask {
        let _ = writeln!(
            out,
            "  after an interrupted change only a person can tell whether it happened"
        );
    }
    if t.progress.is_some() {
        let _ = writeln!(out, "  how far it is, its output says while it runs");
    }
    if t.restarts_host {
        let _ = writeln!(out, "  it restarts the host, and waits for it");
    }
    if t.volatile {
        let _ = writeln!(out, "  what its check says holds only for the moment");
    }
    if !t.doc.is_empty() {
        out.push('\n');
        for line in printable_lines(&t.doc) {
            wrap(&mut out, "  ", 2, &line, style.width);
        }
    }
    let head = |out: &mut String, title: &str| {
        let _ = writeln!(out, "\n{}", style.paint(Tone::Head, title));
    };
    if !t.params.is_empty() {
        head(&mut out, "parameters");
        let mut params: Vec<_> = t.params.iter().collect();
        params.sort_by_key(|(_, p)| !p.required);
        for (name, p) in params {
            let _ = writeln!(out, "  {}: {}", printable(name), param(p));
            if !p.help.is_empty() {
                wrap(&mut out, "      ", 6, &bounded(&p.help, 400), style.width);
            }
            parts(&mut out, p, style);
        }
    }
    for rule in &t.rules {
        head(&mut out, &format!("rule: {}", bounded(&rule.message, 400)));
        let _ = writeln!(out, "  {}", bounded(&rule.check, 400));
    }
    if !t.outputs.is_empty() {
        head(&mut out, "outputs");
        for (name, o) in &t.outputs {
            let secret = if o.secret { ", secret" } else { "" };
            let _ = writeln!(out, "  {}: {}{secret}", printable(name), shape(o.shape));
            if !o.help.is_empty() {
                wrap(&mut out, "      ", 6, &bounded(&o.help, 400), style.width);
            }
        }
    }
    for (title, keys) in [("reads", &t.reads), ("writes", &t.writes)] {
        if !keys.is_empty() {
            head(&mut out, title);
            for key in keys {
                let _ = writeln!(out, "  {}", bounded(key, 200));
            }
        }
    }
    for example in &t.examples {
        head(
            &mut out,
            &format!("example: {}", bounded(&example.title, 200)),
        );
        let with: serde_json::Map<String, Value> = example.with.clone().into_iter().collect();
        let _ = writeln!(out, "  uses: {}", printable(&t.name));
        let _ = writeln!(
            out,
            "  with: {}",
            cut(&printable(&Value::Object(with).to_string()), 600)
        );
    }
    let scripts = [
        ("functions", &t.scripts.functions),
        ("check", &t.scripts.check),
        ("apply", &t.scripts.apply),
        ("undo", &t.scripts.undo),
    ];
    for (title, script) in scripts.iter().filter(|(_, s)| !s.is_empty()) {
        head(&mut out, title);
        for line in printable_lines(script) {
            let _ = writeln!(out, "{}", format!("  {line}").trim_end());
        }
    }
    out
}

/// What a kind of type does, in words.
pub(crate) fn kind(kind: TypeKind) -> &'static str {
    match kind {
        TypeKind::Ordinary => "checks, and changes what differs",
        TypeKind::Probe => "only looks",
        TypeKind::Always => "always done: there is no meaningful check",
        TypeKind::Gate => "a person decides",
        TypeKind::Assert => "conditions, evaluated on the controller",
        TypeKind::Record => "written into the run's directory",
        TypeKind::Wait => "lets time pass",
        TypeKind::Copy => "a file from one host to another, through the controller",
    }
}

/// Where a type comes from, in words.
pub(crate) fn origin(origin: &str) -> String {
    match origin {
        "shipped" => "shipped with runbook".into(),
        "engine" => "done by the engine itself".into(),
        path => format!("from {}", printable(path)),
    }
}

fn param(p: &Param) -> String {
    let mut out = match p.shape {
        Shape::Enum => p
            .values
            .iter()
            .map(|v| printable(v).into_owned())
            .collect::<Vec<_>>()
            .join(" | "),
        other => shape(other).to_owned(),
    };
    if p.required {
        out.push_str(", required");
    }
    if p.secret {
        out.push_str(", secret");
    }
    if let Some(pattern) = &p.pattern {
        let _ = write!(out, ", matches {}", bounded(pattern, 200));
    }
    if let Some(default) = &p.default
        && !p.secret
    {
        let text = if default.as_str() == Some("") {
            "empty".into()
        } else {
            value_text(default)
        };
        let _ = write!(out, ", else {text}");
    }
    out
}

/// The parts of a value, below its parameter.
fn parts(out: &mut String, p: &Param, style: &Style) {
    for part in p.schema.iter().flat_map(|schema| &schema.parts) {
        let what = bounded(&part.what, 400);
        let help = match part.help.as_str() {
            "" => String::new(),
            help => format!(" ({})", bounded(help, 400)),
        };
        let text = format!("{}: {what}{help}", printable(&part.place));
        wrap(out, "      ", 10, &text, style.width);
    }
}

fn shape(shape: Shape) -> &'static str {
    match shape {
        Shape::String => "string",
        Shape::Int => "int",
        Shape::Bool => "bool",
        Shape::Enum => "enum",
        Shape::Path => "path",
        Shape::Duration => "duration",
        Shape::Size => "size",
        Shape::List => "list",
        Shape::Map => "map",
        Shape::Json => "json",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_list_of_types() {
        let types: Vec<_> = sample::plan().types.into_values().collect();
        insta::assert_snapshot!(steps_list(&types, &Style::plain(60)));
    }

    #[test]
    fn everything_about_one_type() {
        insta::assert_snapshot!(step_doc(&sample::container_type(), &Style::plain(80)));
    }
}
