//! A drawing as one SVG file: phases from top to bottom, in each phase from left to right. What a
//! step needs from other phases is written in it, because arrows over the whole page hide the rest.

mod node;

use std::fmt::Write as _;

use runbook_model::plan::Part;

use super::layout::{Hop, Laid, lay};
use super::node::short;
use super::{Arrow, Cluster, Drawing, Shape};
use node::{draw_node, size, words};

/// Phases are not wider, unless a single node is.
const PAGE: f64 = 1500.0;
/// Around everything, and inside phases.
const PAD: f64 = 14.0;
/// One line of text in a node.
const LINE: f64 = 14.0;
const STYLE: &str = "text{font:11px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#111}\
.h{font:bold 18px system-ui,'DejaVu Sans',sans-serif}.p{font:bold 13px system-ui,'DejaVu Sans',sans-serif}\
.n{font:11px system-ui,'DejaVu Sans',sans-serif;fill:#444}.i{font-weight:bold;font-size:12px}.q{fill:#555}.m{font-weight:bold}\
.e{fill:none;stroke:#333;stroke-width:1.3}.o{stroke:#888;stroke-dasharray:5 3}";

/// The drawing as an SVG document.
#[must_use]
pub fn svg(drawing: &Drawing) -> String {
    let boxes: Vec<Boxed> = (0..drawing.clusters.len())
        .map(|at| Boxed::new(drawing, at))
        .collect();
    let width = boxes.iter().map(|b| b.width).fold(620.0, f64::max) + 2.0 * PAD;
    let mut body = String::new();
    let mut y = PAD + 20.0;
    text(&mut body, PAD, y, "h", &drawing.title);
    y += 12.0;
    y = legend(&mut body, y);
    for decision in drawing.nodes.iter().filter(|n| n.shape == Shape::Decision) {
        let head = format!(
            "{} Decided once, as soon as it can be told:",
            decision.title
        );
        y += LINE;
        text(
            &mut body,
            PAD,
            y,
            "n",
            &format!("{head} {}", decision.lines.join(" ")),
        );
    }
    y += PAD;
    let mut part = Part::Main;
    for (at, (boxed, cluster)) in boxes.iter().zip(&drawing.clusters).enumerate() {
        let same = at > 0 && drawing.clusters[at - 1].part == cluster.part;
        if same {
            arrow_between(&mut body, y);
            y += 22.0;
        } else if at > 0 || cluster.part != part {
            y += 16.0;
        }
        part = cluster.part;
        boxed.draw(&mut body, drawing, cluster, y, width - 2.0 * PAD);
        y += boxed.height;
    }
    let height = y + PAD;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" style=\"max-width:100%;height:auto\" role=\"img\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n\
         <defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#333\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n",
        escaped(&drawing.title),
        w = number(width),
        h = number(height),
    )
}

/// A phase with its nodes laid out.
struct Boxed {
    nodes: Vec<usize>,
    words: Vec<Vec<(&'static str, String)>>,
    edges: Vec<Arrow>,
    laid: Laid,
    sizes: Vec<(f64, f64)>,
    head: f64,
    width: f64,
    height: f64,
}

impl Boxed {
    fn new(drawing: &Drawing, cluster: usize) -> Self {
        let is_in = |at: usize| drawing.nodes[at].cluster == Some(cluster);
        let nodes: Vec<usize> = (0..drawing.nodes.len()).filter(|at| is_in(*at)).collect();
        let words: Vec<_> = nodes.iter().map(|at| words(drawing, *at)).collect();
        let sizes: Vec<(f64, f64)> = nodes
            .iter()
            .zip(&words)
            .map(|(at, words)| size(&drawing.nodes[*at], words))
            .collect();
        let place = |at: usize| nodes.iter().position(|n| *n == at);
        let edges: Vec<Arrow> = drawing
            .edges
            .iter()
            .filter_map(|e| {
                Some(Arrow {
                    from: place(e.from)?,
                    to: place(e.to)?,
                    ..*e
                })
            })
            .collect();
        let pairs: Vec<_> = edges.iter().map(|e| (e.from, e.to)).collect();
        let laid = lay(&sizes, &pairs, PAGE);
        let phase = &drawing.clusters[cluster];
        let head = 24.0 + phase.notes.len() as f64 * LINE;
        let widest = std::iter::once(&phase.title).chain(&phase.notes);
        let widest = widest.map(|t| short(t).chars().count()).max().unwrap_or(0) as f64 * 7.2;
        Self {
            width: laid.width.max(widest) + 2.0 * PAD,
            height: head + laid.height + 2.0 * PAD,
            nodes,
            words,
            edges,
            laid,
            sizes,
            head,
        }
    }

