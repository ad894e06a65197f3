//! What a person has decided before a run goes on.

use runbook_model::{Event, Millis, Order};

use super::DriveError;
use crate::dispatcher::{Action, Dispatcher, Input};
use crate::rules::Rules;

/// Has the dispatcher take these orders in. If it refuses any, the run does not go on: whoever decides one thing and gets
/// another would learn of it too late. Then the error names all refusals, and nothing of it has been recorded.
pub(super) fn take_in<R: Rules>(
    dispatcher: &mut Dispatcher<R>,
    now: Millis,
    orders: Vec<Order>,
) -> Result<Vec<Action>, DriveError> {
    let (mut actions, mut refused) = (Vec::new(), Vec::new());
    for order in orders {
        for action in dispatcher.handle(now, Input::Ordered(order)) {
            if let Action::Record(record) = &action
                && let Event::OrderRefused { problem, .. } = &record.event
            {
                refused.push(problem.clone());
            }
            actions.push(action);
        }
    }
    match refused.is_empty() {
        true => Ok(actions),
        false => Err(DriveError::Refused(refused)),
    }
}
