//! Every step of the vendor's guide is somewhere in the shipped runbooks: the table of the manual
//! names each of them once, with runbooks and steps that are there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use runbook_lang::ast::parse_runbook;
use runbook_lang::source::Sources;
use runbook_tests::root;

/// The steps of the guide, chapter by chapter: a letter, and how many there are.
const CHAPTERS: &[(&str, u8)] = &[
    ("P", 5),
    ("L", 15),
    ("C", 19),
    ("R", 4),
    ("Q", 9),
    ("D", 8),
    ("K", 6),
    ("M", 6),
    ("G", 1),
];
/// Those of the upgrade, of which some are done on each host, and of health.
const MORE: &[&str] = &[
    "U0", "U1a–c", "U2a–c", "U3a–c", "U4", "U5", "U6", "U7a–b", "U8", "H1", "H2", "H3", "H4",
];
/// What the row of a person's task says.
const PERSON: &str = "by a person";

/// All steps of the guide, in order.
fn guide() -> Vec<String> {
    let numbered = CHAPTERS
        .iter()
        .flat_map(|(letter, count)| (1..=*count).map(move |n| format!("{letter}{n}")));
    numbered
        .chain(MORE.iter().map(|&id| id.to_owned()))
        .collect()
}

/// The steps of each shipped runbook, those of going back and of the ending too.
fn shipped() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root().join("runbooks")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".yaml") || name.ends_with(".test.yaml") || name.starts_with("inventory")
        {
            continue;
        }
        let mut sources = Sources::new();
        let source = sources.add(&name, &fs::read(&path).unwrap()).unwrap();
        let (runbook, diagnostics) = parse_runbook(&source);
        assert!(diagnostics.is_empty(), "{}", diagnostics.render(&sources));
        let runbook = runbook.unwrap();
        let steps = runbook.steps().map(|(_, step)| step.id.value.clone());
        found.insert(name, steps.collect());
    }
    found
}

/// The words of a cell that are in backticks.
fn words(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The cells of each row of the tables of a page whose first column is an ID.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let mut within = false;
    let mut found = Vec::new();
    for line in page.lines() {
        let Some(inner) = line.strip_prefix('|').and_then(|l| l.strip_suffix('|')) else {
            within = false;
            continue;
        };
        let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
        if cells[0] == "ID" {
            within = true;
        } else if within && !cells[0].starts_with("---") {
            found.push(cells);
        }
    }
    found
}

/// What is wrong with a page.
fn mistakes(page: &str, shipped: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let rows = rows(page);
    let mut wrong = Vec::new();
    let wanted = guide();
    for id in &wanted {
        match rows.iter().filter(|row| row[0] == id).count() {
            1 => {}
            count => wrong.push(format!("{id} is there {count} times")),
        }
    }
    for row in &rows {
        let id = row[0];
        if !wanted.iter().any(|known| known == id) {
            wrong.push(format!("{id} is none of the guide's"));
        }
        if row.len() != 4 {
            wrong.push(format!("{id} has {} cells", row.len()));
            continue;
        }
        let mut steps: Option<&BTreeSet<String>> = None;
        let mut named = 0;
        for word in words(row[2]) {
            if word.ends_with(".yaml") {
                steps = shipped.get(word);
                if steps.is_none() {
                    wrong.push(format!("{id}: there is no runbook {word}"));
                }
            } else if !steps.is_some_and(|steps| steps.contains(word)) {
                wrong.push(format!("{id}: there is no step {word}"));
            } else {
                named += 1;
            }
        }
        if named == 0 && !row[2].contains(PERSON) {
            wrong.push(format!("{id} has no step, and is not done {PERSON}"));
        }
    }
    wrong
}

/// The page.
fn page() -> String {
    fs::read_to_string(root().join("book/src/runbooks/guide.md")).unwrap()
}

#[test]
fn every_step_of_the_guide_is_in_a_runbook() {
    let wrong = mistakes(&page(), &shipped());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_page_that_is_wrong_is_found() {
    let (page, shipped) = (page(), shipped());
    let only = |changed: String, expected: &[&str]| {
        let before = mistakes(&page, &shipped);
        let mut wrong = mistakes(&changed, &shipped);
        wrong.retain(|line| !before.contains(line));
        assert_eq!(wrong, expected);
    };
    let put = |from: &str, to: &str| {
        assert!(page.contains(from), "the page has no `{from}`");
        page.replacen(from, to, 1)
    };
    only(
        put("`install.yaml` `podman`", "`install.yaml` `docker`"),
        &[
            "P4: there is no step docker",
            "P4 has no step, and is not done by a person",
        ],
    );
    only(
        put("`mirror.yaml` `worker` `works`", "`worker.yaml` `worker`"),
        &[
            "M1: there is no runbook worker.yaml",
            "M1: there is no step worker",
            "M1 has no step, and is not done by a person",
        ],
    );
    only(
        put("| by a person |", "| – |"),
        &["M6 has no step, and is not done by a person"],
    );
    only(
        put("| L9 |", "| L8 |"),
        &["L8 is there 2 times", "L9 is there 0 times"],
    );
    only(
        put("| U7a–b |", "| U7 |"),
        &["U7a–b is there 0 times", "U7 is none of the guide's"],
    );
}
