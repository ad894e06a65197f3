//! Every YAML block of the manual and of the front page is read by the program.
//!
//! A block without more words is a whole file: a type, scenarios, an inventory, or a runbook, which
//! compiles against the inventory below. A
//! word after `yaml` says which part of something it is: a `step` (or some), a `phase` (or some), a
//! `type`, an `inventory`, `scenarios`, or any key of a runbook, whose value it then is.

use std::fs;

use runbook_lang::ast::parse_runbook;
use runbook_lang::compile::Given;
use runbook_lang::diagnostic::Diagnostics;
use runbook_lang::inventory::parse_inventory;
use runbook_lang::keys::{self, Section};
use runbook_lang::source::{Source, Sources};
use runbook_lang::steptype::{check_params, parse_type};
use runbook_lang::testfile::{parse_scenarios, parse_tests};
use runbook_tests::{compile_texts, root};

use crate::types::catalog;
use crate::{book, markdown_files};

/// Hosts that the runbooks of the manual find.
const INVENTORY: &str = "
hosts:
  db01: { address: 192.0.2.10 }
  lb01: { address: 192.0.2.20 }
  quay01: { address: 192.0.2.11, vars: { container: quay01, region: a } }
  quay02: { address: 192.0.2.12, vars: { container: quay02, region: b } }
  quay03: { address: 192.0.2.13, vars: { container: quay03, region: b } }
groups:
  db: { hosts: [db01] }
  lb: { hosts: [lb01] }
  quay: { hosts: [quay01, quay02, quay03] }
  mirror: { hosts: [quay01] }
";

/// Parameters that the contents of the manual find.
const PARAMS: &str = "
params:
  path: { type: path, required: true }
  text: { type: string }
  owner: { type: string }
  group: { type: string }
  mode: { type: string }
  port: { type: int }
  create_only: { type: bool }
  validate: { type: list }
  values: { type: json }
  secrets: { type: json, secret: true }
";

/// A block of code.
struct Block {
    /// What stands after the backticks.
    info: String,
    text: String,
    /// Where it begins.
    line: usize,
}

impl Block {
    /// The same text, read as something else.
    fn as_a(&self, what: &str) -> Self {
        Self {
            info: format!("yaml {what}"),
            text: self.text.clone(),
            line: self.line,
        }
    }
}

/// Whether a line of a text begins with a key.
fn begins(text: &str, key: &str) -> bool {
    text.lines()
        .any(|line| line.starts_with(&format!("{key}:")))
}

/// The blocks of a page whose language is YAML.
fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => {
                open = Some(Block {
                    info: info.trim().to_owned(),
                    text: String::new(),
                    line: at + 2,
                });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    found.retain(|block| {
        block
            .info
            .split([' ', ','])
            .any(|word| word == "yaml" || word == "yml")
    });
    found
}

/// What is wrong with a block.
fn mistakes(block: &Block) -> Result<(), String> {
    let indented = |by: &str| -> String {
        block
            .text
            .lines()
            .map(|line| format!("{by}{line}\n"))
            .collect()
    };
    let text = &block.text;
    match block.info.strip_prefix("yaml").map(str::trim) {
        Some("") if begins(text, "type") => mistakes(&block.as_a("type")),
        Some("") if begins(text, "scenarios") => mistakes(&block.as_a("scenarios")),
        Some("") if begins(text, "hosts") => mistakes(&block.as_a("inventory")),
        Some("") => compile_texts(text, INVENTORY, &Given::default(), true).map(drop),
        Some("step" | "steps") => parsed(&format!("runbook: example\nsteps:\n{}", list(text))),
        Some("phase" | "phases") => parsed(&format!("runbook: example\nphases:\n{}", list(text))),
        Some("type") => {
            let name = text
                .lines()
                .find_map(|line| line.strip_prefix("type: "))
                .unwrap_or("own");
            said(text, |source| {
                let (step_type, mut found) = parse_type(name, "own.yaml", source);
                if let Some(step_type) = &step_type {
                    found.extend(parse_tests(step_type, source).1);
                }
                found
            })
        }
        Some("inventory") => said(text, |source| parse_inventory(source).1),
        Some("scenarios") => said(text, |source| parse_scenarios(source).1),
        Some(part)
            if part != "runbook"
                && keys::find(Section::Type, part).is_some()
                && keys::find(Section::Runbook, part).is_none() =>
        {
            let scripts = if part == "content" {
                PARAMS
            } else {
                "check: 'true'\napply: 'true'\n"
            };
            let value = match text.starts_with(&format!("{part}:")) {
                true => text.clone(),
                false => format!("{part}:\n{}", indented("  ")),
            };
            let own = format!("type: own\nsummary: An example\n{scripts}{value}");
            said(&own, |source| parse_type("own", "own.yaml", source).1)
        }
        Some("fragment") => parsed(&completed(text)),
        Some(key) if keys::find(Section::Runbook, key).is_some() => {
            parsed(&completed(&format!("{key}:\n{}", indented("  "))))
        }
        _ => Err(format!("what is `{}`?", block.info)),
    }
}

