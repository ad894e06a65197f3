//! Keys of a JSON file, comments and trailing commas included, as editors write them.
//!
//! The parser says where things are; what is changed is cut out and put in by place, so that no
//! other byte moves. The result is read again and must be the merged value.

use jsonc_parser::ast;
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use runbook_model::Value;

use super::edit::{Edits, line_end, line_start, newline, next_line};
use super::merge::merged;

/// Deeper nesting is refused.
const DEEPEST: usize = 100;

/// Merges a map into the text of a file; an empty file is an empty map.
pub(super) fn merge(text: &str, change: &Value) -> Result<String, String> {
    let Some(root) = parse(text)? else {
        let wanted = merged(None, change);
        return Ok(match wanted.as_object().is_some_and(|map| map.is_empty()) {
            true => text.to_owned(),
            false => {
                let newline = newline(text);
                let open = if text.is_empty() || text.ends_with('\n') {
                    ""
                } else {
                    newline
                };
                let style = Style {
                    newline,
                    unit: "  ".to_owned(),
                    lines: true,
                    colon: ": ".to_owned(),
                };
                format!("{text}{open}{}{newline}", style.render(&wanted, "", true))
            }
        });
    };
    let now = value(&root, 0)?;
    if !now.is_object() {
        return Err("the file holds no map".to_owned());
    }
    let wanted = merged(Some(&now), change);
    if now == wanted {
        return Ok(text.to_owned());
    }
    let mut patch = Patch {
        text,
        style: Style::of(text),
        edits: Edits::default(),
    };
    if let (ast::Value::Object(object), Value::Object(change)) = (&root, change) {
        patch.object(object, change);
    }
    let done = patch.edits.apply(text);
    let strict = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let is = |done: &String| {
        let read = parse(done).ok().flatten();
        read.is_some_and(|root| value(&root, 0).as_ref() == Ok(&wanted))
            && (strict(done) || !strict(text))
    };
    done.filter(is)
        .ok_or_else(|| "the keys cannot be changed in this file without changing others".to_owned())
}

fn parse(text: &str) -> Result<Option<ast::Value<'_>>, String> {
    let text = text.strip_prefix('\u{feff}').map_or(Ok(text), |_| {
        Err("the file begins with a byte order mark, which JSON has not".to_owned())
    })?;
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    parse_to_ast(text, &CollectOptions::default(), &options)
        .map(|result| result.value)
        .map_err(|error| format!("the file is not JSON: line {}", error.line_display()))
}

/// The value of a node. A key that is there twice means different things to different readers.
fn value(node: &ast::Value<'_>, depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err(format!("nested deeper than {DEEPEST} levels"));
    }
    Ok(match node {
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::BooleanLit(lit) => Value::Bool(lit.value),
        ast::Value::StringLit(lit) => Value::String(lit.value.to_string()),
        ast::Value::NumberLit(lit) => serde_json::from_str(lit.value)
            .map_err(|_| "a number in the file is too large".to_owned())?,
        ast::Value::Array(array) => array
            .elements
            .iter()
            .map(|item| value(item, depth + 1))
            .collect::<Result<_, _>>()?,
        ast::Value::Object(object) => {
            let mut map = serde_json::Map::new();
            for property in &object.properties {
                let name = property.name.as_str().to_owned();
                let item = value(&property.value, depth + 1)?;
                if map.insert(name, item).is_some() {
                    return Err("a key of the file is there twice".to_owned());
                }
            }
            Value::Object(map)
        }
    })
}

/// How a file is written.
struct Style {
    newline: &'static str,
    /// One level of indentation.
    unit: String,
    /// It has line breaks at all.
    lines: bool,
    /// Between key and value.
    colon: String,
}

impl Style {
    fn of(text: &str) -> Self {
        let first = text
            .split('\n')
            .map(|line| &line[..line.len() - line.trim_start_matches([' ', '\t']).len()])
            .find(|indent| !indent.is_empty());
        let lines = text.trim_end().contains('\n');
        let tight = !lines && text.contains("\":") && !text.contains("\": ");
        Self {
            newline: newline(text),
            unit: first.unwrap_or("  ").to_owned(),
            lines,
            colon: if tight { ":" } else { ": " }.to_owned(),
        }
    }

