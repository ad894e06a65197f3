//! What people and programs read about a plan and a run: the plan before it runs, lines and
//! progress while it runs, JSON for programs, the card after it stopped, and how it stands.
//!
//! Nothing here prints: texts are returned, and watchers write to what they are given. No clock is
//! read; times come from the records. Everything foreign is made printable first.

mod asks;
mod attempts;
mod card;
mod edited;
mod excerpt;
mod explain;
mod facts;
mod graph;
mod json;
mod lines;
mod narrate;
mod next;
mod plan;
mod probe;
mod progress;
mod rehearse;
mod remaining;
mod rollback;
mod runs;
mod status;
mod steps;
mod style;
mod tally;
mod text;
mod time;
mod trials;

#[cfg(test)]
mod sample;

pub use attempts::{attempt_text, attempts_list, attempts_of, last_words};
pub use card::{failure_card, findings_text};
pub use edited::{edited_json, edited_text};
pub use explain::{Explained, explain_json, explain_text};
pub use graph::{Detail, Drawing, dot, drawing, drawing_json, mermaid, svg};
pub use json::{JsonLines, attempt_json, runs_json, status_json, to_json_text};
pub use lines::Lines;
pub use plan::{plan_json, plan_text};
pub use probe::{ProbeRow, probe_json, probe_text};
pub use progress::{Curtain, Held, Progress, Size};
pub use rehearse::{Made, Rehearsed, RehearsedEnd, RehearsedPart, rehearse_json, rehearse_text};
pub use remaining::{Remains, remaining_json, remaining_text};
pub use rollback::{Back, rollback_text};
pub use runs::{RunRow, RunStanding, runs_table};
pub use status::status_text;
pub use steps::{step_doc, steps_list};
pub use style::{Style, Tone};
pub use tally::Tally;
pub use text::{count, value_text};
pub use time::{clock, date_time, length};
pub use trials::{TrialRow, trial_json, trials_sum, trials_text};
