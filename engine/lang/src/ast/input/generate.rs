//! A secret that nobody gives: what it is made of, where hosts have it, and what forbids a new one.

use runbook_model::secret::Alphabet;

use crate::diagnostic::Code;
use crate::fields::{Cx, Fields, pattern};
use crate::keys::Section;
use crate::source::Spanned;

/// Characters of a secret whose `length` is not given.
const LENGTH: u32 = 32;

/// How a secret is made that nobody gives.
#[derive(Debug, Clone)]
pub struct GenerateDef {
    /// Characters.
    pub length: u32,
    /// Which characters.
    pub alphabet: Alphabet,
    /// The file where hosts have it.
    pub adopt: Option<Place>,
    /// What shows that there was one.
    pub exists: Option<Place>,
}

/// A path on the hosts of a group.
#[derive(Debug, Clone)]
pub struct Place {
    /// The group.
    pub on: Spanned<String>,
    /// The path, from `/`.
    pub path: String,
    /// Finds the secret in it; it compiles and has one group.
    pub pattern: Option<String>,
}

/// Reads `generate`, `adopt` and `exists` of an input.
pub(super) fn read(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Option<GenerateDef> {
    let mut section = |key: &str, section: Section| {
        let entry = fields.entry(key)?;
        Fields::read(cx, section, &entry.value, entry.key.span)
    };
    let generate = section("generate", Section::Generate);
    let adopt = section("adopt", Section::Adopt);
    let exists = section("exists", Section::Exists);
    let Some(generate) = generate else {
        for key in ["adopt", "exists"] {
            if let (Some(span), None) = (fields.key_span(key), fields.key_span("generate")) {
                let help = Some("write `generate: {}` beside it".to_owned());
                let message = format!("`{key}` belongs to a secret that is generated");
                cx.error(Code::Conflict, message, span, "", help);
            }
        }
        return None;
    };
    if let Some(span) = fields.key_span("required") {
        let help = Some("remove `required`: `--secret` may give it all the same".to_owned());
        let message = "a secret that is generated is never missing";
        cx.error(Code::Conflict, message, span, "", help);
    }
    let word = generate.text("alphabet");
    let known = Alphabet::ALL
        .into_iter()
        .find(|(name, _)| word.as_ref().is_some_and(|word| word.value == *name));
    Some(GenerateDef {
        length: generate
            .int("length")
            .and_then(|length| u32::try_from(length.value).ok())
            .unwrap_or(LENGTH),
        alphabet: known.map(|(_, alphabet)| alphabet).unwrap_or_default(),
        adopt: adopt.and_then(|fields| place(cx, &fields, "file")),
        exists: exists.and_then(|fields| place(cx, &fields, "path")),
    })
}

fn place(cx: &mut Cx<'_>, fields: &Fields<'_>, key: &str) -> Option<Place> {
    let on = fields.text("on")?;
    let path = fields.text(key)?;
    if !path.value.starts_with('/') || path.value.chars().any(char::is_control) {
        let message = format!("`{key}` is a path from `/`");
        cx.error(Code::BadValue, message, path.span, "", None);
        return None;
    }
    let found = fields.text("pattern");
    if let Some(found) = &found
        && pattern(&found.value).is_ok_and(|regex| regex.captures_len() != 2)
    {
        let help = Some("put the secret in `(…)`, and other groups in `(?:…)`".to_owned());
        let message = "the pattern needs one group, which is the secret";
        cx.error(Code::BadValue, message, found.span, "", help);
        return None;
    }
    Some(Place {
        on,
        path: path.value,
        pattern: found.map(|found| found.value),
    })
}
