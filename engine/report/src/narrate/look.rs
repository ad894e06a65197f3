//! Looks, and the attempts that answer them, in lines.

use runbook_model::event::{Intent, Purpose, Verdict};
use runbook_model::{HostName, NodeIx, Plan, Step};

use super::{Narrator, Why, words};
use crate::facts::{REASON, node_id};
use crate::text::{below, bounded, reasons};

impl Narrator {
    /// What a look says, where it is news: under `until`, and after an attempt in doubt.
    pub(super) fn looked(&mut self, plan: &Plan, node: NodeIx, verdict: &Verdict) -> Option<Why> {
        self.ended.remove(&node);
        let why = match verdict {
            Verdict::Satisfied | Verdict::Skipped(_) => return None,
            Verdict::Differs(why) => Why {
                line: reasons(why, REASON),
                more: below(why),
            },
            Verdict::Error(failure) => Why::line(bounded(&failure.message, REASON)),
        };
        let (step, _) = plan.instance(node)?;
        let id = node_id(plan, node);
        let told = |what: &str, why: Why| Why {
            line: format!("{id} {what}: {}", why.line),
            more: why.more,
        };
        match self.purposes.get(&node) {
            Some(Purpose::Doubt) => Some(told("was not done", why)),
            Some(purpose) if is_repeated(step, *purpose, verdict) => {
                if self.said.get(&node) == Some(&why) {
                    return None;
                }
                self.said.insert(node, why.clone());
                Some(told("not yet", why))
            }
            _ => {
                self.differs.insert(node, why);
                None
            }
        }
    }

    pub(super) fn dispatched(&mut self, plan: &Plan, intent: &Intent, host: &HostName) -> Why {
        let id = node_id(plan, intent.node);
        let again = match intent.number {
            0 | 1 => String::new(),
            n => format!(" (attempt {n})"),
        };
        let on = words::on(plan, intent.node, host);
        let differed = self.differs.remove(&intent.node);
        let unexpected = || match self.purposes.get(&intent.node) {
            Some(Purpose::Before) => {
                let (step, _) = plan.instance(intent.node)?;
                let expect = step.until.as_ref().and(step.expect.as_ref())?;
                let text = bounded(&expect.text, REASON);
                Some(Why::line(format!("{text} is false")))
            }
            _ => None,
        };
        let begins = format!("{id} begins{on}{again}");
        match differed.or_else(unexpected) {
            Some(why) => Why {
                line: format!("{begins}: {}", why.line),
                more: why.more,
            },
            None => Why::line(begins),
        }
    }
}

/// Whether a look under `until` that was not content is taken again, and not answered by an attempt.
fn is_repeated(step: &Step, purpose: Purpose, verdict: &Verdict) -> bool {
    let answered = purpose == Purpose::Before && matches!(verdict, Verdict::Differs(_));
    step.until.is_some() && !answered
}
