//! Fewer edges that say the same: points where everybody waits are led through, and an edge that
//! follows from others is left out. A requirement follows only from requirements: failure spreads
//! along it, and along a mere order it does not.

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::node::Origin;

/// What an edge means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) requires: bool,
    pub(super) origin: Origin,
}

impl Way {
    /// Two edges at one place: the stronger meaning, and the stronger origin.
    pub(super) fn join(&mut self, other: Self) {
        self.requires |= other.requires;
        self.origin = self.origin.min(other.origin);
    }
}

/// Edges by their ends.
pub(super) type Ways = BTreeMap<(usize, usize), Way>;

/// More nodes are drawn with every edge: reachability of all from all takes space with the square.
const MOST: usize = 8_000;

/// What may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// Requirements stay. Where a node stands for several instances, two requirements one after
    /// the other may be about different hosts: a third does not follow from them.
    Orders,
}

/// Leaves out what follows from other edges. Where there is a circle, the edges that lead back stay
/// and nothing follows from them.
pub(super) fn reduce(nodes: usize, ways: &mut Ways, which: Which) {
    if nodes > MOST {
        return;
    }
    let order = topological(nodes, ways);
    let mut place = vec![0; nodes];
    for (at, node) in order.iter().enumerate() {
        place[*node] = at;
    }
    let mut after: Vec<Vec<(usize, bool)>> = vec![Vec::new(); nodes];
    for ((from, to), way) in ways.iter() {
        if place[*from] < place[*to] {
            after[*from].push((*to, way.requires));
        }
    }
    let mut reach = vec![Bits::new(nodes); nodes];
    let mut required = vec![Bits::new(nodes); nodes];
    for node in order.iter().rev() {
        let mut next = std::mem::take(&mut after[*node]);
        next.sort_by_key(|(to, _)| place[*to]);
        let (mut all, mut strong) = (Bits::new(nodes), Bits::new(nodes));
        for (to, requires) in next {
            let follows = match (requires, which) {
                (true, Which::All) => strong.has(to),
                (true, Which::Orders) => false,
                (false, _) => all.has(to),
            };
            if follows {
                ways.remove(&(*node, to));
            }
            all.add(to);
            all.join(&reach[to]);
            if requires {
                strong.add(to);
                strong.join(&required[to]);
            }
        }
        reach[*node] = all;
        required[*node] = strong;
    }
}

/// Joins what comes before a hidden node to what comes after it, unless that would be more edges
/// than it has now. Gives the nodes that are gone.
pub(super) fn lead_through(hidden: &BTreeSet<usize>, ways: &mut Ways) -> BTreeSet<usize> {
    let mut gone = BTreeSet::new();
    // Each that goes may let its neighbours go.
    loop {
        let size = gone.len();
        for node in hidden {
            if gone.contains(node) {
                continue;
            }
            let ends = |pick: fn(&(usize, usize)) -> (usize, usize)| -> Vec<usize> {
                ways.keys()
                    .map(pick)
                    .filter(|(at, _)| at == node)
                    .map(|(_, other)| other)
                    .collect()
            };
            let (before, next) = (
                ends(|(from, to)| (*to, *from)),
                ends(|(from, to)| (*from, *to)),
            );
            if before.len() > 1 && next.len() > 1 {
                continue;
            }
            let mut origins = BTreeMap::new();
            for to in &next {
                if let Some(way) = ways.remove(&(*node, *to)) {
                    origins.insert(*to, way.origin);
                }
            }
            for from in &before {
                ways.remove(&(*from, *node));
                for to in &next {
                    let way = Way {
                        requires: false,
                        origin: origins.get(to).copied().unwrap_or_default(),
                    };
                    ways.entry((*from, *to))
                        .and_modify(|known| known.join(way))
                        .or_insert(way);
                }
            }
            gone.insert(*node);
        }
        if gone.len() == size {
            return gone;
        }
    }
}