    /// A value whose first line is indented already; nested ones get lines of their own if there
    /// are lines.
    fn render(&self, value: &Value, indent: &str, lines: bool) -> String {
        let deeper = format!("{indent}{}", self.unit);
        let items: Vec<String> = match value {
            Value::Object(map) if !map.is_empty() => map
                .iter()
                .map(|(key, value)| self.entry(key, value, &deeper, lines))
                .collect(),
            Value::Array(items) if !items.is_empty() => items
                .iter()
                .map(|item| self.render(item, &deeper, lines))
                .collect(),
            other => return other.to_string(),
        };
        let (open, close) = if value.is_object() {
            ('{', '}')
        } else {
            ('[', ']')
        };
        match lines {
            true => {
                let between = format!("{}{deeper}", self.newline);
                let inner = items.join(&format!(",{between}"));
                format!("{open}{between}{inner}{}{indent}{close}", self.newline)
            }
            false => format!("{open}{}{close}", items.join(self.comma())),
        }
    }

    fn entry(&self, key: &str, value: &Value, indent: &str, lines: bool) -> String {
        let key = Value::from(key);
        format!("{key}{}{}", self.colon, self.render(value, indent, lines))
    }

    fn comma(&self) -> &'static str {
        if self.colon.ends_with(' ') { ", " } else { "," }
    }
}

struct Patch<'a> {
    text: &'a str,
    style: Style,
    edits: Edits,
}

