//! Kinds of events, each a word.

use runbook_model::Event;

pub(super) fn word_of(event: &Event) -> &'static str {
    match event {
        Event::RunCreated { .. } => "run_created",
        Event::Opened { .. } => "opened",
        Event::HostReady { .. } => "host_ready",
        Event::HostUnusable { .. } => "host_unusable",
        Event::VarTaken { .. } => "var_taken",
        Event::Decided { .. } => "decided",
        Event::Looking { .. } => "looking",
        Event::Looked { .. } => "looked",
        Event::Dispatched { .. } => "dispatched",
        Event::Launched { .. } => "launched",
        Event::Began { .. } => "began",
        Event::Ended { .. } => "ended",
        Event::Doubted { .. } => "doubted",
        Event::OverTime { .. } => "over_time",
        Event::Pausing { .. } => "pausing",
        Event::Asked { .. } => "asked",
        Event::Said { .. } => "said",
        Event::Answered { .. } => "answered",
        Event::Finished { .. } => "finished",
        Event::Reopened { .. } => "reopened",
        Event::SecretSettled { .. } => "secret_settled",
        Event::Held { .. } => "held",
        Event::HoldOver { .. } => "hold_over",
        Event::Released { .. } => "released",
        Event::ReleaseAsked { .. } => "release_asked",
        Event::Undoing { .. } => "undoing",
        Event::UndoLooked { .. } => "undo_looked",
        Event::Undone { .. } => "undone",
        Event::Ordered { .. } => "ordered",
        Event::Edited { .. } => "edited",
        Event::OrderRefused { .. } => "order_refused",
        Event::Ending { .. } => "ending",
        Event::Stopping { .. } => "stopping",
        Event::Interrupted => "interrupted",
        Event::Detached { .. } => "detached",
        Event::Closed { .. } => "closed",
    }
}
