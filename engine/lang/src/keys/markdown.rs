//! The table of keys as Markdown, for the manual.

use std::fmt::Write as _;

use super::Key;
use super::schema::sections;
use super::shape::{Section, Shape};
use super::table::Table;

/// The keys of a section: a heading, and a table with a line for each.
#[must_use]
pub fn markdown(table: Table, section: Section) -> String {
    let mut out = format!("## Keys of {}\n\n", section.noun());
    out.push_str("| key | value | meaning | like |\n|---|---|---|---|\n");
    for key in table.of(section) {
        let required = if key.required { ", required" } else { "" };
        let _ = writeln!(
            out,
            "| `{}` | {}{required} | {} | {} |",
            key.name,
            cell(&value(&key.shape)),
            cell(key.doc),
            cell(&like(key)),
        );
    }
    if section.takes_extras() {
        out.push_str("\nKeys that begin with `x-` hold what people like, for anchors.\n");
    }
    out
}

/// How a key is written. What has several lines is not shown in one.
fn like(key: &Key) -> String {
    match key.example.contains('\n') {
        true => String::new(),
        false => format!("`{}: {}`", key.name, key.example),
    }
}

/// A `|` would end the cell, in code as well.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// What a value looks like, in words.
fn value(shape: &Shape) -> String {
    match shape {
        Shape::Any => "anything".to_owned(),
        Shape::Text => "text".to_owned(),
        Shape::Label => "text or number".to_owned(),
        Shape::Name(_) => "name".to_owned(),
        Shape::Bool => "`true` or `false`".to_owned(),
        Shape::Int(least, most) => format!("whole number, {least} to {most}"),
        Shape::Number(least) => format!("number, {least} or more"),
        Shape::Duration => "duration".to_owned(),
        Shape::Condition => "condition".to_owned(),
        Shape::Choice(words) => {
            let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            words.join(", ")
        }
        Shape::Pattern => "regular expression".to_owned(),
        Shape::Share => "number of hosts, or percentage".to_owned(),
        Shape::List(of) => format!("list: {}", value(of)),
        Shape::OneOrList(of) => format!("{}, or a list", value(of)),
        Shape::Section(section) => format!("[{0}](#{1})", section.noun(), anchor(*section)),
        Shape::Map(_, of) if sections(of).is_empty() => format!("map: {}", value(of)),
        Shape::Map(_, of) => format!("map: name to {}", value(of)),
        Shape::Inputs => format!("map: name to [an input](#{})", anchor(Section::Input)),
        Shape::Become => "`sudo` or `false`".to_owned(),
    }
}

/// The anchor of a section's heading.
#[must_use]
pub fn anchor(section: Section) -> String {
    let noun = section.noun().replace('`', "");
    format!("keys-of-{}", noun.replace(' ', "-"))
}

#[cfg(test)]
mod tests {
    use super::super::STANDARD;
    use super::*;

    #[test]
    fn a_section_for_people() {
        insta::assert_snapshot!(markdown(STANDARD, Section::Retry));
    }

    #[test]
    fn a_cell_stays_one() {
        for section in Section::ALL {
            for line in markdown(STANDARD, *section).lines().skip(4) {
                if line.starts_with('|') {
                    let bars = line.replace("\\|", "").matches('|').count();
                    assert_eq!(bars, 5, "{line}");
                }
            }
        }
    }
}
