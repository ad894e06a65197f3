//! The reference of step types: a page of each, from its file.

use std::fmt::Write as _;

use runbook_lang::source::Sources;
use runbook_lang::steptype::{Catalog, ENGINE, SHIPPED};
use runbook_lang::value::format_duration;
use runbook_model::StepType;
use runbook_model::step_type::{InDoubt, Param, Shape, TypeKind};

use crate::emit::{flow, step};
use crate::page::{all_hold, hold};

/// The types of the engine and the shipped ones.
pub(crate) fn catalog() -> Catalog {
    let mut sources = Sources::new();
    let mut catalog = Catalog::new();
    for (name, text) in runbook_steps::TYPES {
        let source = sources.add(name, text.as_bytes()).unwrap();
        let found = catalog.add(name, SHIPPED, &source);
        assert!(found.is_empty(), "{}", found.render(&sources));
    }
    catalog
}

#[test]
fn pages_of_types_are_fresh() {
    let catalog = catalog();
    let page = |t: &StepType| {
        let title = format!("`{}`", t.name);
        hold(&format!("reference/steps/{}.md", t.name), &title, &made(t))
    };
    let mut index = String::new();
    for (origin, title) in [(ENGINE, "Of the engine"), (SHIPPED, "Shipped")] {
        let _ = write!(
            index,
            "## {title}\n\n| type | what it is about |\n|---|---|\n"
        );
        for t in catalog.iter().filter(|t| t.origin == origin) {
            let _ = writeln!(index, "| [`{0}`]({0}.md) | {1} |", t.name, cell(&t.summary));
        }
        index.push('\n');
    }
    let index = hold("reference/steps/index.md", "Step types", &index);
    all_hold(catalog.iter().map(page).chain([index]));
}

#[test]
fn no_page_is_left_of_a_type_that_is_gone() {
    let catalog = catalog();
    for page in crate::markdown_files(&crate::book().join("reference/steps")) {
        let name = page.strip_suffix(".md").unwrap();
        assert!(name == "index" || catalog.get(name).is_some(), "{page}");
    }
}

/// What is generated about a type.
fn made(t: &StepType) -> String {
    let mut out = format!("{}.\n\n{}\n", t.summary.trim_end_matches('.'), kind(t));
    if !t.doc.is_empty() {
        let _ = write!(out, "\n{}\n", t.doc.trim_end());
    }
    if !t.params.is_empty() {
        out.push_str("\n## Parameters\n\n| parameter | value | meaning | unless given |\n|---|---|---|---|\n");
        for (name, param) in &t.params {
            let unless = match &param.default {
                Some(default) => format!("`{}`", flow(default)),
                None if param.required => "required".to_owned(),
                None => String::new(),
            };
            let _ = writeln!(
                out,
                "| `{name}` | {} | {} | {} |",
                cell(&value(param)),
                cell(&param.help),
                cell(&unless)
            );
        }
    }
    if !t.outputs.is_empty() {
        out.push_str("\n## Outputs\n\n| output | value | meaning |\n|---|---|---|\n");
        for (name, output) in &t.outputs {
            let secret = if output.secret { ", secret" } else { "" };
            let _ = writeln!(
                out,
                "| `{name}` | {}{secret} | {} |",
                word(output.shape),
                cell(&output.help)
            );
        }
    }
    keys(&mut out, "reads", &t.reads);
    keys(&mut out, "writes", &t.writes);
    if !t.examples.is_empty() {
        out.push_str("\n## Examples\n");
        for (at, example) in t.examples.iter().enumerate() {
            let text = step(&format!("example_{}", at + 1), &t.name, &example.with);
            let _ = write!(
                out,
                "\n{}:\n\n```yaml step\n{text}```\n",
                example.title.trim_end_matches('.')
            );
        }
    }
    out
}

fn keys(out: &mut String, verb: &str, keys: &[String]) {
    if !keys.is_empty() {
        let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
        let _ = write!(out, "\nIt {verb} {}.\n", keys.join(", "));
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// What it does, and how long that may take.
fn kind(t: &StepType) -> String {
    let (check, apply) = (
        format_duration(t.check_timeout_ms),
        format_duration(t.apply_timeout_ms),
    );
    let mut text = match t.kind {
        TypeKind::Probe => format!("A probe: it only looks, for at most {check}."),
        TypeKind::Always => {
            format!("It runs every time, for at most {apply}: there is no meaningful check.")
        }
        TypeKind::Ordinary if t.content.is_some() => {
            "The engine reads the file, compares it, shows the difference, and swaps it.".to_owned()
        }
        TypeKind::Ordinary => {
            format!("It looks for at most {check}, changes for at most {apply}, and looks again.")
        }
        TypeKind::Gate => "A person decides.".to_owned(),
        _ => "The engine does it itself.".to_owned(),
    };
    if t.volatile {
        text += " What its check says holds only for the moment.";
    }
    if t.in_doubt == InDoubt::Ask {
        text += " After an interrupted change only a person can tell whether it happened.";
    }
    text
}

fn value(param: &Param) -> String {
    let mut text = match param.shape {
        Shape::Enum => {
            let words: Vec<_> = param
                .values
                .iter()
                .map(|word| format!("`{word}`"))
                .collect();
            words.join(", ")
        }
        shape => word(shape).to_owned(),
    };
    if let Some(pattern) = &param.pattern {
        let _ = write!(text, " like `{pattern}`");
    }
    if param.secret {
        text += ", secret";
    }
    text
}

fn word(shape: Shape) -> &'static str {
    match shape {
        Shape::String | Shape::Enum => "text",
        Shape::Int => "whole number",
        Shape::Bool => "`true` or `false`",
        Shape::Path => "path",
        Shape::Duration => "duration",
        Shape::Size => "size",
        Shape::List => "list of texts",
        Shape::Map => "map of texts",
        Shape::Json => "anything",
    }
}
