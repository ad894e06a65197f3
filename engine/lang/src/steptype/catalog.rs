//! Everything that `uses:` can name.

use std::collections::BTreeMap;

use runbook_model::StepType;

use super::engine;
use super::file::parse_type;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::{Source, SourceId, Span, Spanned};

/// The origin of a type that comes with the program.
pub const SHIPPED: &str = "shipped";

/// All step types by name.
#[derive(Debug, Clone)]
pub struct Catalog {
    types: BTreeMap<String, StepType>,
    /// Types whose files have mistakes: using one is not another mistake.
    broken: Vec<String>,
}

impl Default for Catalog {
    fn default() -> Self {
        Self::new()
    }
}

impl Catalog {
    /// The engine's own types.
    #[must_use]
    pub fn new() -> Self {
        Self {
            types: engine::types()
                .into_iter()
                .map(|t| (t.name.clone(), t))
                .collect(),
            broken: Vec::new(),
        }
    }

    /// Adds the type of a file. `stem` is the file's name without `.yaml`; `origin` is
    /// [`SHIPPED`], or the path of the file. A name that is taken is refused: what a reviewer
    /// knows by that name must be what runs.
    pub fn add(&mut self, stem: &str, origin: &str, source: &Source) -> Diagnostics {
        let (step_type, mut diagnostics) = parse_type(stem, origin, source);
        match step_type {
            None => self.broken.push(stem.to_owned()),
            Some(step_type) => match self.types.get(&step_type.name) {
                None => _ = self.types.insert(step_type.name.clone(), step_type),
                Some(known) => {
                    let whose = match known.origin.as_str() {
                        SHIPPED => "comes with the program".to_owned(),
                        engine::ORIGIN => "belongs to the engine".to_owned(),
                        other => format!("is in {other}"),
                    };
                    let at = source.text().find(&step_type.name).unwrap_or(0);
                    let span = Span::of(source.id(), at, at + step_type.name.len());
                    diagnostics.push(
                        Diagnostic::error(
                            Code::ShadowedType,
                            format!("the type `{}` {whose} already", step_type.name),
                        )
                        .label(source.id(), span, "the same name")
                        .help("give the file and the type another name"),
                    );
                }
            },
        }
        diagnostics
    }

    /// The type of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&StepType> {
        self.types.get(name)
    }

    /// The type that a step names; reports one that is not there.
    pub fn resolve(
        &self,
        uses: &Spanned<String>,
        source: SourceId,
        diagnostics: &mut Diagnostics,
    ) -> Option<&StepType> {
        let found = self.get(&uses.value);
        // An empty name was reported when the step was read.
        if found.is_none() && !uses.value.is_empty() && !self.broken.contains(&uses.value) {
            let known = self.types.keys().map(String::as_str);
            let help = diagnostics.suggest(&uses.value, known);
            let message = format!("no step type `{}`", uses.value);
            diagnostics.push(
                Diagnostic::error(Code::UnknownType, message)
                    .label(source, uses.span, "")
                    .maybe_help(help),
            );
        }
        found
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &StepType> {
        self.types.values()
    }
}
