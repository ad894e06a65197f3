//! Text files beside a runbook: a step of `template` names one, and its text takes the place of the name. Places in
//! that text are places in that file.

use super::{Linker, steps_of};
use crate::ast::Runbook;
use crate::diagnostic::Code;
use crate::source::{SourceId, Span};
use crate::steptype::{TEMPLATE, TEMPLATE_SOURCES};
use crate::yaml::{Kind, Node};

impl Linker<'_> {
    /// Puts the text of every file that a step names into its place, before names are written anew: they are those of the
    /// runbook that names the file.
    pub(super) fn sources(&mut self, runbook: &mut Runbook) {
        let from = runbook.source;
        for step in steps_of(runbook).filter(|step| step.uses.value == TEMPLATE) {
            let named = step.with.iter_mut();
            for entry in named.filter(|e| TEMPLATE_SOURCES.contains(&e.key.value.as_str())) {
                let whole = entry.value.clone();
                if let Some(text) = self.source(from, &entry.key.value, &whole) {
                    entry.value = text;
                } else {
                    entry.value = Node::error(whole.site());
                }
            }
        }
    }

    fn source(&mut self, from: SourceId, key: &str, name: &Node) -> Option<Node> {
        let span = name.site();
        // What is no text was reported, or will be.
        let Kind::Str { text: file, style } = &name.kind else {
            if !name.has_error() {
                let message = format!("`{key}` is the name of a file, not {}", name.noun());
                self.error(Code::WrongType, message, span, None);
            }
            return None;
        };
        if file.contains("{{") {
            let message = format!("`{key}` is read before anything is known: it is a plain name");
            let help = "choose between two files with two steps, each with a `when`".to_owned();
            self.error(Code::NoTemplateHere, message, span, Some(help));
            return None;
        }
        match self.files.text(from, file) {
            Ok(source) => {
                let source = source?;
                let text = source.text().to_owned();
                let span = Span::of(source.id(), 0, text.len());
                let kind = Kind::Str {
                    text,
                    style: *style,
                };
                Some(Node::new(kind, span))
            }
            Err(why) => {
                let message = format!("the text `{file}` cannot be read: {why}");
                let help = format!("`{key}` is a path from the directory of this runbook");
                self.error(Code::BadImport, message, span, Some(help));
                None
            }
        }
    }
}