impl Patch<'_> {
    fn indent(&self, at: usize) -> &str {
        let line = &self.text[line_start(self.text, at)..at];
        &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
    }

    fn object(&mut self, object: &ast::Object<'_>, change: &serde_json::Map<String, Value>) {
        let properties = &object.properties;
        let has = |key: &str| properties.iter().any(|p| p.name.as_str() == key);
        let goes = |p: &ast::ObjectProp<'_>| change.get(p.name.as_str()) == Some(&Value::Null);
        let added: Vec<(&String, Value)> = change
            .iter()
            .filter(|(key, value)| !value.is_null() && !has(key))
            .map(|(key, value)| (key, merged(None, value)))
            .collect();
        let last = properties.iter().rposition(|p| !goes(p));
        let Some(last) = last else {
            return self.whole(object, &added);
        };
        for property in properties {
            match (change.get(property.name.as_str()), &property.value) {
                (None | Some(Value::Null), _) => {}
                (Some(Value::Object(change)), ast::Value::Object(inner)) => {
                    self.object(inner, change);
                }
                (Some(wanted), now) => {
                    let wanted = merged(None, wanted);
                    if value(now, 0).as_ref() != Ok(&wanted) {
                        let lines = self.style.lines
                            && self.text[object.start()..property.start()].contains('\n');
                        let indent = self.indent(property.start()).to_owned();
                        let with = self.style.render(&wanted, &indent, lines);
                        self.edits.replace(now.start()..now.end(), with);
                    }
                }
            }
        }
        for (at, property) in properties.iter().enumerate().filter(|(_, p)| goes(p)) {
            let next = properties.get(at + 1).map(|next| next.start());
            if at < last {
                self.take_out(property, next);
            } else if self.owns_line(property) {
                self.take_out(property, None);
            } else {
                // A comma before it goes with it, unless it is the comma of the last one that
                // stays, which is seen to below.
                let from = match at - 1 == last {
                    true => self
                        .comma(properties[last].end())
                        .unwrap_or(properties[last].end()),
                    false => self
                        .comma(properties[at - 1].end())
                        .unwrap_or(property.start()),
                };
                self.edits.delete(from..property.end());
            }
        }
        self.tail(object, last, &added);
    }

    /// What stands behind the last property that stays: its comma, and new properties.
    fn tail(&mut self, object: &ast::Object<'_>, last: usize, added: &[(&String, Value)]) {
        let properties = &object.properties;
        let all_stay = last + 1 == properties.len();
        let end = properties[last].end();
        let trailing = self.comma(properties[properties.len() - 1].end()).is_some();
        let comma = self.comma(end);
        let first = &properties[0];
        let lines = self.text[object.start()..first.start()].contains('\n');
        if !all_stay && !self.owns_line(&properties[last + 1]) {
            // The comma went with the property behind it.
            let with: String = added
                .iter()
                .map(|(key, value)| {
                    format!(
                        "{}{}",
                        self.style.comma(),
                        self.style.entry(key, value, "", false)
                    )
                })
                .collect();
            self.edits.insert(end, with);
            return;
        }
        if added.is_empty() {
            if let Some(comma) = comma.filter(|_| !all_stay && !trailing) {
                self.edits.delete(comma..comma + 1);
            }
            return;
        }
        if !lines {
            let with: String = added
                .iter()
                .map(|(key, value)| {
                    format!(
                        "{}{}",
                        self.style.comma(),
                        self.style.entry(key, value, "", false)
                    )
                })
                .collect();
            return self.edits.insert(end, with);
        }
        let indent = self.indent(first.start()).to_owned();
        if comma.is_none() {
            self.edits.insert(end, ",");
        }
        let mut with = String::new();
        for (at, (key, value)) in added.iter().enumerate() {
            let comma = if trailing || at + 1 < added.len() {
                ","
            } else {
                ""
            };
            let entry = self.style.entry(key, value, &indent, true);
            with += &format!("{}{indent}{entry}{comma}", self.style.newline);
        }
        let at = self.rest_of_line(comma.map_or(end, |comma| comma + 1));
        self.edits.insert(at, with);
    }

    /// An object of which no property stays.
    fn whole(&mut self, object: &ast::Object<'_>, added: &[(&String, Value)]) {
        let map: serde_json::Map<String, Value> = added
            .iter()
            .map(|(key, value)| ((*key).clone(), value.clone()))
            .collect();
        if map.is_empty() && object.properties.is_empty() {
            return;
        }
        let indent = self.indent(object.start()).to_owned();
        let lines = self.style.lines || self.text.trim() == "{}";
        let with = self.style.render(&Value::Object(map), &indent, lines);
        let inner = object.start() + 1..object.end() - 1;
        if object.properties.is_empty() && !self.text[inner.clone()].trim().is_empty() {
            // A comment is all that is in it.
            let open = with[1..].trim_end_matches('}').trim_end();
            self.edits.insert(inner.start, open);
        } else {
            self.edits.replace(object.start()..object.end(), with);
        }
    }

    /// Takes a property out: its lines, or up to the next one.
    fn take_out(&mut self, property: &ast::ObjectProp<'_>, next: Option<usize>) {
        if self.owns_line(property) {
            let end = self
                .comma(property.end())
                .map_or(property.end(), |comma| comma + 1);
            let from = line_start(self.text, property.start());
            self.edits.delete(from..next_line(self.text, end));
        } else if let Some(next) = next {
            self.edits.delete(property.start()..next);
        }
    }

    /// Whether a property has its lines for itself, a comment behind it aside.
    fn owns_line(&self, property: &ast::ObjectProp<'_>) -> bool {
        let before = &self.text[line_start(self.text, property.start())..property.start()];
        let end = self
            .comma(property.end())
            .map_or(property.end(), |comma| comma + 1);
        let rest = self.rest_of_line(end);
        before.trim().is_empty() && rest == line_end(self.text, end) && rest < self.text.len()
    }

    /// Where the comma behind a value is, if there is one.
    fn comma(&self, at: usize) -> Option<usize> {
        let mut at = at;
        loop {
            let rest = &self.text[at..];
            if rest.starts_with(',') {
                return Some(at);
            } else if rest.starts_with("//") {
                at = next_line(self.text, at);
            } else if rest.starts_with("/*") {
                at += rest.find("*/")? + 2;
            } else {
                let blank = rest.chars().next().filter(|c| c.is_whitespace())?;
                at += blank.len_utf8();
            }
        }
    }

    /// Behind blanks and comments of the line of a byte, as far as they go.
    fn rest_of_line(&self, from: usize) -> usize {
        let end = line_end(self.text, from);
        let mut at = from;
        loop {
            let rest = &self.text[at..end];
            if rest.is_empty() || rest.starts_with("//") {
                return end;
            } else if rest.starts_with("/*") {
                match rest.find("*/") {
                    Some(n) => at += n + 2,
                    None => return from,
                }
            } else if rest.starts_with([' ', '\t']) {
                at += 1;
            } else {
                return from;
            }
        }
    }
}

#[cfg(test)]
mod tests;
