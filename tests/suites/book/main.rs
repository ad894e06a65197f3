//! The manual says what is true: its reference is made from the table of keys and the step types,
//! every YAML block in it is read by the program, and no page is forgotten.
//!
//! `RUNBOOK_BLESS=1 cargo test -p runbook-tests --test book` writes the pages anew.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod blocks;
mod commands;
mod emit;
mod language;
mod page;
mod types;
mod verbs;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use runbook_tests::root;

/// The sources of the manual.
fn book() -> PathBuf {
    root().join("book/src")
}

/// All Markdown files below a directory, relative to it, sorted.
fn markdown_files(top: &Path) -> Vec<String> {
    let mut open = vec![top.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path.strip_prefix(top).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The targets of links in a text, without anchors; those of the web left out.
fn links(text: &str) -> Vec<String> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(to, _)| to.split('#').next().unwrap().to_owned())
        .filter(|to| !to.is_empty() && !to.contains("://"))
        .collect()
}

#[test]
fn the_summary_lists_every_page_once() {
    let summary = fs::read_to_string(book().join("SUMMARY.md")).unwrap();
    let listed = links(&summary);
    let pages: BTreeSet<_> = markdown_files(&book())
        .into_iter()
        .filter(|page| page != "SUMMARY.md")
        .collect();
    let once: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!(once.len(), listed.len(), "a page is listed twice");
    let forgotten: Vec<_> = pages.difference(&once).collect();
    let gone: Vec<_> = once.difference(&pages).collect();
    assert!(forgotten.is_empty(), "not in SUMMARY.md: {forgotten:?}");
    assert!(gone.is_empty(), "in SUMMARY.md, but not there: {gone:?}");
}

#[test]
fn every_link_leads_somewhere() {
    for page in markdown_files(&book()) {
        let path = book().join(&page);
        let text = fs::read_to_string(&path).unwrap();
        for to in links(&text) {
            assert!(path.parent().unwrap().join(&to).exists(), "{page}: {to}");
        }
    }
}
