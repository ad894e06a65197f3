//! Places for the nodes of one phase: columns by how much must end first, rows so that few arrows
//! cross, and a new line of columns where the page ends. Deterministic, and without any library:
//! a phase has tens of nodes, not thousands.

/// Between two columns.
const GAP_X: f64 = 42.0;
/// Between two rows.
const GAP_Y: f64 = 14.0;
/// Between two lines of columns, where arrows go back to the left.
const GUTTER: f64 = 26.0;
/// Rows are sorted so many times.
const SWEEPS: usize = 8;
/// With more links than this, rows stay in the order of the plan: crossings are counted in pairs.
const MOST_LINKS: usize = 2_000;

/// Where everything is, from the upper left corner.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Laid {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// The upper left corner of each node.
    pub(crate) at: Vec<(f64, f64)>,
    /// A way for each edge.
    pub(crate) paths: Vec<Vec<Hop>>,
}

/// A part of a way, to the point it names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Hop {
    /// Begins here.
    From(f64, f64),
    /// Straight.
    Line(f64, f64),
    /// A curve that leaves and arrives level.
    Curve(f64, f64),
}

/// Lays out nodes of the given sizes; edges lead from one to another.
pub(crate) fn lay(sizes: &[(f64, f64)], edges: &[(usize, usize)], page: f64) -> Laid {
    let ranks = ranks(sizes.len(), edges);
    let mut grid = Grid::new(sizes, edges, &ranks);
    grid.sort();
    grid.place(page)
}

/// How many nodes must end before; edges that lead back count as none.
fn ranks(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut missing = vec![0usize; nodes];
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for (from, to) in edges {
        missing[*to] += 1;
        after[*from].push(*to);
    }
    let mut rank = vec![0usize; nodes];
    let mut seen = vec![false; nodes];
    let mut open: Vec<usize> = (0..nodes).filter(|n| missing[*n] == 0).collect();
    let mut at = 0;
    loop {
        let Some(node) = open.get(at).copied() else {
            // In a circle: begin somewhere, rather than never.
            match (0..nodes).find(|n| !seen[*n] && !open.contains(n)) {
                Some(node) => open.push(node),
                None => return rank,
            }
            continue;
        };
        at += 1;
        seen[node] = true;
        for next in &after[node] {
            if seen[*next] || open.contains(next) {
                continue;
            }
            rank[*next] = rank[*next].max(rank[node] + 1);
            missing[*next] -= 1;
            if missing[*next] == 0 {
                open.push(*next);
            }
        }
    }
}

/// A cell of the grid: a node, or the place where an edge passes a column.
#[derive(Debug, Clone, Copy)]
struct Cell {
    rank: usize,
    size: (f64, f64),
}

/// Columns of cells, joined by links from one column to the next.
struct Grid {
    cells: Vec<Cell>,
    nodes: usize,
    columns: Vec<Vec<usize>>,
    /// How wide each column is.
    widths: Vec<f64>,
    links: Vec<(usize, usize)>,
    /// For each cell, those that link to it, and those that it links to.
    near: Vec<(Vec<usize>, Vec<usize>)>,
    /// The cells that each edge goes through, its ends among them.
    chains: Vec<Vec<usize>>,
}

