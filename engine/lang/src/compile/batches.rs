//! Batches of a rolling phase.

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::{HostName, Value};

use super::Compiler;
use super::hosts::{Hosts, counted};
use crate::ast::{Phase, Rolling, Share};
use crate::diagnostic::{Code, did_you_mean};

impl Compiler<'_> {
    /// The batches of a phase; none for one that is not rolling. Hosts that are not known yet have
    /// none either.
    pub(super) fn batches(
        &mut self,
        phase: &Phase,
        of_phase: Option<&[HostName]>,
        hosts: &Hosts,
    ) -> Vec<Vec<HostName>> {
        let Some(rolling) = &phase.rolling else {
            return Vec::new();
        };
        if phase.on.is_none() {
            let message = format!(
                "the phase `{}` rolls, but nobody says over which hosts",
                phase.id.value
            );
            let help = Some("give the phase `on:`".to_owned());
            self.error(Code::MissingKey, message, rolling.span, "needs `on`", help);
        }
        let Some(of_phase) = of_phase else {
            return Vec::new();
        };
        self.check_budget(phase, rolling, of_phase.len());
        let sizes: Vec<Share> = rolling.batch.iter().map(|share| share.value).collect();
        let kinds = self.kinds(rolling, of_phase, hosts);
        cut(of_phase, &kinds, &sizes)
    }

    fn check_budget(&mut self, phase: &Phase, rolling: &Rolling, size: usize) {
        let Some(least) = rolling.min_ok.filter(|least| least.value as usize > size) else {
            return;
        };
        let message = format!(
            "{} must be well, and the phase `{}` has {}",
            counted(least.value as usize),
            phase.id.value,
            counted(size)
        );
        let help = match size {
            0 => "leave `min_ok` out, or let `on` name hosts".to_owned(),
            _ => format!("write `min_ok: {size}` or less, or let `on` name more hosts"),
        };
        self.error(Code::BadValue, message, least.span, "", Some(help));
    }

    /// What tells hosts apart: the value of `by`, the same for all without it.
    fn kinds(&mut self, rolling: &Rolling, of_phase: &[HostName], hosts: &Hosts) -> Vec<String> {
        let Some(by) = &rolling.by else {
            return vec![String::new(); of_phase.len()];
        };
        let vars = |host: &HostName| hosts.by_name.get(host).map(|host| &host.vars);
        let value = |host: &HostName| vars(host).and_then(|vars| vars.get(&by.value));
        let is_without = |host: &&HostName| matches!(value(host), None | Some(Value::Null));
        let without: Vec<&HostName> = of_phase.iter().filter(is_without).collect();
        if !without.is_empty() {
            let message = match without.len() == of_phase.len() {
                true => format!("no host of this phase has a variable `{}`", by.value),
                false => format!("{} no variable `{}`", have(&without), by.value),
            };
            let known: BTreeSet<&str> = without
                .iter()
                .flat_map(|host| vars(host).into_iter().flatten())
                .map(|(name, _)| name.as_str())
                .collect();
            let help = did_you_mean(&by.value, known).or_else(|| {
                Some("every host of a phase that rolls `by` a variable has it".to_owned())
            });
            self.error(Code::HostVar, message, by.span, "", help);
        }
        let is_nested =
            |host: &&HostName| matches!(value(host), Some(Value::Array(_) | Value::Object(_)));
        if let Some(host) = of_phase.iter().find(is_nested) {
            let message = format!("`{}` of `{host}` is not a plain value", by.value);
            self.error(Code::HostVar, message, by.span, "", None);
        }
        let kinds = of_phase
            .iter()
            .map(|host| value(host).map(Value::to_string));
        kinds.map(Option::unwrap_or_default).collect()
    }
}

/// The most hosts that a message names.
const NAMED: usize = 5;

/// The hosts as the subject of a sentence.
fn have(hosts: &[&HostName]) -> String {
    if let [host] = hosts {
        return format!("the host `{host}` has");
    }
    let names: Vec<String> = hosts
        .iter()
        .take(NAMED)
        .map(|host| format!("`{host}`"))
        .collect();
    let more = match hosts.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("the hosts {}{more} have", names.join(", "))
}

/// Hosts in batches; the last size repeats, a percentage is of all hosts, rounded up. A batch
/// holds hosts of one kind; kinds follow each other as their first hosts do.
fn cut(hosts: &[HostName], kinds: &[String], sizes: &[Share]) -> Vec<Vec<HostName>> {
    let mut order: Vec<&str> = Vec::new();
    let mut by_kind: BTreeMap<&str, Vec<&HostName>> = BTreeMap::new();
    for (host, kind) in hosts.iter().zip(kinds) {
        let of_kind = by_kind.entry(kind).or_default();
        if of_kind.is_empty() {
            order.push(kind);
        }
        of_kind.push(host);
    }
    let mut batches: Vec<Vec<HostName>> = Vec::new();
    for kind in order {
        let mut rest = by_kind[kind].as_slice();
        while let (false, Some(share)) = (
            rest.is_empty(),
            sizes.get(batches.len().min(sizes.len().saturating_sub(1))),
        ) {
            let size = match share {
                Share::Count(count) => *count as usize,
                Share::Percent(percent) => (hosts.len() * *percent as usize).div_ceil(100),
            };
            let (batch, left) = rest.split_at(size.clamp(1, rest.len()));
            batches.push(batch.iter().map(|host| (*host).clone()).collect());
            rest = left;
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(kinds: &str, shares: &[Share]) -> Vec<String> {
        let kinds: Vec<String> = kinds.chars().map(String::from).collect();
        let hosts: Vec<_> = (0..kinds.len())
            .map(|n| HostName::new(format!("{n}")).unwrap())
            .collect();
        let batches = cut(&hosts, &kinds, shares);
        batches
            .iter()
            .map(|batch| batch.iter().map(HostName::as_str).collect())
            .collect()
    }

    #[test]
    fn the_last_size_repeats() {
        assert_eq!(
            batches("aaaaaaa", &[Share::Count(1), Share::Percent(50)]),
            ["0", "1234", "56"]
        );
        assert_eq!(batches("aaa", &[Share::Count(1)]), ["0", "1", "2"]);
        assert_eq!(batches("aa", &[Share::Percent(1)]), ["0", "1"]);
        assert_eq!(batches("", &[Share::Count(1)]), [""; 0]);
        assert_eq!(batches("aa", &[Share::Count(9)]), ["01"]);
    }

    #[test]
    fn a_batch_holds_one_kind_and_kinds_keep_their_order() {
        assert_eq!(
            batches("babab", &[Share::Count(1), Share::Percent(100)]),
            ["0", "24", "13"]
        );
        assert_eq!(batches("ab", &[Share::Count(2)]), ["0", "1"]);
    }

    proptest::proptest! {
        #[test]
        fn every_host_is_in_one_batch(kinds in "[a-c]{0,9}", sizes in proptest::collection::vec(1u32..5, 1..3)) {
            let shares: Vec<Share> = sizes.into_iter().map(Share::Count).collect();
            let found = batches(&kinds, &shares);
            let mut all: Vec<char> = found.concat().chars().collect();
            all.sort_unstable();
            let wanted: Vec<char> = (0..kinds.len()).map(|n| char::from(b'0' + n as u8)).collect();
            proptest::prop_assert_eq!(all, wanted);
            for batch in found {
                let kinds: std::collections::BTreeSet<char> = batch.chars().filter_map(|c| kinds.chars().nth(c as usize - '0' as usize)).collect();
                proptest::prop_assert_eq!(kinds.len(), 1);
            }
        }
    }
}
