//! Texts with other names in them: templates, conditions, selectors.

use std::collections::BTreeMap;

use crate::condition::Condition;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, did_you_mean};
use crate::scope::{Reference, Segment};
use crate::source::{Span, Spanned};
use crate::template::Template;

/// What a name stands for in the whole.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// This path: `vars.drain_node`, `inputs.first`.
    Path(String),
    /// A name inside the import with this prefix, which nobody outside sees.
    Hidden(String),
}

/// The names of one runbook in the whole.
#[derive(Debug, Default)]
pub(super) struct Names {
    targets: BTreeMap<(&'static str, String), Target>,
    /// Of each import, the variables that hold its outputs.
    pub(super) outputs: BTreeMap<String, BTreeMap<String, String>>,
    /// Groups, by the names that selectors use.
    pub(super) groups: BTreeMap<String, String>,
    /// The prefix of steps.
    prefix: Option<String>,
}

impl Names {
    /// Those of an imported runbook.
    pub(super) fn with_prefix(prefix: &str) -> Self {
        Self {
            prefix: Some(prefix.to_owned()),
            ..Self::default()
        }
    }

    pub(super) fn set(&mut self, root: &'static str, name: &str, target: Target) {
        self.targets.insert((root, name.to_owned()), target);
    }

    fn get(&self, root: &str, name: &str) -> Option<&Target> {
        let root = ROOTS.iter().find(|known| **known == root)?;
        self.targets.get(&(*root, name.to_owned()))
    }

    /// What a step is called in the whole.
    pub(super) fn step(&self, name: &str) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}_{name}"),
            None => name.to_owned(),
        }
    }
}

/// The roots whose names belong to a runbook.
const ROOTS: [&str; 4] = ["inputs", "vars", "steps", "groups"];

/// Writes texts anew.
pub(super) struct Rewriter<'a> {
    pub(super) names: &'a Names,
    pub(super) diagnostics: &'a mut Diagnostics,
}

/// Bytes of a text, and what takes their place.
type Change = (std::ops::Range<usize>, String);