impl Grid {
    fn new(sizes: &[(f64, f64)], edges: &[(usize, usize)], ranks: &[usize]) -> Self {
        let mut cells: Vec<Cell> = sizes
            .iter()
            .zip(ranks)
            .map(|(size, rank)| Cell {
                rank: *rank,
                size: *size,
            })
            .collect();
        let mut links = Vec::new();
        let mut chains = Vec::new();
        for (from, to) in edges {
            let mut chain = vec![*from];
            for rank in ranks[*from] + 1..ranks[*to] {
                cells.push(Cell {
                    rank,
                    size: (0.0, 2.0),
                });
                chain.push(cells.len() - 1);
            }
            chain.push(*to);
            if ranks[*from] < ranks[*to] {
                links.extend(chain.windows(2).map(|pair| (pair[0], pair[1])));
            }
            chains.push(chain);
        }
        let mut columns = vec![Vec::new(); cells.iter().map(|c| c.rank + 1).max().unwrap_or(0)];
        for (at, cell) in cells.iter().enumerate() {
            columns[cell.rank].push(at);
        }
        let mut near = vec![(Vec::new(), Vec::new()); cells.len()];
        for (from, to) in &links {
            near[*to].0.push(*from);
            near[*from].1.push(*to);
        }
        let widths = columns
            .iter()
            .map(|column: &Vec<usize>| {
                let all = column.iter().map(|cell| cells[*cell].size.0);
                all.fold(0.0, f64::max)
            })
            .collect();
        Self {
            cells,
            nodes: sizes.len(),
            widths,
            columns,
            links,
            near,
            chains,
        }
    }

