//! Accounts that the run itself makes. Nobody can be one of them before that, so a host counts as ready without them; each is
//! made ready when somebody is it for the first time.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use runbook_lang::evaluate::{Context, Evaluator};
use runbook_lang::steptype::ParamValue;
use runbook_model::plan::Part;
use runbook_model::step::Expr;
use runbook_model::step_type::TypeKind;
use runbook_model::{Account, HostName, NodeIx, Plan, RunState, resource};

use super::look::{self, Prepared};
use super::reach::account_of;
use crate::meaning::in_key;

/// How the resource key of an account begins.
const KEY: &str = "user:";

/// Where an account is made, and by whom.
pub(crate) type Made = BTreeMap<(HostName, Account), NodeIx>;

/// The accounts that are made before any instance is one of them, by instances that have not ended yet. The procedure of going
/// back comes later than all that, the end of a run may come sooner.
pub(crate) fn made(plan: &Plan, evaluator: &Evaluator, state: &RunState) -> Made {
    let mut makers: BTreeMap<(HostName, Account), Vec<NodeIx>> = BTreeMap::new();
    for (node, ix, _) in plan.instances() {
        let of = plan.steps.get(ix.at()).and_then(|step| plan.type_of(step));
        let makes = of.filter(|of| of.kind == TypeKind::Ordinary);
        let makes = makes.is_some_and(|of| of.writes.iter().any(|key| key.starts_with(KEY)));
        let part = plan.part_of(node);
        if !makes || part != Part::Main || is_left_out(plan, evaluator, state, node) {
            continue;
        }
        let Ok(prepared) = look::prepare(plan, evaluator, state, node) else {
            continue;
        };
        for name in names(&prepared) {
            let of_host = (prepared.host.clone(), Account::Sudo(name));
            makers.entry(of_host).or_default().push(node);
        }
    }
    let mut found = Made::new();
    for (of_host, nodes) in makers {
        let later: BTreeSet<NodeIx> = nodes.iter().flat_map(|node| after(plan, *node)).collect();
        let (host, account) = &of_host;
        let users = plan.instances().map(|(node, ..)| node).filter(|node| {
            plan.part_of(*node) != Part::Rollback
                && plan.runs_on(*node) == Some(host)
                && account_of(plan, *node).as_ref() == Some(account)
        });
        let mut users = users.peekable();
        let waits = |node: &NodeIx| state.node(*node).is_none_or(|now| !now.is_done());
        if let (true, Some(first)) = (
            users.peek().is_some() && users.all(|node| later.contains(&node)),
            nodes.into_iter().find(waits),
        ) {
            found.insert(of_host, first);
        }
    }
    found
}

/// Whether it is known already that an instance will not run.
fn is_left_out(plan: &Plan, evaluator: &Evaluator, state: &RunState, node: NodeIx) -> bool {
    let Some((step, _)) = plan.instance(node) else {
        return true;
    };
    let phase = plan.phases.get(step.phase as usize);
    let of_phase = phase.and_then(|phase| phase.when.as_ref());
    let is_false = |when: &Expr, context| {
        let truth = evaluator.truth("when", &when.text, context, state);
        truth == Ok(false)
    };
    of_phase.is_some_and(|when| is_false(when, Context::default()))
        || step
            .when
            .as_ref()
            .is_some_and(|when| is_false(when, evaluator.context(node)))
}

/// The accounts that an instance makes.
fn names(prepared: &Prepared) -> Vec<String> {
    let value = |name: &str| {
        let found = prepared.arguments.iter().find(|arg| arg.name == name)?;
        if found.secret {
            None
        } else {
            Some(&found.value)
        }
    };
    if matches!(value("state"), Some(ParamValue::Text(text)) if text == "absent") {
        return Vec::new();
    }
    let keys = prepared.step_type.writes.iter();
    let filled = keys.filter_map(|key| resource::filled(key, |name| in_key(value(name)?)));
    filled
        .filter_map(|key| key.strip_prefix(KEY).map(str::to_owned))
        .collect()
}

/// Everything that begins after a node has ended.
fn after(plan: &Plan, node: NodeIx) -> BTreeSet<NodeIx> {
    let mut next: BTreeMap<NodeIx, Vec<NodeIx>> = BTreeMap::new();
    for edge in &plan.edges {
        next.entry(edge.from).or_default().push(edge.to);
    }
    let mut found = BTreeSet::new();
    let mut open = vec![node];
    while let Some(at) = open.pop() {
        for to in next.get(&at).into_iter().flatten() {
            if found.insert(*to) {
                open.push(*to);
            }
        }
    }
    found
}
