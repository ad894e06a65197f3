//! The reference of the commands: the list from the program's help, and how each is typed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use runbook_tests::operator::binary;

use crate::book;
use crate::page::{all_hold, hold};

const PAGE: &str = "reference/commands.md";

/// A part of a help: what is typed, and what it means.
struct Entry {
    typed: String,
    meaning: String,
}

/// The short help of the program, or of one of its commands.
fn help(command: &[&str]) -> String {
    let output = Command::new(binary())
        .args(command)
        .arg("-h")
        .output()
        .unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The entries of one section of a help; a line that begins farther right goes on with the one above it.
fn entries(help: &str, section: &str) -> Vec<Entry> {
    let lines = help.lines().skip_while(|line| *line != section).skip(1);
    let mut found: Vec<Entry> = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let indent = line.len() - line.trim_start().len();
        if let (true, Some(entry)) = (indent > 6, found.last_mut()) {
            let space = if entry.meaning.is_empty() { "" } else { " " };
            entry.meaning += &format!("{space}{}", line.trim());
            continue;
        }
        let (typed, meaning) = line.trim().split_once("  ").unwrap_or((line.trim(), ""));
        found.push(Entry {
            typed: typed.to_owned(),
            meaning: meaning.trim().to_owned(),
        });
    }
    found
}

/// The commands in their order; `help` is no command of its own.
fn commands(help: &str) -> Vec<Entry> {
    let mut found = entries(help, "Commands:");
    found.retain(|command| command.typed != "help");
    found
}

fn rows(out: &mut String, entries: &[Entry]) {
    if entries.is_empty() {
        return;
    }
    out.push_str("\n| argument | meaning |\n|---|---|\n");
    for entry in entries {
        let cell = |text: &str| text.replace('|', "\\|");
        let _ = writeln!(
            out,
            "| `{}` | {} |",
            cell(&entry.typed),
            cell(&entry.meaning)
        );
    }
}

#[test]
fn the_page_of_commands_is_fresh() {
    let all = help(&[]);
    let of_all = entries(&all, "Options:");
    let known: BTreeSet<_> = of_all.iter().map(|entry| &entry.typed).collect();
    let mut made = String::new();
    for command in commands(&all) {
        let help = help(&[&command.typed]);
        let usage = help.lines().find_map(|line| line.strip_prefix("Usage: "));
        let _ = write!(
            made,
            "## `{}`\n\n{}.\n\n    {}\n",
            command.typed,
            command.meaning,
            usage.unwrap()
        );
        let mut own = entries(&help, "Arguments:");
        let options = entries(&help, "Options:");
        own.extend(
            options
                .into_iter()
                .filter(|entry| !known.contains(&entry.typed)),
        );
        rows(&mut made, &own);
        made.push('\n');
    }
    made.push_str("## All commands\n");
    rows(&mut made, &of_all);
    all_hold([hold(PAGE, "Commands", &made)]);
}

#[test]
fn the_page_says_how_every_command_ends() {
    let page = fs::read_to_string(book().join(PAGE)).unwrap();
    let table = page
        .lines()
        .skip_while(|line| *line != "| command | ends with |");
    let named: Vec<_> = table
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| line.split('`').nth(1))
        .collect();
    let all = help(&[]);
    let there: Vec<_> = commands(&all).into_iter().map(|c| c.typed).collect();
    assert_eq!(named, there);
}
