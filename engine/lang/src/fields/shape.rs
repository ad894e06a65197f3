//! Whether a value has the shape that the table promises, and what to say if it has not.

use std::cell::RefCell;
use std::collections::HashMap;

use runbook_model::text::printable;

use super::{Cx, text_of};
use crate::diagnostic::Code;
use crate::keys::{Name, Shape};
use crate::limits;
use crate::source::Span;
use crate::value::parse_duration;
use crate::yaml::{Kind, Node, Style};

pub(super) fn wrong_type(cx: &mut Cx<'_>, what: &str, wanted: &str, node: &Node) {
    if node.kind == Kind::Error {
        return;
    }
    let help = match (wanted, &node.kind) {
        ("a text" | "a condition", Kind::Bool(_) | Kind::Int(_) | Kind::Float(_)) => Some(format!(
            "put it in quotes: '{}'",
            cx.source.slice(node.span)
        )),
        ("true or false", Kind::Str { text, .. })
            if matches!(text.as_str(), "yes" | "on" | "y") =>
        {
            Some("write `true`".to_owned())
        }
        ("true or false", Kind::Str { text, .. })
            if matches!(text.as_str(), "no" | "off" | "n") =>
        {
            Some("write `false`".to_owned())
        }
        ("a list", Kind::Str { text, .. }) => Some(format!("write [{text}]")),
        ("a list", Kind::Map(_)) => Some("begin each item with `- `".to_owned()),
        _ => None,
    };
    let label = format!("this is {}", node.noun());
    let message = format!("{what} is {wanted}, not {}", node.noun());
    cx.error(Code::WrongType, message, node.site(), &label, help);
}

/// Whether a value has a shape; reports it if it has not. `what` is the name of the key.
pub(crate) fn conforms(cx: &mut Cx<'_>, what: &str, shape: &Shape, node: &Node) -> bool {
    let quoted = format!("`{what}`");
    let wrong = |cx: &mut Cx<'_>, wanted: &str| {
        wrong_type(cx, &quoted, wanted, node);
        false
    };
    if node.kind == Kind::Error {
        return false;
    }
    match shape {
        Shape::Any => true,
        Shape::Text => node.as_str().is_some() || wrong(cx, "a text"),
        Shape::Label => matches!(node.kind, Kind::Str { .. } | Kind::Int(_)) || wrong(cx, "a text"),
        Shape::Name(rule) => match node.as_str() {
            Some(text) => name_holds(cx, *rule, text, node.site()),
            None => wrong(cx, "a name"),
        },
        Shape::Bool => matches!(node.kind, Kind::Bool(_)) || wrong(cx, "true or false"),
        Shape::Int(least, most) => match node.kind {
            Kind::Int(n) if (*least..=*most).contains(&n) => true,
            Kind::Int(_) => out_of_range(cx, what, *least, *most, node),
            // A number of more than 64 bits stays text.
            Kind::Str {
                ref text,
                style: Style::Plain,
            } if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() => {
                out_of_range(cx, what, *least, *most, node)
            }
            _ => wrong(cx, "a whole number"),
        },
        Shape::Number(least) => {
            let n = match node.kind {
                Kind::Int(n) => n as f64,
                Kind::Float(n) => n,
                _ => return wrong(cx, "a number"),
            };
            if n < *least || n > 1e6 {
                cx.error(
                    Code::BadValue,
                    format!("`{what}` is from {least} to 1000000"),
                    node.site(),
                    "",
                    None,
                );
            }
            (*least..=1e6).contains(&n)
        }
        Shape::Duration => match &node.kind {
            Kind::Str { text, .. } => match parse_duration(text) {
                Ok(_) => true,
                Err(why) => {
                    cx.error(
                        Code::BadValue,
                        format!("`{}` is {why}", printable(text)),
                        node.site(),
                        "",
                        None,
                    );
                    false
                }
            },
            Kind::Int(n) => {
                let help = Some(format!("write `{n}s` for seconds"));
                cx.error(
                    Code::BadValue,
                    format!("`{what}` needs a unit"),
                    node.site(),
                    "",
                    help,
                );
                false
            }
            _ => wrong(cx, "a duration"),
        },
        Shape::Condition => {
            matches!(node.kind, Kind::Str { .. } | Kind::Bool(_)) || wrong(cx, "a condition")
        }
        Shape::Choice(words) => choice(cx, what, words, node),
        Shape::Pattern => match node.as_str() {
            None => wrong(cx, "a regular expression"),
            Some(text) => match pattern(text) {
                Ok(_) => true,
                Err(why) => {
                    cx.error(
                        Code::BadValue,
                        format!("`{what}` is not a regular expression: {why}"),
                        node.site(),
                        "",
                        None,
                    );
                    false
                }
            },
        },
        Shape::Share => match share(node) {
            Some(_) => true,
            None => {
                let message =
                    format!("`{what}` is a number of hosts, or a percentage from 1% to 100%");
                cx.error(Code::BadValue, message, node.site(), "", None);
                false
            }
        },
        // A list or a map is as it should be even where an item is not: the others are read.
        Shape::List(of) => match &node.kind {
            Kind::Seq(items) if too_many(cx, what, items.len(), limits::ITEMS, node) => false,
            Kind::Seq(items) => {
                items
                    .iter()
                    .for_each(|item| _ = conforms(cx, what, of, item));
                true
            }
            _ => wrong(cx, "a list"),
        },
        Shape::OneOrList(of) => match &node.kind {
            Kind::Seq(items) if too_many(cx, what, items.len(), limits::ITEMS, node) => false,
            Kind::Seq(items) => {
                items
                    .iter()
                    .for_each(|item| _ = conforms(cx, what, of, item));
                true
            }
            _ => conforms(cx, what, of, node),
        },
        // The reader of the section says what is wrong with it.
        Shape::Section(_) => true,
        Shape::Inputs => match &node.kind {
            Kind::Map(entries) => !too_many(cx, what, entries.len(), limits::NAMES, node),
            _ => wrong(cx, "a map"),
        },
        Shape::Map(rule, of) => match &node.kind {
            Kind::Map(entries) if too_many(cx, what, entries.len(), most(*rule), node) => false,
            Kind::Map(entries) => {
                for entry in entries {
                    name_holds(cx, *rule, &entry.key.value, entry.key.span);
                    conforms(cx, &entry.key.value, of, &entry.value);
                }
                true
            }
            _ => wrong(cx, "a map"),
        },
        Shape::Become => match &node.kind {
            Kind::Bool(false) => true,
            Kind::Str { text, .. } if text == "sudo" => true,
            _ => {
                cx.error(
                    Code::BadValue,
                    format!("`{what}` is `sudo` or `false`"),
                    node.site(),
                    "",
                    None,
                );
                false
            }
        },
    }
}

