//! The reference of the language: pages of sections, from the table of keys.

use std::collections::BTreeSet;

use runbook_lang::diagnostic::Code;
use runbook_lang::keys::{STANDARD, Section, markdown};

use crate::page::{all_hold, hold};

/// Which sections stand on which page.
const PAGES: &[(&str, &str, &[Section])] = &[
    ("runbook", "A runbook", &[Section::Runbook, Section::Var]),
    (
        "inputs",
        "Inputs",
        &[
            Section::Input,
            Section::Rule,
            Section::Generate,
            Section::Adopt,
            Section::Exists,
        ],
    ),
    ("groups", "Groups", &[Section::Group, Section::GroupVar]),
    ("window", "The window", &[Section::Window]),
    ("phase", "Phases", &[Section::Phase]),
    ("rolling", "Rolling phases", &[Section::Rolling]),
    ("import", "Other runbooks as phases", &[Section::Import]),
    (
        "step",
        "Steps",
        &[Section::Step, Section::Retry, Section::Until],
    ),
    ("hold", "Holds", &[Section::Hold]),
    ("rollback", "Going back", &[Section::Rollback]),
    (
        "inventory",
        "Inventories",
        &[
            Section::Inventory,
            Section::InventoryHost,
            Section::InventoryGroup,
            Section::Connection,
        ],
    ),
    (
        "types",
        "Step types",
        &[
            Section::Type,
            Section::Param,
            Section::Value,
            Section::TypeRule,
            Section::Output,
            Section::TypeTimeout,
            Section::Example,
            Section::Content,
            Section::Line,
            Section::Block,
        ],
    ),
    (
        "tests",
        "Tests",
        &[
            Section::TypeTest,
            Section::Answer,
            Section::Scenarios,
            Section::Scenario,
            Section::Fact,
            Section::Expected,
        ],
    ),
];

#[test]
fn pages_of_the_language_are_fresh() {
    all_hold(PAGES.iter().map(|(name, title, sections)| {
        let made: Vec<_> = sections.iter().map(|s| markdown(STANDARD, *s)).collect();
        hold(
            &format!("reference/language/{name}.md"),
            title,
            &linked(name, &made.join("\n")),
        )
    }));
}

/// Links to sections on other pages name the page.
fn linked(page: &str, text: &str) -> String {
    let mut text = text.to_owned();
    for (other, _, sections) in PAGES.iter().filter(|(other, ..)| *other != page) {
        for section in *sections {
            let anchor = runbook_lang::keys::anchor(*section);
            text = text.replace(&format!("(#{anchor})"), &format!("({other}.md#{anchor})"));
        }
    }
    text
}

#[test]
fn every_section_has_one_page() {
    let mut seen = BTreeSet::new();
    for section in PAGES.iter().flat_map(|(.., sections)| *sections) {
        assert!(
            seen.insert(format!("{section:?}")),
            "{section:?} is there twice"
        );
    }
    for section in Section::ALL {
        assert!(
            seen.contains(&format!("{section:?}")),
            "{section:?} has no page"
        );
    }
}

#[test]
fn the_page_of_codes_is_fresh() {
    let mut made = String::from("| code | what is wrong |\n|---|---|\n");
    for code in Code::ALL {
        made += &format!("| `{code}` | {} |\n", code.meaning().replace('|', "\\|"));
    }
    all_hold([hold("reference/codes.md", "Codes of mistakes", &made)]);
}