    /// Sorts each column by where its neighbours are, forth and back, and keeps the best.
    fn sort(&mut self) {
        if self.links.len() > MOST_LINKS {
            return;
        }
        let mut best = (self.crossings(), self.columns.clone());
        for sweep in 0..SWEEPS {
            let forth = sweep % 2 == 0;
            let order: Vec<usize> = match forth {
                true => (1..self.columns.len()).collect(),
                false => (0..self.columns.len().saturating_sub(1)).rev().collect(),
            };
            for column in order {
                let row = self.rows();
                let mut keyed: Vec<(f64, usize)> = self.columns[column]
                    .iter()
                    .map(|cell| {
                        let (before, after) = &self.near[*cell];
                        let near = if forth { before } else { after };
                        (mean(near, &row).unwrap_or(row[*cell]), *cell)
                    })
                    .collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.columns[column] = keyed.into_iter().map(|(_, cell)| cell).collect();
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.columns.clone());
            }
        }
        self.columns = best.1;
    }

    fn rows(&self) -> Vec<f64> {
        let mut row = vec![0.0; self.cells.len()];
        for column in &self.columns {
            for (at, cell) in column.iter().enumerate() {
                row[*cell] = at as f64;
            }
        }
        row
    }

    fn crossings(&self) -> usize {
        let row = self.rows();
        let mut found = 0;
        for (at, (a, b)) in self.links.iter().enumerate() {
            for (c, d) in &self.links[at + 1..] {
                let same = self.cells[*a].rank == self.cells[*c].rank;
                if same && (row[*a] - row[*c]) * (row[*b] - row[*d]) < 0.0 {
                    found += 1;
                }
            }
        }
        found
    }

    fn place(&self, page: f64) -> Laid {
        let widths = &self.widths;
        let lines = lines(widths, page);
        let middle = self.middles(&lines);
        let mut at = vec![(0.0, 0.0); self.cells.len()];
        let mut line_of = vec![0; self.columns.len()];
        let mut tops = Vec::new();
        let (mut top, mut width) = (0.0, 0.0f64);
        let several = lines.len() > 1;
        for (number, line) in lines.iter().enumerate() {
            let cells = || line.clone().flat_map(|column| self.columns[column].iter());
            let low = cells()
                .map(|c| middle[*c] - self.cells[*c].size.1 / 2.0)
                .fold(f64::MAX, f64::min);
            let high = cells()
                .map(|c| middle[*c] + self.cells[*c].size.1 / 2.0)
                .fold(f64::MIN, f64::max);
            // Arrows that come from the line before need room on the left.
            let mut x = if several { GUTTER } else { 0.0 };
            tops.push(top);
            for column in line.clone() {
                line_of[column] = number;
                for cell in &self.columns[column] {
                    let size = self.cells[*cell].size;
                    let y = top + middle[*cell] - low - size.1 / 2.0;
                    // Where an edge passes, it passes the whole column.
                    let free = match *cell < self.nodes {
                        true => widths[column] - size.0,
                        false => 0.0,
                    };
                    at[*cell] = (x + free / 2.0, y);
                }
                x += widths[column] + GAP_X;
            }
            width = width.max(x - GAP_X);
            top += high - low + GUTTER;
        }
        let right = width + 12.0;
        let paths = self
            .chains
            .iter()
            .enumerate()
            .map(|(edge, chain)| self.path(chain, &at, &line_of, &tops, (edge, right)))
            .collect();
        Laid {
            width: if several { right + GUTTER / 2.0 } else { width },
            height: (top - GUTTER).max(0.0),
            at: at[..self.nodes].to_vec(),
            paths,
        }
    }

    /// The middle of each cell: near the middle of its neighbours, and clear of the others.
    fn middles(&self, lines: &[std::ops::Range<usize>]) -> Vec<f64> {
        let mut middle = vec![0.0; self.cells.len()];
        for column in &self.columns {
            let wanted: Vec<f64> = vec![0.0; column.len()];
            self.settle(column, &wanted, &mut middle);
        }
        let line_of = |rank: usize| lines.iter().position(|line| line.contains(&rank));
        for round in 0..6 {
            let order: Vec<usize> = match round % 2 {
                0 => (0..self.columns.len()).collect(),
                _ => (0..self.columns.len()).rev().collect(),
            };
            for column in order {
                let wanted: Vec<f64> = self.columns[column]
                    .iter()
                    .map(|cell| {
                        let (before, after) = &self.near[*cell];
                        let near: Vec<usize> = before
                            .iter()
                            .chain(after)
                            .copied()
                            .filter(|other| line_of(self.cells[*other].rank) == line_of(column))
                            .collect();
                        mean(&near, &middle).unwrap_or(middle[*cell])
                    })
                    .collect();
                self.settle(&self.columns[column], &wanted, &mut middle);
            }
        }
        middle
    }

    /// As near as possible to what is wanted, in order and without touching: the mean of pushing
    /// everything down and of pushing everything up, both of which keep the distances.
    fn settle(&self, column: &[usize], wanted: &[f64], middle: &mut [f64]) {
        let apart = |a: usize, b: usize| {
            let half = |cell: usize| self.cells[cell].size.1 / 2.0;
            half(column[a]) + half(column[b]) + GAP_Y
        };
        let mut down = wanted.to_vec();
        for at in 1..down.len() {
            down[at] = down[at].max(down[at - 1] + apart(at - 1, at));
        }
        let mut up = wanted.to_vec();
        for at in (1..up.len()).rev() {
            up[at - 1] = up[at - 1].min(up[at] - apart(at - 1, at));
        }
        for (at, cell) in column.iter().enumerate() {
            middle[*cell] = (down[at] + up[at]) / 2.0;
        }
    }

    fn path(
        &self,
        chain: &[usize],
        at: &[(f64, f64)],
        line_of: &[usize],
        tops: &[f64],
        (edge, right): (usize, f64),
    ) -> Vec<Hop> {
        let y = |cell: usize| at[cell].1 + self.cells[cell].size.1 / 2.0;
        let end = |cell: usize| {
            let passes = cell >= self.nodes;
            let cell_of = self.cells[cell];
            at[cell].0
                + match passes {
                    true => self.widths[cell_of.rank],
                    false => cell_of.size.0,
                }
        };
        let mut out = vec![Hop::From(end(chain[0]), y(chain[0]))];
        for pair in chain.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let (line, next) = (line_of[self.cells[from].rank], line_of[self.cells[to].rank]);
            if from >= self.nodes {
                out.push(Hop::Line(end(from), y(from)));
            }
            if line == next && self.cells[from].rank < self.cells[to].rank {
                out.push(Hop::Curve(at[to].0, y(to)));
                continue;
            }
            // Around: to the right edge, between the lines, back to the left.
            let track = (edge % 4) as f64 * 3.0;
            let between = tops.get(next).copied().unwrap_or(0.0) - GUTTER / 2.0 + track - 4.0;
            let (far, near) = (right - 8.0 + track, 4.0 + track);
            out.extend([
                Hop::Line(far, y(from)),
                Hop::Line(far, between),
                Hop::Line(near, between),
                Hop::Line(near, y(to)),
                Hop::Line(at[to].0, y(to)),
            ]);
        }
        out
    }
}