/// As many entries a map with such names may have.
fn most(rule: Name) -> usize {
    match rule {
        Name::Host | Name::Free | Name::Field => limits::ITEMS,
        Name::Id | Name::Runbook | Name::Type | Name::Param => limits::NAMES,
    }
}

/// Reports that there is more than anybody looks at.
pub(crate) fn too_many(
    cx: &mut Cx<'_>,
    what: &str,
    count: usize,
    most: usize,
    node: &Node,
) -> bool {
    if count > most {
        let message = format!("`{what}` has {count} entries, at most {most} are read");
        cx.error(Code::TooMany, message, node.site(), "", None);
    }
    count > most
}

fn out_of_range(cx: &mut Cx<'_>, what: &str, least: i64, most: i64, node: &Node) -> bool {
    let message = format!("`{what}` is from {least} to {most}");
    cx.error(Code::BadValue, message, node.site(), "", None);
    false
}

fn choice(cx: &mut Cx<'_>, what: &str, words: &[&str], node: &Node) -> bool {
    let Some(text) = text_of(node) else {
        wrong_type(cx, &format!("`{what}`"), "a word", node);
        return false;
    };
    if words.contains(&text.as_str()) {
        return true;
    }
    let usable: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    let help = cx.diagnostics.suggest(&text, words.iter().copied());
    let message = format!("`{what}` is {}, not `{text}`", one_of(&usable));
    cx.error(Code::BadValue, message, node.site(), "", help);
    false
}

/// `a`, `b` or `c`.
pub(crate) fn one_of(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// Reports a name that breaks its rule.
pub(crate) fn name_holds(cx: &mut Cx<'_>, rule: Name, text: &str, span: Span) -> bool {
    match rule.check(text) {
        Ok(()) => true,
        Err(why) => {
            let help = rule.repaired(text).map(|r| format!("did you mean `{r}`?"));
            let shown: String = text.chars().take(80).collect();
            cx.error(
                Code::BadName,
                format!("`{shown}` cannot be a name here: {why}"),
                span,
                "",
                help,
            );
            false
        }
    }
}

/// As many regular expressions are remembered.
const REMEMBERED: usize = 512;

thread_local! {
    /// Regular expressions that were read before: the same ones are asked at every host.
    static KNOWN: RefCell<HashMap<String, regex::Regex>> = RefCell::default();
}

/// A bounded regular expression.
pub(crate) fn pattern(text: &str) -> Result<regex::Regex, &'static str> {
    if let Some(known) = KNOWN.with_borrow(|known| known.get(text).cloned()) {
        return Ok(known);
    }
    let regex = compiled(text)?;
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(text.to_owned(), regex.clone());
    });
    Ok(regex)
}

fn compiled(text: &str) -> Result<regex::Regex, &'static str> {
    const BIGGEST: usize = 1 << 20;
    if text.len() > 4_096 {
        return Err("it is longer than 4096 bytes");
    }
    regex::RegexBuilder::new(text)
        .size_limit(BIGGEST)
        .dfa_size_limit(BIGGEST)
        .nest_limit(64)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "it is too large",
            _ => "brackets, parentheses or repetitions do not fit together",
        })
}

/// A number of hosts, or a percentage of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// As many hosts, at least 1.
    Count(u32),
    /// From 1 to 100 percent of the hosts.
    Percent(u32),
}

/// Reads a [`Share`].
pub(crate) fn share(node: &Node) -> Option<Share> {
    match &node.kind {
        Kind::Int(n) => u32::try_from(*n).ok().filter(|n| *n > 0).map(Share::Count),
        Kind::Str { text, .. } => {
            let n: u32 = text.strip_suffix('%')?.parse().ok()?;
            (1..=100).contains(&n).then_some(Share::Percent(n))
        }
        _ => None,
    }
}
