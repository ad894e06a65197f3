//! Selectors: `quay`, `quay[0]`, `quay[1:], !quay02`, `control`. A selector is resolved once, when
//! the plan is compiled, and the plan keeps names.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use runbook_model::HostName;
use runbook_model::id::CONTROL;

/// A mistake in a selector, with its place in the selector's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectError {
    /// Bytes of the selector's text.
    pub range: Range<usize>,
    /// What is wrong.
    pub problem: SelectProblem,
}

/// What is wrong with a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectProblem {
    /// Neither a host nor a group.
    Unknown(String),
    /// `[…]` is not a number or a slice.
    BadSlice(String),
    /// A single position that the group does not have.
    OutOfRange {
        /// The group.
        name: String,
        /// How many hosts it has.
        size: usize,
    },
    /// A host has no positions.
    SliceOfHost(String),
    /// A term without a name.
    EmptyTerm,
}

/// What selectors are resolved against.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Hosts in the inventory's order.
    pub hosts: &'a [HostName],
    /// Hosts of each group, in the inventory's order.
    pub groups: &'a BTreeMap<String, Vec<HostName>>,
}

/// Resolves a selector: hosts in the order of the terms, each once, exclusions taken out. All
/// mistakes are reported, not only the first.
///
/// # Errors
/// Every term that is not understood.
pub fn resolve(text: &str, known: Known<'_>) -> Result<Vec<HostName>, Vec<SelectError>> {
    // Terms may be many, and each may be all hosts: every host is taken once.
    let mut picked: Vec<HostName> = Vec::new();
    let mut seen: BTreeSet<HostName> = BTreeSet::new();
    let mut excluded: BTreeSet<HostName> = BTreeSet::new();
    let mut errors = Vec::new();
    let mut known_terms: BTreeMap<&str, Result<(), SelectProblem>> = BTreeMap::new();
    for (range, term) in terms(text) {
        let done = match known_terms.get(term) {
            Some(done) => done.clone(),
            None => {
                let (exclude, name) = match term.strip_prefix('!') {
                    Some(rest) => (true, rest.trim()),
                    None => (false, term),
                };
                let done = term_hosts(name, known).map(|hosts| {
                    for host in hosts {
                        if exclude {
                            excluded.insert(host);
                        } else if seen.insert(host.clone()) {
                            picked.push(host);
                        }
                    }
                });
                known_terms.insert(term, done.clone());
                done
            }
        };
        if let Err(problem) = done {
            errors.push(SelectError { range, problem });
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    picked.retain(|host| !excluded.contains(host));
    Ok(picked)
}

fn terms(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut at = 0;
    text.split(',').map(move |raw| {
        let begin = at + (raw.len() - raw.trim_start().len());
        at += raw.len() + 1;
        let term = raw.trim();
        (begin..begin + term.len(), term)
    })
}

fn term_hosts(term: &str, known: Known<'_>) -> Result<Vec<HostName>, SelectProblem> {
    let (name, slice) = match term.split_once('[') {
        Some((name, rest)) => match rest.strip_suffix(']') {
            Some(slice) => (name.trim(), Some(slice.trim())),
            None => return Err(SelectProblem::BadSlice(term.to_owned())),
        },
        None => (term, None),
    };
    if name.is_empty() {
        return Err(SelectProblem::EmptyTerm);
    }
    if let Some(hosts) = group(name, known) {
        return match slice {
            Some(slice) => cut(name, &hosts, slice),
            None => Ok(hosts),
        };
    }
    let host = match name {
        CONTROL => HostName::control(),
        _ => match known.hosts.iter().find(|host| host.as_str() == name) {
            Some(host) => host.clone(),
            None => return Err(SelectProblem::Unknown(name.to_owned())),
        },
    };
    match slice {
        Some(_) => Err(SelectProblem::SliceOfHost(name.to_owned())),
        None => Ok(vec![host]),
    }
}

fn group(name: &str, known: Known<'_>) -> Option<Vec<HostName>> {
    match known.groups.get(name) {
        Some(hosts) => Some(hosts.clone()),
        None if name == "all" => Some(known.hosts.to_vec()),
        None => None,
    }
}

fn cut(name: &str, hosts: &[HostName], slice: &str) -> Result<Vec<HostName>, SelectProblem> {
    let bad = || SelectProblem::BadSlice(format!("{name}[{slice}]"));
    let size = hosts.len();
    let position = |text: &str| -> Result<i64, SelectProblem> {
        text.trim().parse::<i64>().map_err(|_| bad())
    };
    let clamp = |at: i64| -> usize {
        let from_start = if at < 0 {
            at.saturating_add(size as i64)
        } else {
            at
        };
        usize::try_from(from_start).unwrap_or(0).min(size)
    };
    match slice.split_once(':') {
        Some((from, to)) => {
            let from = if from.trim().is_empty() {
                0
            } else {
                clamp(position(from)?)
            };
            let to = if to.trim().is_empty() {
                size
            } else {
                clamp(position(to)?)
            };
            Ok(hosts.get(from..to).unwrap_or_default().to_vec())
        }
        None => {
            let at = position(slice)?;
            let at = if at < 0 {
                at.saturating_add(size as i64)
            } else {
                at
            };
            let host = usize::try_from(at).ok().and_then(|at| hosts.get(at));
            let out = SelectProblem::OutOfRange {
                name: name.to_owned(),
                size,
            };
            host.map(|host| vec![host.clone()]).ok_or(out)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<HostName> {
        names
            .iter()
            .map(|name| HostName::new(*name).unwrap())
            .collect()
    }

    fn select(text: &str) -> Result<Vec<String>, Vec<SelectError>> {
        let hosts = names(&["db01", "q1", "q2", "q3"]);
        let groups = BTreeMap::from([
            ("quay".to_owned(), names(&["q1", "q2", "q3"])),
            ("none".to_owned(), vec![]),
        ]);
        let known = Known {
            hosts: &hosts,
            groups: &groups,
        };
        resolve(text, known).map(|hosts| hosts.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn groups_hosts_slices_unions_and_exclusions() {
        assert_eq!(select("quay").unwrap(), ["q1", "q2", "q3"]);
        assert_eq!(select("quay[0]").unwrap(), ["q1"]);
        assert_eq!(select("quay[-1]").unwrap(), ["q3"]);
        assert_eq!(select("quay[1:]").unwrap(), ["q2", "q3"]);
        assert_eq!(select("quay[:-1], db01").unwrap(), ["q1", "q2", "db01"]);
        assert_eq!(select("!q2, quay").unwrap(), ["q1", "q3"]);
        assert_eq!(select("control").unwrap(), ["control"]);
        assert_eq!(select("all").unwrap().len(), 4);
        assert_eq!(select("none").unwrap(), [""; 0]);
        assert_eq!(select("q3, quay").unwrap(), ["q3", "q1", "q2"]);
    }

    #[test]
    fn every_mistake_is_reported_with_its_place() {
        let errors = select("quay, qay, quay[9], db01[0], quay[x]").unwrap_err();
        let found: Vec<_> = errors.iter().map(|error| error.range.clone()).collect();
        assert_eq!(found, [6..9, 11..18, 20..27, 29..36]);
        assert_eq!(select("").unwrap_err()[0].problem, SelectProblem::EmptyTerm);
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,40}") {
            if let Err(errors) = select(&text) {
                for error in errors {
                    proptest::prop_assert!(text.get(error.range).is_some());
                }
            }
        }
    }
}
