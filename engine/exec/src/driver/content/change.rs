//! Changes to what is in a file: the text that is there in, the text that should be there out.
//!
//! Nothing here knows hosts. A change keeps every byte that it is not about; a file in which it
//! cannot be made safely is an error that says why, and never repeats a value.

mod block;
mod edit;
mod ini;
mod json;
mod line;
mod lines;
mod merge;
mod yaml;

use runbook_model::Value;

pub(super) use block::Block;
pub(super) use line::Line;
pub(super) use lines::Place;
pub(super) use merge::composed;

/// Bytes of the largest text that a change may make.
const MOST: usize = 512 * 1024;

/// A change to what is in a file.
pub(super) enum Change {
    /// A map that is merged into its YAML.
    Yaml(Value),
    /// A map that is merged into its JSON.
    Json(Value),
    /// Sections with keys that are set in its INI.
    Ini(Value),
    /// A line.
    Line(Line),
    /// Lines between two marks.
    Block(Block),
}

impl Change {
    /// The text that should be there instead of `now`; none where no file is there, and none is
    /// needed.
    ///
    /// # Errors
    /// Why it cannot be made in this text.
    pub(super) fn apply(&self, now: Option<&str>) -> Result<Option<String>, String> {
        let text = now.unwrap_or_default();
        let wanted = match self {
            Self::Yaml(values) => yaml::merge(text, values),
            Self::Json(values) => json::merge(text, values),
            Self::Ini(sections) => ini::set(text, sections),
            Self::Line(line) => line.apply(text),
            Self::Block(block) => block.apply(text),
        }?;
        if wanted.len() > MOST {
            return Err(format!(
                "the changed text would be larger than {} KiB",
                MOST / 1024
            ));
        }
        Ok((now.is_some() || !wanted.is_empty()).then_some(wanted))
    }
}