impl Rewriter<'_> {
    /// Whether this is a step of the runbook whose texts these are.
    pub(super) fn is_step(&self, name: &str) -> bool {
        self.names.get("steps", name).is_some()
    }

    pub(super) fn template(&mut self, text: &mut Spanned<String>) {
        text.value = self.template_text(&text.value, text.span);
    }

    /// A text that does not parse stays as it is: the compiler says why.
    pub(super) fn template_text(&mut self, text: &str, span: Span) -> String {
        let references = |text: &str| Some(Template::parse(text).ok()?.references().to_vec());
        self.rewritten(text, span, false, references)
    }

    pub(super) fn condition(&mut self, text: &mut Spanned<String>) {
        text.value = self.condition_text(&text.value, text.span);
    }

    pub(super) fn condition_text(&mut self, text: &str, span: Span) -> String {
        let references = |text: &str| Some(Condition::parse(text).ok()?.references().to_vec());
        self.rewritten(text, span, true, references)
    }

    /// A selector is a template whose words outside of braces are groups and hosts.
    pub(super) fn selector(&mut self, text: &mut Spanned<String>) {
        self.template(text);
        let mut out = String::new();
        let mut rest = text.value.as_str();
        while let Some((before, after)) = rest.split_once("{{") {
            out.push_str(&self.words(before));
            let (inside, after) = after.split_once("}}").unwrap_or((after, ""));
            out.push_str(&format!("{{{{{inside}}}}}"));
            rest = after;
        }
        out.push_str(&self.words(rest));
        text.value = out;
    }

    fn words(&self, text: &str) -> String {
        let parts = text.split(',').map(|term| {
            let name = term.trim().trim_start_matches('!').trim_start();
            let name = name.split('[').next().unwrap_or_default().trim_end();
            match self.names.groups.get(name) {
                Some(ours) if !name.is_empty() => term.replacen(name, ours, 1),
                _ => term.to_owned(),
            }
        });
        parts.collect::<Vec<_>>().join(",")
    }

    fn rewritten(
        &mut self,
        text: &str,
        span: Span,
        is_condition: bool,
        references: impl Fn(&str) -> Option<Vec<Reference>>,
    ) -> String {
        let Some(found) = references(text) else {
            return text.to_owned();
        };
        let mut changes: Vec<Change> = Vec::new();
        for reference in &found {
            match self.change(text, reference, span, is_condition) {
                Ok(change) => changes.extend(change),
                // One mistake is one message: what follows from it is not looked at.
                Err(error) => {
                    self.diagnostics.push(*error);
                    let harmless = if is_condition { "true" } else { "" };
                    return harmless.to_owned();
                }
            }
        }
        changes.sort_by_key(|(range, _)| range.start);
        changes.dedup();
        let mut out = text.to_owned();
        for (range, new) in changes.into_iter().rev() {
            out.replace_range(range, &new);
        }
        out
    }

    /// What takes the place of the name that a reference begins with, if it has another one.
    fn change(
        &self,
        text: &str,
        reference: &Reference,
        span: Span,
        is_condition: bool,
    ) -> Result<Option<Change>, Box<Diagnostic>> {
        let root = reference.root();
        let written = text.get(reference.range.clone()).unwrap_or_default();
        if !ROOTS.contains(&root) {
            return Ok(None);
        }
        // A name inside a block is led back to what the block is at, which is written elsewhere.
        if !is_condition && !written.starts_with(root) {
            return Ok(None);
        }
        let error = |code: Code, message: String| {
            Box::new(Diagnostic::error(code, message).label(span.source, span, ""))
        };
        let name = reference.path.get(1).and_then(Segment::name);
        let Some(name) = name else {
            let message = format!("`{root}` does not say which one is read");
            return Err(Box::new(error(Code::BadImport, message).help(
                "where runbooks are imported, names are written out: `inputs.name`",
            )));
        };
        let target = match self.output(reference) {
            Some(found) => Some(found.map_err(|known| {
                let message = format!("`{name}` has no such output");
                let read = reference.path.get(3).and_then(Segment::name);
                let help = did_you_mean(read.unwrap_or_default(), known.iter().map(String::as_str))
                    .unwrap_or_else(|| {
                        "a runbook declares what others see under `outputs`".to_owned()
                    });
                Box::new(error(Code::UnknownName, message).help(help))
            })?),
            None => match self.names.get(root, name) {
                None => None,
                Some(Target::Path(path)) => Some((2, path.clone())),
                Some(Target::Hidden(import)) => {
                    let message = format!("`{root}.{name}` is inside the import `{import}`");
                    let help =
                        format!("declare an output there, and read `steps.{import}.outputs.…`");
                    return Err(Box::new(error(Code::UnknownName, message).help(help)));
                }
            },
        };
        let Some((segments, path)) = target else {
            return Ok(None);
        };
        match length(written, segments) {
            Some(length) => {
                let start = reference.range.start;
                Ok(Some((start..start + length, path)))
            }
            None => Err(Box::new(
                error(
                    Code::BadImport,
                    format!("`{root}` and a name in brackets cannot be imported"),
                )
                .help(format!("write `{root}.{name}`")),
            )),
        }
    }

    /// The variable of an import's output, and how many segments of the path it stands for; the
    /// outputs that there are, if it is none of them.
    fn output(&self, reference: &Reference) -> Option<Result<(usize, String), Vec<String>>> {
        let name = |at: usize| reference.path.get(at).and_then(Segment::name);
        let known = self.names.outputs.get(name(1)?)?;
        if reference.root() != "steps" {
            return None;
        }
        let var = name(3)
            .filter(|_| name(2) == Some("outputs"))
            .and_then(|output| known.get(output));
        Some(match var {
            Some(var) => Ok((4, format!("vars.{var}"))),
            None => Err(known.keys().cloned().collect()),
        })
    }
}

/// The bytes of so many names joined by dots.
fn length(written: &str, segments: usize) -> Option<usize> {
    let mut at = 0;
    for segment in 0..segments {
        if segment > 0 {
            at += written.get(at..)?.starts_with('.').then_some(1)?;
        }
        let rest = written.get(at..)?;
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        if end == 0 {
            return None;
        }
        at += end;
    }
    Some(at)
}
