//! What is given to a runbook: on the command line, in a file of inputs, as places of secrets.

use std::collections::BTreeMap;

use runbook_model::Value;
use runbook_model::plan::SecretSource;

use crate::ast::{InputDef, Runbook};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::{Source, Sources, Span};
use crate::yaml::{self, Entry, Kind};

/// Inputs as they were given; the command line wins over the file.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--input name=text`.
    pub texts: BTreeMap<String, String>,
    /// From `--inputs FILE`.
    pub values: BTreeMap<String, Value>,
    /// Where the file says them; a value without a place comes from elsewhere.
    pub places: BTreeMap<String, Placed>,
    /// Where secrets are read from.
    pub secrets: BTreeMap<String, SecretSource>,
}

/// Where a file gives an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Its name.
    pub name: Span,
    /// Its value.
    pub value: Span,
}

impl Given {
    /// Takes the values of a file of inputs, which is one map. A secret does not belong there and
    /// is refused later; so that no message shows it, everything that could be one is hidden from
    /// the text, unless the runbook has none.
    pub fn read_file(
        &mut self,
        source: &Source,
        runbook: Option<&Runbook>,
        sources: &mut Sources,
    ) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        let tree = yaml::read(source, &mut diagnostics);
        let entries = match &tree.kind {
            Kind::Map(entries) => entries.as_slice(),
            Kind::Null | Kind::Error => &[],
            _ => {
                let start = tree.span.start;
                let mistake = Diagnostic::error(
                    Code::BadInput,
                    format!(
                        "a file of inputs is a map from names to values, not {}",
                        tree.noun()
                    ),
                );
                let whole = tree.span.with(start, tree.span.end.min(start + 1));
                diagnostics.push(
                    mistake
                        .label(source.id(), whole, "")
                        .help("write `name: value`, a line for each input"),
                );
                &[]
            }
        };
        let inputs = runbook.map_or(&[][..], |runbook| &runbook.inputs);
        if runbook.is_none() || inputs.iter().any(|def| def.kind.value.is_secret()) {
            let hidden = match diagnostics.is_empty() {
                true => values(inputs, entries),
                false => unread(source, inputs, entries),
            };
            sources.hide(source.id(), &hidden);
        }
        for entry in entries {
            let (name, value) = (&entry.key.value, &entry.value);
            let placed = Placed {
                name: entry.key.span,
                value: value.site(),
            };
            self.values.insert(name.clone(), value.to_value());
            self.places.insert(name.clone(), placed);
        }
        diagnostics
    }

    /// Whether a value is given, in the open.
    pub(super) fn has_value(&self, name: &str) -> bool {
        self.texts.contains_key(name) || self.values.contains_key(name)
    }

    /// Where a file says it, unless the command line says it too.
    pub(super) fn placed(&self, name: &str) -> Option<Placed> {
        let place = self.places.get(name).copied();
        place.filter(|_| !self.texts.contains_key(name))
    }
}

/// Whether it is an input that may be seen.
fn is_shown(inputs: &[InputDef], entry: &Entry) -> bool {
    let def = inputs.iter().find(|def| def.name.value == entry.key.value);
    def.is_some_and(|def| !def.kind.value.is_secret())
}

/// The values of secrets, and of names that may be misspelled ones.
fn values(inputs: &[InputDef], entries: &[Entry]) -> Vec<Span> {
    let hidden = entries.iter().filter(|entry| !is_shown(inputs, entry));
    hidden.map(|entry| entry.value.span).collect()
}

/// All but the names, and the values that may be seen: what was not understood may hold anything.
fn unread(source: &Source, inputs: &[InputDef], entries: &[Entry]) -> Vec<Span> {
    let mut shown: Vec<Span> = entries
        .iter()
        .flat_map(|entry| {
            let value = is_shown(inputs, entry).then_some(entry.value.site());
            [Some(entry.key.span), value]
        })
        .flatten()
        .collect();
    shown.sort();
    let mut hidden = values(inputs, entries);
    let mut at = 0;
    for span in shown {
        hidden.push(Span::of(source.id(), at, span.start));
        at = at.max(span.end);
    }
    hidden.push(Span::of(source.id(), at, source.text().len()));
    hidden
}