/// Nodes in an order in which edges lead forth, as far as that is possible: in a circle the first
/// node begins.
fn topological(nodes: usize, ways: &Ways) -> Vec<usize> {
    let mut missing = vec![0usize; nodes];
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for (from, to) in ways.keys() {
        missing[*to] += 1;
        after[*from].push(*to);
    }
    let mut rest: BTreeSet<usize> = (0..nodes).collect();
    let mut free: BTreeSet<usize> = (0..nodes).filter(|node| missing[*node] == 0).collect();
    let mut order = Vec::with_capacity(nodes);
    while let Some(node) = free.pop_first().or_else(|| rest.first().copied()) {
        rest.remove(&node);
        order.push(node);
        for next in &after[node] {
            missing[*next] -= 1;
            if missing[*next] == 0 && rest.contains(next) {
                free.insert(*next);
            }
        }
    }
    order
}

/// A set of nodes.
#[derive(Debug, Clone)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(nodes: usize) -> Self {
        Self(vec![0; nodes.div_ceil(64)])
    }

    fn has(&self, node: usize) -> bool {
        self.0[node / 64] >> (node % 64) & 1 == 1
    }

    fn add(&mut self, node: usize) {
        self.0[node / 64] |= 1 << (node % 64);
    }

    fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ways(all: &[(usize, usize, bool)]) -> Ways {
        all.iter()
            .map(|(from, to, requires)| {
                let way = Way {
                    requires: *requires,
                    origin: Origin::Steps,
                };
                ((*from, *to), way)
            })
            .collect()
    }

    fn reaches(ways: &Ways, from: usize, to: usize, strong: bool) -> bool {
        let mut open = vec![from];
        let mut seen = BTreeSet::new();
        while let Some(at) = open.pop() {
            for ((_, next), _) in ways
                .iter()
                .filter(|((f, _), way)| *f == at && (way.requires || !strong))
            {
                if *next == to {
                    return true;
                }
                if seen.insert(*next) {
                    open.push(*next);
                }
            }
        }
        false
    }

    #[test]
    fn what_follows_is_left_out() {
        let mut all = ways(&[(0, 1, false), (1, 2, false), (0, 2, false)]);
        reduce(3, &mut all, Which::All);
        assert_eq!(all, ways(&[(0, 1, false), (1, 2, false)]));
        // A requirement does not follow from an order.
        let mut all = ways(&[(0, 1, false), (1, 2, true), (0, 2, true)]);
        reduce(3, &mut all, Which::All);
        assert_eq!(all.len(), 3);
        let mut all = ways(&[(0, 1, true), (1, 2, true), (0, 2, true)]);
        reduce(3, &mut all, Which::Orders);
        assert_eq!(all.len(), 3);
        reduce(3, &mut all, Which::All);
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn a_circle_stays_and_the_rest_is_reduced() {
        let mut all = ways(&[(0, 1, true), (1, 0, true), (1, 2, false), (0, 2, false)]);
        reduce(3, &mut all, Which::All);
        assert_eq!(all, ways(&[(0, 1, true), (1, 0, true), (1, 2, false)]));
    }

    #[test]
    fn a_point_stays_where_it_saves_edges() {
        // 0 and 1 before 2, 3 and 4 after it.
        let all = [(0, 2, false), (1, 2, false), (2, 3, false), (2, 4, false)];
        let mut kept = ways(&all);
        assert!(lead_through(&BTreeSet::from([2]), &mut kept).is_empty());
        let mut led = ways(&all[1..]);
        assert_eq!(lead_through(&BTreeSet::from([2]), &mut led).len(), 1);
        assert_eq!(led, ways(&[(1, 3, false), (1, 4, false)]));
    }

    proptest! {
        #[test]
        fn who_waits_for_whom_stays(pairs in prop::collection::btree_map((0usize..9, 0usize..9), any::<bool>(), 0..30)) {
            let all: Vec<_> = pairs.iter().filter(|((a, b), _)| a < b).map(|((a, b), r)| (*a, *b, *r)).collect();
            let before = ways(&all);
            let mut after = before.clone();
            reduce(9, &mut after, Which::All);
            for from in 0..9 {
                for to in 0..9 {
                    for strong in [false, true] {
                        prop_assert_eq!(reaches(&before, from, to, strong), reaches(&after, from, to, strong));
                    }
                }
            }
            for edge in after.keys() {
                let mut less = after.clone();
                let way = less.remove(edge).unwrap();
                prop_assert!(!reaches(&less, edge.0, edge.1, way.requires), "{edge:?} follows from others");
            }
        }
    }
}