/// The mean of some places.
fn mean(cells: &[usize], place: &[f64]) -> Option<f64> {
    let sum: f64 = cells.iter().map(|cell| place[*cell]).sum();
    (!cells.is_empty()).then(|| sum / cells.len() as f64)
}

/// Columns that go beside each other on a page.
fn lines(widths: &[f64], page: f64) -> Vec<std::ops::Range<usize>> {
    let mut out = Vec::new();
    let (mut begin, mut x) = (0, 0.0);
    let whole: f64 = widths.iter().map(|width| width + GAP_X).sum();
    // A little wider is better than one node alone in the next line.
    let page = if whole <= page * 1.25 { whole } else { page };
    for (at, width) in widths.iter().enumerate() {
        if at > begin && x + width > page {
            out.push(begin..at);
            (begin, x) = (at, 0.0);
        }
        x += width + GAP_X;
    }
    if begin < widths.len() {
        out.push(begin..widths.len());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn apart(a: ((f64, f64), (f64, f64)), b: ((f64, f64), (f64, f64))) -> bool {
        let ((ax, ay), (aw, ah)) = a;
        let ((bx, by), (bw, bh)) = b;
        ax + aw <= bx || bx + bw <= ax || ay + ah <= by || by + bh <= ay
    }

    #[test]
    fn a_chain_goes_from_left_to_right() {
        let laid = lay(&[(50.0, 20.0); 3], &[(0, 1), (1, 2)], 1_000.0);
        assert!(laid.at[0].0 < laid.at[1].0 && laid.at[1].0 < laid.at[2].0);
        assert_eq!(laid.at[0].1, laid.at[2].1);
        assert_eq!(laid.height, 20.0);
    }

    #[test]
    fn a_long_chain_goes_on_in_the_next_line() {
        let laid = lay(&[(50.0, 20.0); 4], &[(0, 1), (1, 2), (2, 3)], 200.0);
        assert_eq!(laid.at[0].0, laid.at[2].0);
        assert!(laid.at[2].1 > laid.at[0].1 + 20.0);
        assert!(laid.width < 260.0);
    }

    #[test]
    fn nothing_is_no_size() {
        let laid = lay(&[], &[], 100.0);
        assert_eq!((laid.width, laid.height), (0.0, 0.0));
    }

    proptest! {
        #[test]
        fn nodes_do_not_touch_and_are_inside(
            sizes in prop::collection::vec((10.0f64..90.0, 10.0f64..60.0), 1..14),
            pairs in prop::collection::btree_set((0usize..14, 0usize..14), 0..30),
            page in 60.0f64..900.0,
        ) {
            let n = sizes.len();
            // Circles too: whatever a damaged plan says, it is drawn.
            let edges: Vec<_> = pairs.into_iter().filter(|(a, b)| a != b && *a < n && *b < n).collect();
            let laid = lay(&sizes, &edges, page);
            prop_assert_eq!(laid.paths.len(), edges.len());
            for a in 0..n {
                prop_assert!(laid.at[a].0 >= -0.01 && laid.at[a].1 >= -0.01);
                prop_assert!(laid.at[a].0 + sizes[a].0 <= laid.width + 0.01, "{:?}", laid);
                prop_assert!(laid.at[a].1 + sizes[a].1 <= laid.height + 0.01, "{:?}", laid);
                for b in a + 1..n {
                    prop_assert!(apart((laid.at[a], sizes[a]), (laid.at[b], sizes[b])));
                }
            }
            prop_assert_eq!(&laid, &lay(&sizes, &edges, page));
        }
    }
}