    fn draw(&self, out: &mut String, drawing: &Drawing, phase: &Cluster, top: f64, width: f64) {
        let fill = match phase.part {
            Part::Main => "#fafafa",
            Part::Rollback => "#fdf6f6",
            Part::Finally => "#f6f8fd",
        };
        let _ = writeln!(
            out,
            "<g><rect x=\"{PAD}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"{fill}\" stroke=\"#999\"/>",
            number(top),
            number(width),
            number(self.height)
        );
        text(out, 2.0 * PAD, top + 18.0, "p", &phase.title);
        for (at, note) in phase.notes.iter().enumerate() {
            text(
                out,
                2.0 * PAD,
                top + 18.0 + (at + 1) as f64 * LINE,
                "n",
                note,
            );
        }
        let (left, top) = (2.0 * PAD, top + self.head + PAD);
        for (edge, path) in self.edges.iter().zip(&self.laid.paths) {
            let class = if edge.requires { "e" } else { "e o" };
            let _ = writeln!(
                out,
                "<path class=\"{class}\" marker-end=\"url(#a)\" d=\"{}\"/>",
                path_text(path, left, top)
            );
        }
        for (at, node) in self.nodes.iter().enumerate() {
            let (x, y) = self.laid.at[at];
            let place = (left + x, top + y);
            draw_node(
                out,
                &drawing.nodes[*node],
                &self.words[at],
                place,
                self.sizes[at],
            );
        }
        out.push_str("</g>\n");
    }
}

fn arrow_between(out: &mut String, y: f64) {
    let _ = writeln!(
        out,
        "<path class=\"e\" marker-end=\"url(#a)\" d=\"M60 {}L60 {}\"/>",
        number(y),
        number(y + 21.0)
    );
}

/// What shapes and lines mean.
fn legend(out: &mut String, y: f64) -> f64 {
    let y = y + 12.0;
    let mut x = PAD;
    for (class, words) in [("e", "requires: failure spreads"), ("e o", "order only")] {
        let _ = writeln!(
            out,
            "<path class=\"{class}\" marker-end=\"url(#a)\" d=\"M{} {}h34\"/>",
            number(x),
            number(y - 4.0)
        );
        text(out, x + 42.0, y, "n", words);
        x += 52.0 + words.chars().count() as f64 * 6.6;
    }
    let (x, y) = (PAD, y + LINE + 2.0);
    let words = "square: changes   round: looks   six sides: a person decides   eight sides: conditions   thick red: critical, never killed";
    text(out, x, y, "n", words);
    y
}

fn path_text(path: &[Hop], left: f64, top: f64) -> String {
    let mut out = String::new();
    let mut last = (0.0, 0.0);
    for hop in path {
        let (Hop::From(x, y) | Hop::Line(x, y) | Hop::Curve(x, y)) = *hop;
        let (x, y) = (left + x, top + y);
        let (nx, ny) = (number(x), number(y));
        let _ = match hop {
            Hop::From(..) => write!(out, "M{nx} {ny}"),
            Hop::Line(..) => write!(out, "L{nx} {ny}"),
            Hop::Curve(..) => {
                let middle = number((last.0 + x) / 2.0);
                write!(out, "C{middle} {} {middle} {ny} {nx} {ny}", number(last.1))
            }
        };
        last = (x, y);
    }
    out
}

/// A line; the whole text is shown to who points at it.
fn text(out: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let line = short(words);
    let title = match line == words {
        true => String::new(),
        false => format!("<title>{}</title>", escaped(words)),
    };
    let _ = writeln!(
        out,
        "<text class=\"{class}\" x=\"{}\" y=\"{}\" xml:space=\"preserve\">{title}{}</text>",
        number(x),
        number(y),
        escaped(&line)
    );
}

/// One digit after the point, and none where it would be zero.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// Text in XML. What the standard has no character for does not get here: it is made printable first.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Detail, drawing};
    use crate::sample;

    #[test]
    fn a_plan_in_svg() {
        insta::assert_snapshot!(svg(&drawing(&sample::full(), Detail::Steps, None)));
    }

    #[test]
    fn what_has_no_room_can_be_read_all_the_same() {
        let lost = format!("{} is lost", "what was pushed ".repeat(40));
        let mut plan = sample::full();
        for step in &mut plan.steps {
            if let Some(text) = &mut step.no_return {
                text.text.clone_from(&lost);
            }
        }
        let phase = plan.phases.iter_mut().find(|p| p.when.is_some()).unwrap();
        phase.when.as_mut().unwrap().text.clone_from(&lost);
        let text = svg(&drawing(&plan, Detail::Steps, None));
        let (mut titles, mut shown) = (Vec::new(), String::new());
        for part in text.split("<title>") {
            let (title, rest) = part.split_once("</title>").unwrap_or(("", part));
            titles.push(title);
            shown.push_str(rest);
        }
        for whole in [format!("NO RETURN: {lost}"), format!("only when {lost}")] {
            assert!(titles.iter().any(|t| t.contains(&whole)), "{titles:?}");
        }
        assert!(shown.contains("NO RETURN") && !shown.contains(&lost));
    }

    #[test]
    fn a_page_that_is_narrower_shows_all_of_it() {
        let text = svg(&drawing(&sample::full(), Detail::Steps, None));
        let head = text.lines().next().unwrap();
        assert!(
            head.contains("viewBox=\"0 0 ") && head.contains("max-width:100%"),
            "{head}"
        );
    }

    #[test]
    fn text_stays_text() {
        let mut plan = sample::full();
        plan.runbook = "<script>alert(\"&\")</script>\u{1b}".into();
        let text = svg(&drawing(&plan, Detail::Instances, None));
        assert!(!text.contains("<script"), "{text}");
        assert!(text.contains("&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;\\u{1b}"));
    }

    #[test]
    fn every_tag_that_opens_closes() {
        for detail in [Detail::Steps, Detail::Instances] {
            let text = svg(&drawing(&sample::full(), detail, None));
            let mut open: Vec<&str> = Vec::new();
            for tag in text.split('<').skip(1) {
                let name = tag.split([' ', '>', '/', '\n']).next().unwrap();
                match tag.strip_prefix('/') {
                    Some(rest) => assert_eq!(open.pop(), rest.split('>').next()),
                    None if tag.split('>').next().unwrap().ends_with('/') => {}
                    None => open.push(name),
                }
            }
            assert_eq!(open, [""; 0]);
        }
    }
}
