//! The one table of keys: what may be written where, in which shape, and what it means.
//!
//! Reading and suggestions follow from it, and so do the JSON Schema and the manual: every `doc` is a sentence for people.

mod language;
mod markdown;
mod names;
mod others;
mod schema;
mod shape;
mod table;
mod testing;

pub use markdown::{anchor, markdown};
pub use names::{Name, RESERVED};
pub use schema::schema;
pub use shape::{Section, Shape};
pub use table::{STANDARD, Table};

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Where it may be written.
    pub section: Section,
    /// Its name.
    pub name: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    /// It must be given.
    pub required: bool,
    /// What it means, a sentence.
    pub doc: &'static str,
    /// A value as it may be written.
    pub example: &'static str,
}

/// The keys of a section of the language, in the order in which they are explained.
pub fn of(section: Section) -> impl Iterator<Item = &'static Key> {
    STANDARD.of(section)
}

/// One key of a section of the language.
#[must_use]
pub fn find(section: Section, name: &str) -> Option<&'static Key> {
    STANDARD.find(section, name)
}

/// A key that may be left out.
const fn key(
    section: Section,
    name: &'static str,
    shape: Shape,
    doc: &'static str,
    example: &'static str,
) -> Key {
    Key {
        section,
        name,
        shape,
        required: false,
        doc,
        example,
    }
}

/// The same key, as one that must be there.
const fn required(key: Key) -> Key {
    Key {
        required: true,
        ..key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Diagnostics;
    use crate::fields::{Cx, Fields, conforms};
    use crate::source::Sources;

    #[test]
    fn every_key_is_explained_and_stands_once() {
        for section in Section::ALL {
            let mut names: Vec<_> = of(*section).map(|k| k.name).collect();
            assert!(!names.is_empty(), "{section:?} has no keys");
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{section:?} has a key twice");
            for key in of(*section) {
                assert!(
                    key.doc.ends_with('.') && key.doc.starts_with(char::is_uppercase),
                    "{section:?} {}: {}",
                    key.name,
                    key.doc
                );
                assert!(
                    !key.example.is_empty(),
                    "{section:?} {} has no example",
                    key.name
                );
            }
        }
    }

    #[test]
    fn every_example_has_the_shape_of_its_key() {
        for key in Section::ALL.iter().flat_map(|s| of(*s)) {
            let mut sources = Sources::new();
            let source = sources.add(key.name, key.example.as_bytes()).unwrap();
            let mut diagnostics = Diagnostics::new();
            let node = crate::yaml::read(&source, &mut diagnostics);
            let mut cx = Cx::new(&source, &mut diagnostics);
            assert!(
                conforms(&mut cx, key.name, &key.shape, &node),
                "{:?} {}",
                key.section,
                key.name
            );
            assert_eq!(diagnostics.render(&sources), "");
        }
    }

    #[test]
    fn a_key_of_the_table_is_everywhere() {
        const ADDED: &[Key] = &[Key {
            section: Section::Step,
            name: "colour",
            shape: Shape::Choice(&["red", "green"]),
            required: false,
            doc: "The colour of the step.",
            example: "red",
        }];
        let table = STANDARD.and(ADDED);
        let read = |table: Table, text: &str| {
            let mut sources = Sources::new();
            let source = sources.add("step.yaml", text.as_bytes()).unwrap();
            let mut diagnostics = Diagnostics::new();
            let node = crate::yaml::read(&source, &mut diagnostics);
            let mut cx = Cx::new(&source, &mut diagnostics).with_table(table);
            let fields = Fields::read(&mut cx, Section::Step, &node, node.span).unwrap();
            let colour = fields.text("colour").map(|text| text.value);
            (colour, diagnostics.render(&sources))
        };
        let step = |more: &str| format!("{{ step: a, uses: b, {more} }}\n");
        // The parser takes it, and what it may be.
        let (colour, said) = read(table, &step("colour: green"));
        assert_eq!((colour.as_deref(), said.as_str()), (Some("green"), ""));
        assert!(
            read(STANDARD, &step("colour: green"))
                .1
                .contains("unknown key `colour`")
        );
        assert!(
            read(table, &step("colour: blue"))
                .1
                .contains("`colour` is `red` or `green`")
        );
        // It is suggested.
        assert!(
            read(table, &step("color: red"))
                .1
                .contains("did you mean `colour`?")
        );
        // The manual and the schema have it.
        let line = "| `colour` | `red`, `green` | The colour of the step. | `colour: red` |\n";
        assert!(markdown(table, Section::Step).contains(line));
        let schema = schema(table, Section::Runbook);
        let colour = &schema["$defs"]["Step"]["properties"]["colour"];
        assert_eq!(colour["enum"], serde_json::json!(["red", "green"]));
        assert_eq!(colour["description"], "The colour of the step.");
    }
}