/// Some keys of a runbook with those that must be there.
fn completed(text: &str) -> String {
    let has = |key: &str| {
        text.lines()
            .any(|line| line.starts_with(&format!("{key}:")))
    };
    let name = if has("runbook") {
        ""
    } else {
        "runbook: example\n"
    };
    let steps = if has("steps") || has("phases") {
        ""
    } else {
        "steps: [{ step: nothing, uses: wait, on: control, with: { for: 1s } }]\n"
    };
    format!("{name}{text}{steps}")
}

/// One item or a list of items, as the value of a key.
fn list(text: &str) -> String {
    if text.trim_start().starts_with('-') {
        return text.to_owned();
    }
    let mut lead = "  - ";
    text.lines()
        .map(|line| format!("{}{line}\n", std::mem::replace(&mut lead, "    ")))
        .collect()
}

/// What the reader of runbooks and the schemas of step types say.
fn parsed(text: &str) -> Result<(), String> {
    let catalog = catalog();
    said(text, |source| {
        let (runbook, mut found) = parse_runbook(source);
        for (_, step) in runbook.iter().flat_map(|runbook| runbook.steps()) {
            if let Some(step_type) = catalog.resolve(&step.uses, source.id(), &mut found) {
                check_params(step_type, &step.with, step.uses.span, source, &mut found);
            }
        }
        found
    })
}

fn said(text: &str, read: impl FnOnce(&Source) -> Diagnostics) -> Result<(), String> {
    let mut sources = Sources::new();
    let source = sources
        .add("block.yaml", text.as_bytes())
        .map_err(|d| d.message)?;
    let found = read(&source);
    match found.is_empty() {
        true => Ok(()),
        false => Err(found.render(&sources)),
    }
}

#[test]
fn every_block_is_read() {
    let mut pages: Vec<_> = markdown_files(&book())
        .iter()
        .map(|page| book().join(page))
        .collect();
    pages.extend(["README.md", "runbooks/README.md"].map(|page| root().join(page)));
    let mut wrong = String::new();
    let mut count = 0;
    for page in pages {
        for block in blocks(&fs::read_to_string(&page).unwrap()) {
            count += 1;
            if let Err(why) = mistakes(&block) {
                wrong += &format!("\n{}:{}: {why}\n", page.display(), block.line);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count > 20, "only {count} blocks were found");
}

#[test]
fn a_block_with_a_mistake_is_found() {
    let page = "```yaml\nrunbook: a\n```\n\n```yaml step\nstep: a\nuses: nothing\n```\n\n```text\nno\n```\n```yaml nonsense\na: 1\n```\n";
    let blocks = blocks(page);
    assert_eq!(
        blocks.iter().map(|b| b.line).collect::<Vec<_>>(),
        [2, 6, 14]
    );
    assert!(blocks.iter().all(|block| mistakes(block).is_err()));
}
