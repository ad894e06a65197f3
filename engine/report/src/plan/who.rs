//! The instances of a step, as people tell them apart: by host, by the host they go through, by item.

use runbook_model::node::Item;
use runbook_model::text::printable;
use runbook_model::{Account, HostName, NodeIx, NodeKind, Plan, StepIx};

use crate::text::names;

/// Names in one list; the rest is counted.
const NAMES: usize = 40;

/// One instance.
pub(crate) struct Who<'a> {
    pub(crate) node: NodeIx,
    pub(crate) host: &'a HostName,
    pub(crate) via: Option<&'a HostName>,
    pub(crate) item: Option<&'a Item>,
    pub(crate) account: Option<&'a Account>,
}

/// The instances of a step, in plan order.
pub(crate) fn instances(plan: &Plan, wanted: StepIx) -> Vec<Who<'_>> {
    plan.nodes
        .iter()
        .zip(0u32..)
        .filter_map(|(node, at)| match &node.kind {
            NodeKind::Instance {
                step,
                host,
                via,
                item,
                account,
                ..
            } if *step == wanted => Some(Who {
                node: NodeIx(at),
                host,
                via: via.as_ref(),
                item: item.as_ref(),
                account: account.as_ref(),
            }),
            _ => None,
        })
        .collect()
}

impl Who<'_> {
    /// What tells it from the others of its step: `quay02`, `quay02/lb01`, `blue@quay02`.
    pub(crate) fn label(&self) -> String {
        let mut out = String::new();
        if let Some(item) = self.item {
            out.push_str(&printable(&item.name));
            out.push('@');
        }
        out.push_str(self.host.as_str());
        if let Some(via) = self.via {
            out.push('/');
            out.push_str(via.as_str());
        }
        out
    }
}

/// Where the instances are, in words: `on a, b`, `for a, b, runs on c, once for each of x, y`.
pub(crate) fn place(all: &[Who<'_>]) -> String {
    if all.is_empty() {
        return "on no host: the selector is empty".into();
    }
    let hosts = listed(all.iter().map(|w| w.host.as_str()));
    let via = listed(all.iter().filter_map(|w| w.via.map(HostName::as_str)));
    let mut out = match via.is_empty() {
        true => format!("on {hosts}"),
        false => format!("for {hosts}, runs on {via}"),
    };
    let items: Vec<_> = all
        .iter()
        .filter_map(|w| w.item.map(|i| printable(&i.name)))
        .collect();
    if !items.is_empty() {
        let items = listed(items.iter().map(AsRef::as_ref));
        out.push_str(&format!(", once for each of {items}"));
    }
    let accounts: Vec<_> = all
        .iter()
        .filter_map(|w| w.account.map(account_name))
        .collect();
    if !accounts.is_empty() {
        let accounts = listed(accounts.iter().map(AsRef::as_ref));
        out.push_str(&format!(", as {accounts}"));
    }
    out
}

/// Who a step is, in words.
pub(crate) fn account_name(account: &Account) -> String {
    match account {
        Account::Login => "the account that logs in".into(),
        Account::Sudo(name) => printable(name).into_owned(),
    }
}

/// Hosts with commas, each once.
pub(crate) fn host_names<'h>(hosts: impl Iterator<Item = &'h HostName>) -> String {
    match listed(hosts.map(HostName::as_str)) {
        none if none.is_empty() => "(none)".into(),
        some => some,
    }
}

/// Names with commas, each once, in their order.
pub(crate) fn listed<'n>(all: impl Iterator<Item = &'n str>) -> String {
    let mut seen = std::collections::BTreeSet::new();
    let once: Vec<&str> = all.filter(|name| seen.insert(*name)).collect();
    names(&once, NAMES)
}
