//! A file whose content the engine compares and swaps, as text for a shell.

use runbook_lang::steptype::ParamValue;
use runbook_model::Value;
use runbook_model::step_type::{Content, Piece, What};

use super::part::{Hand, Instance, Known, shown};
use super::sheet::Sheet;

/// A link is followed; owner and mode of a file that is there are kept.
const COPY: &str = r#"path=$(readlink -f -- "$path" || printf '%s' "$path")
if [ -e "$path" ]; then cp -p -- "$path" "$path.new"; fi
"#;

impl Hand<'_> {
    /// A file whose content the engine compares and swaps.
    pub(super) fn content(&self, sheet: &mut Sheet, it: Instance<'_>, content: &Content) {
        let values = self.values(it);
        let mut inner = Sheet::new();
        inner.raw("(\nas_the_engine_does\n");
        let of = |part: &Piece| known(part, &values);
        self.assign(&mut inner, "path", &of(&content.path));
        inner.raw(COPY);
        if let Some(Known::Value(ParamValue::Text(only))) = content.create_only.as_ref().map(of)
            && only == "true"
        {
            inner.note("a file that is there is left as it is");
            inner.raw("[ ! -e \"$path\" ] || exit 0\n");
        }
        let what = match &content.what {
            What::Text(text) => {
                self.assign(&mut inner, "text", &first_given(text, &values));
                inner.raw("printf '%s' \"$text\" >\"$path.new\"\n");
                None
            }
            What::Yaml(parts) => Some(("this is all of its YAML", parts.iter().collect())),
            What::MergeYaml(parts) => Some(("merge this into its YAML", parts.iter().collect())),
            What::MergeJson(parts) => Some(("merge this into its JSON", parts.iter().collect())),
            What::SetIni(parts) => Some(("set these keys in its sections", parts.iter().collect())),
            What::Line(line) => Some(("this line", line.text.iter().collect::<Vec<_>>())),
            What::Block(block) => Some((
                "these lines, between its marks",
                block.text.iter().collect(),
            )),
        };
        if let Some((title, parts)) = what {
            inner.note(&format!("in $path.new: {title}:"));
            for part in parts {
                match of(part) {
                    Known::Value(value) => inner.note(&indented(&plain(&value))),
                    Known::Secret => inner.note("  a secret: not written here"),
                    Known::Later(written) => inner.note(&format!("  not known yet: {written}")),
                }
            }
            for (name, known) in &values {
                let state = ["state", "match", "after", "before"].contains(&name.as_str());
                if let (true, Known::Value(value)) = (state, known) {
                    inner.note(&format!("  {name}: {}", plain(value)));
                }
            }
        }
        let given = |part: &Option<Piece>| match part.as_ref().map(of) {
            Some(Known::Value(ParamValue::Text(text))) if text.is_empty() => None,
            other => other,
        };
        for (name, part, command) in [
            (
                "owner",
                &content.owner,
                "chown -- \"$owner\" \"$path.new\"\n",
            ),
            (
                "group",
                &content.group,
                "chgrp -- \"$group\" \"$path.new\"\n",
            ),
            ("mode", &content.mode, "chmod -- \"$mode\" \"$path.new\"\n"),
        ] {
            if let Some(known) = given(part) {
                self.assign(&mut inner, name, &known);
                inner.raw(command);
            }
        }
        if let Some(Known::Value(ParamValue::List(words))) = content.validate.as_ref().map(of)
            && !words.is_empty()
        {
            inner.note(&format!(
                "look at it first with (`{{}}` is the new file): {}",
                words.join(" ")
            ));
        }
        inner.raw("mv -f -- \"$path.new\" \"$path\"\n)\n");
        sheet.raw(&inner.done());
    }
}

/// A text; of a list, the first that is given.
fn first_given(text: &Piece, values: &[(String, Known)]) -> Known {
    let empty = |of: &Known| matches!(of, Known::Value(ParamValue::Text(text)) if text.is_empty());
    match text {
        Piece::List(parts) => parts
            .iter()
            .map(|part| known(part, values))
            .find(|known| !empty(known))
            .unwrap_or_else(|| Known::Value(ParamValue::Text(String::new()))),
        one => known(one, values),
    }
}

/// A part of a content, with the values of one instance.
fn known(part: &Piece, values: &[(String, Known)]) -> Known {
    match part {
        Piece::Literal(Value::Array(words)) => {
            Known::Value(ParamValue::List(words.iter().map(shown).collect()))
        }
        Piece::Literal(value) => Known::Value(ParamValue::Text(shown(value))),
        Piece::Param(name) => match values.iter().find(|(of, _)| of == name) {
            Some((_, Known::Value(value))) => Known::Value(value.clone()),
            Some((_, Known::Secret)) => Known::Secret,
            Some((_, Known::Later(written))) => Known::Later(written.clone()),
            None => Known::Later(name.clone()),
        },
        Piece::Map(map) => {
            let lines = map.iter().map(|(key, part)| match known(part, values) {
                Known::Value(value) => format!("{key}: {}", plain(&value)),
                Known::Secret => format!("{key}: (a secret: not written here)"),
                Known::Later(written) => format!("{key}: (not known yet: {written})"),
            });
            Known::Value(ParamValue::Text(lines.collect::<Vec<_>>().join("\n")))
        }
        Piece::List(parts) => {
            let lines = parts.iter().map(|part| match known(part, values) {
                Known::Value(value) => plain(&value),
                Known::Secret => "(a secret: not written here)".to_owned(),
                Known::Later(written) => format!("(not known yet: {written})"),
            });
            Known::Value(ParamValue::List(lines.collect()))
        }
    }
}

/// A value for people.
fn plain(value: &ParamValue) -> String {
    match value {
        ParamValue::Text(text) => text.clone(),
        ParamValue::List(words) => words.join("\n"),
        ParamValue::Map(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| format!("{key}: {value}"));
            pairs.collect::<Vec<_>>().join("\n")
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
