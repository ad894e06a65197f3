//! When the run may happen: nothing is changed before the window opens, nothing new starts after it
//! has closed, and no point of no return is passed when that would be too late.

use runbook_model::event::StopReason;
use runbook_model::{Failure, FailureKind, Millis, NodeIx, Plan};

use super::{Act, Dispatcher, Mode};
use crate::graph::GraphError;
use crate::rules::Rules;

/// The dates of the window.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    opens: Option<Millis>,
    closes: Option<Millis>,
    no_return_before: Option<Millis>,
}

impl Window {
    pub(super) fn of(plan: &Plan) -> Result<Self, GraphError> {
        let Some(window) = &plan.window else {
            return Ok(Self::default());
        };
        let date = |text: &Option<String>| {
            let parsed = text.as_ref().map(|text| {
                text.parse::<jiff::Timestamp>()
                    .map(|at| at.as_millisecond())
                    .map_err(|_| GraphError::Window(text.clone()))
            });
            parsed.transpose()
        };
        Ok(Self {
            opens: date(&window.opens)?,
            closes: date(&window.closes)?,
            no_return_before: date(&window.no_return_before)?,
        })
    }
}

impl<R: Rules> Dispatcher<R> {
    /// Whether it is too early for an effect of the procedure; then the run stops.
    pub(super) fn too_early(&mut self) -> bool {
        let opens = self.window.opens.filter(|opens| self.now < *opens);
        let Some(opens) = opens.filter(|_| self.act == Act::Main) else {
            return false;
        };
        self.stop(StopReason::NotOpen(opens));
        true
    }

    /// Why a point of no return may not be passed any more.
    pub(super) fn too_late(&self, node: NodeIx, step: usize) -> Option<Failure> {
        let late = self.window.no_return_before.filter(|at| self.now >= *at)?;
        if self.act != Act::Main || self.step(step).no_return.is_none() {
            return None;
        }
        let at = jiff::Timestamp::from_millisecond(late)
            .map_or_else(|_| late.to_string(), |at| at.to_string());
        let id = &self.plan.nodes[node.at()].id;
        let message = format!("`{id}` is a point of no return, which had to be passed before {at}");
        Some(Failure::new(FailureKind::Window, message))
    }

    /// When the window closes, if that would stop this controller's part.
    pub(super) fn closing(&self) -> Option<Millis> {
        let under_way =
            self.mode == Mode::Going && self.act == Act::Main && self.state.stopping.is_none();
        self.window.closes.filter(|_| under_way)
    }

    /// Nothing new starts after the window has closed.
    pub(super) fn close_window(&mut self) {
        if let Some(closes) = self.closing().filter(|closes| self.now >= *closes) {
            self.stop(StopReason::WindowClosed(closes));
        }
    }
}
