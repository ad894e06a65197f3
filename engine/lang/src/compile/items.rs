//! What a step is repeated for: items, each with a name that stays the same whatever others there
//! are.

use runbook_model::text::printable;
use runbook_model::{Item, Value};
use serde_json::Map;

use super::Compiler;
use super::inputs::Known;
use crate::ast::ForEach;
use crate::diagnostic::Code;
use crate::scope::{EvalError, Scope, Segment};
use crate::source::Span;
use crate::template::Template;

/// The items of a step.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Items {
    /// They hang on an input that is not given yet: no instances, and nothing is said about items.
    Unknown,
    /// In the order of their names in a map, of the list otherwise.
    Known(Vec<Item>),
}

/// More items of one step are refused.
const MOST: usize = 1_000;
/// The longest name of an item, in bytes.
const LONGEST: usize = 100;

impl Items {
    /// Those that are known.
    pub(super) fn known(&self) -> &[Item] {
        match self {
            Self::Known(items) => items,
            Self::Unknown => &[],
        }
    }
}

/// A path as a template: `groups.quay` is `{{groups.quay}}`.
pub(super) fn as_template(path: &str) -> String {
    if path.contains("{{") {
        path.to_owned()
    } else {
        format!("{{{{{path}}}}}")
    }
}

impl Compiler<'_> {
    pub(super) fn items(&mut self, def: &ForEach, scope: &Scope, inputs: &Known) -> Items {
        let value = match def {
            ForEach::Path(path) => match Template::parse(&as_template(&path.value)) {
                Ok(template) => template.render(scope),
                // Reported with the names.
                Err(_) => return Items::Unknown,
            },
            ForEach::Literal(node) => rendered(&node.to_value(), scope),
        };
        let value = match value {
            Ok(value) => value,
            Err(error) => {
                if !self.is_left_out(&error, inputs) {
                    self.error(Code::BadValue, error.message, def.span(), "", None);
                }
                return Items::Unknown;
            }
        };
        match self.named(value, def.span()) {
            Some(items) => Items::Known(items),
            None => Items::Unknown,
        }
    }

    fn named(&mut self, value: Value, span: Span) -> Option<Vec<Item>> {
        let items: Vec<Item> = match value {
            Value::Object(map) => map
                .into_iter()
                .map(|(name, value)| Item { name, value })
                .collect(),
            Value::Array(list) => {
                let mut items = Vec::with_capacity(list.len());
                for (at, value) in list.into_iter().enumerate() {
                    let Some(name) = name_of(&value) else {
                        let message = format!("item {} of this list has no name", at + 1);
                        let help = "write a map: its keys are the names, `{ name: … }`".to_owned();
                        self.error(
                            Code::BadValue,
                            message,
                            span,
                            "not a plain value",
                            Some(help),
                        );
                        return None;
                    };
                    items.push(Item { name, value });
                }
                items
            }
            other => {
                let message = format!(
                    "`for_each` is over a list or a map, and this is {}",
                    crate::value::kind_of(&other)
                );
                self.error(Code::BadValue, message, span, "", None);
                return None;
            }
        };
        self.check_names(&items, span).then_some(items)
    }

    fn check_names(&mut self, items: &[Item], span: Span) -> bool {
        let mut seen = std::collections::BTreeSet::new();
        let problem = items.iter().find_map(|item| {
            let name = printable(&item.name);
            if !seen.insert(&item.name) {
                let help = "every item needs a name of its own; write a map, its keys are the names";
                Some((format!("the item `{name}` is there twice"), help))
            } else if !may_be_name(&item.name) {
                let help = "a name is letters, digits and `. _ - + : = / ~ %`, at most 100; a map may give it another";
                Some((format!("`{}` cannot be the name of an item", shortened(&name)), help))
            } else {
                None
            }
        });
        let too_many = (items.len() > MOST).then(|| {
            let message = format!("{} items, the limit is {MOST}", items.len());
            (
                message,
                "split the step, or let one script work on the list",
            )
        });
        match problem.or(too_many) {
            Some((message, help)) => {
                self.error(Code::BadValue, message, span, "", Some(help.to_owned()));
                false
            }
            None => true,
        }
    }
}

/// A list or a map with every text in it rendered.
fn rendered(value: &Value, scope: &Scope) -> Result<Value, EvalError> {
    Ok(match value {
        Value::String(text) => match Template::parse(text) {
            Ok(template) => template.render(scope)?,
            // Reported with the names.
            Err(_) => value.clone(),
        },
        Value::Array(items) => {
            let items = items.iter().map(|item| rendered(item, scope));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| Ok((key.clone(), rendered(value, scope)?)));
            Value::Object(entries.collect::<Result<Map<_, _>, EvalError>>()?)
        }
        plain => plain.clone(),
    })
}

/// What an item of a list is called: itself.
fn name_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A name stands in the ids of instances, in messages and on command lines: nothing that a shell
/// or the form of an id would take apart.
fn may_be_name(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "._-+:=/~%".contains(c);
    !name.is_empty() && name.len() <= LONGEST && !name.starts_with('-') && name.chars().all(plain)
}

fn shortened(name: &str) -> String {
    name.chars().take(LONGEST).collect()
}

/// Whether a value has a member at the end of a path.
pub(super) fn has_member(value: &Value, path: &[Segment]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return true;
    };
    let Some(name) = first.name() else {
        return true;
    };
    let member = match value {
        Value::Object(map) => map.get(name),
        Value::Array(list) => name.parse::<usize>().ok().and_then(|at| list.get(at)),
        _ => None,
    };
    member.is_some_and(|value| has_member(value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_a_person_can_type() {
        for good in [
            "443/tcp",
            "/etc/hosts",
            "quay01.example.com",
            "a:b",
            "größe",
            "1",
        ] {
            assert!(may_be_name(good), "{good}");
        }
        for bad in [
            "",
            "a b",
            "a@b",
            "-x",
            "a\nb",
            "'a'",
            "$(x)",
            &"a".repeat(101),
        ] {
            assert!(!may_be_name(bad), "{bad}");
        }
    }
}
