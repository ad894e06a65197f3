//! A node in SVG: its lines, its size, its outline.

use std::fmt::Write as _;

use runbook_model::node::Origin;

use super::super::node;
use super::super::{Drawing, Drawn, Mark, Shape};
use super::{LINE, escaped, number};

/// One character, in a font in which all are equally wide.
const CHAR: f64 = 6.7;
/// Characters in a line of a node.
const WIDE: usize = 30;
/// Lines of one mark or one list; the rest is in the tooltip.
const MOST_LINES: usize = 3;

/// The lines of a node, each with its class.
pub(super) fn words(drawing: &Drawing, at: usize) -> Vec<(&'static str, String)> {
    let node = &drawing.nodes[at];
    if node.shape == Shape::Point {
        return Vec::new();
    }
    let mut out: Vec<(&'static str, String)> = vec![("i", node.title.clone())];
    let mut put = |class: &'static str, text: &str| {
        let lines = node::broken(text, WIDE);
        let more = lines.len() > MOST_LINES;
        for (n, line) in lines.into_iter().take(MOST_LINES).enumerate() {
            let dots = if more && n + 1 == MOST_LINES {
                " …"
            } else {
                ""
            };
            out.push((
                class,
                format!("{}{dots}", crate::text::cut(&line, WIDE + 10)),
            ));
        }
    };
    for line in &node.lines {
        put("q", line);
    }
    for mark in &node.marks {
        let loud = matches!(
            mark,
            Mark::Critical | Mark::OutageBegins | Mark::OutageEnds | Mark::NoReturn(_)
        );
        put(if loud { "m" } else { "" }, &mark.short());
    }
    for (word, wanted) in [("needs", true), ("reads", false)] {
        let from = drawing.edges.iter().filter(|e| {
            let far = drawing.nodes[e.from].cluster != node.cluster;
            let needs = e.origin != Origin::Reads;
            e.to == at && e.requires && far && needs == wanted
        });
        let ids: Vec<&str> = from.map(|e| drawing.nodes[e.from].title.as_str()).collect();
        if !ids.is_empty() {
            put("q", &format!("{word} {}", ids.join(", ")));
        }
    }
    out
}

/// How wide and how high a node is.
pub(super) fn size(node: &Drawn, words: &[(&'static str, String)]) -> (f64, f64) {
    if node.shape == Shape::Point {
        return (6.0, 6.0);
    }
    let widest = words.iter().map(|(class, line)| {
        let wide = if *class == "i" { CHAR * 1.1 } else { CHAR };
        line.chars().count() as f64 * wide
    });
    let sides = match node.shape {
        Shape::Gate | Shape::Decision => 40.0,
        Shape::Assert | Shape::Wait => 30.0,
        _ => 18.0,
    };
    (
        widest.fold(60.0, f64::max) + sides,
        words.len() as f64 * LINE + 12.0,
    )
}

/// Draws a node at its place.
pub(super) fn draw_node(
    out: &mut String,
    node: &Drawn,
    words: &[(&'static str, String)],
    (x, y): (f64, f64),
    (w, h): (f64, f64),
) {
    let (r, b) = (x + w, y + h);
    let points = |all: &[(f64, f64)]| -> String {
        let each: Vec<String> = all
            .iter()
            .map(|(x, y)| format!("{},{}", number(*x), number(*y)))
            .collect();
        each.join(" ")
    };
    let outline = match node.shape {
        Shape::Point => {
            let _ = writeln!(
                out,
                "<circle cx=\"{}\" cy=\"{}\" r=\"3\" fill=\"#333\"/>",
                number(x + 3.0),
                number(y + 3.0)
            );
            return;
        }
        Shape::Gate | Shape::Decision => {
            let (m, c) = (y + h / 2.0, 12.0);
            let all = [
                (x + c, y),
                (r - c, y),
                (r, m),
                (r - c, b),
                (x + c, b),
                (x, m),
            ];
            format!("<polygon points=\"{}\"", points(&all))
        }
        Shape::Assert => {
            let c = 9.0;
            let all = [
                (x + c, y),
                (r - c, y),
                (r, y + c),
                (r, b - c),
                (r - c, b),
                (x + c, b),
                (x, b - c),
                (x, y + c),
            ];
            format!("<polygon points=\"{}\"", points(&all))
        }
        Shape::Wait => {
            let (m, c) = (y + h / 2.0, 12.0);
            let all = [(x, y), (r - c, y), (r, m), (r - c, b), (x, b)];
            format!("<polygon points=\"{}\"", points(&all))
        }
        Shape::Change | Shape::Look | Shape::Record => {
            let round = if node.shape == Shape::Look { 13.0 } else { 2.0 };
            format!(
                "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{round}\"",
                number(x),
                number(y),
                number(w),
                number(h)
            )
        }
    };
    let border = match (node.is_critical(), node.marks.contains(&Mark::Nowhere)) {
        (true, _) => " stroke=\"#b00020\" stroke-width=\"3\"",
        (_, true) => " stroke=\"#999\" stroke-dasharray=\"2 3\"",
        _ => " stroke=\"#444\"",
    };
    let _ = writeln!(
        out,
        "<g><title>{}</title>{outline} fill=\"{}\"{border}/>",
        escaped(&node.words().join("\n")),
        node.fill()
    );
    for (at, (class, line)) in words.iter().enumerate() {
        let _ = writeln!(
            out,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            number(x + w / 2.0),
            number(y + 16.0 + at as f64 * LINE),
            escaped(line)
        );
    }
    out.push_str("</g>\n");
}
