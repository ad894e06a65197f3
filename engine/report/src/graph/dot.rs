//! A drawing in the language of Graphviz.

use std::fmt::Write as _;

use super::node::{broken, short};
use super::{Drawing, Drawn, Shape};

/// The drawing as a DOT graph.
#[must_use]
pub fn dot(drawing: &Drawing) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "digraph {} {{", quoted(&drawing.title));
    let _ = writeln!(
        out,
        "  graph [label={}, labelloc=t, rankdir=TB, newrank=true, fontname=\"Helvetica\"];",
        quoted(&drawing.title)
    );
    out.push_str("  node [shape=box, style=filled, fillcolor=\"#ffffff\", color=\"#444444\", fontname=\"Helvetica\", fontsize=10];\n");
    out.push_str("  edge [color=\"#444444\", arrowsize=0.7];\n");
    for (at, cluster) in drawing.clusters.iter().enumerate() {
        let label: Vec<String> = std::iter::once(&cluster.title)
            .chain(&cluster.notes)
            .map(|line| short(line))
            .collect();
        let _ = writeln!(out, "  subgraph cluster_{at} {{");
        let _ = writeln!(
            out,
            "    label={}; labeljust=l; style=rounded; color=\"#999999\"; fontsize=11;",
            // Each line begins at the left.
            quoted(&(label.join("\n") + "\n")).replace("\\n", "\\l")
        );
        for node in drawing.nodes.iter().filter(|n| n.cluster == Some(at)) {
            let _ = writeln!(out, "    {}", node_text(node));
        }
        out.push_str("  }\n");
    }
    for node in drawing.nodes.iter().filter(|n| n.cluster.is_none()) {
        let _ = writeln!(out, "  {}", node_text(node));
    }
    for edge in &drawing.edges {
        let style = match edge.requires {
            true => "solid",
            false => "dashed, color=\"#888888\"",
        };
        let id = |at: usize| drawing.nodes[at].id.as_str();
        let _ = writeln!(
            out,
            "  {} -> {} [style={style}];",
            id(edge.from),
            id(edge.to)
        );
    }
    for (above, below) in drawing.loose() {
        let id = |at: usize| drawing.nodes[at].id.as_str();
        let _ = writeln!(out, "  {} -> {} [style=invis];", id(above), id(below));
    }
    out.push_str("}\n");
    out
}

fn node_text(node: &Drawn) -> String {
    if node.shape == Shape::Point {
        return format!("{} [shape=point, width=0.08, label=\"\"];", node.id);
    }
    let (shape, style) = match node.shape {
        Shape::Change => ("box", "filled"),
        Shape::Look => ("box", "\"filled,rounded\""),
        Shape::Gate => ("hexagon", "filled, margin=\"0,0\""),
        Shape::Assert => ("octagon", "filled"),
        Shape::Wait => ("cds", "filled, margin=\"0.25,0.12\""),
        Shape::Record => ("note", "filled"),
        Shape::Decision | Shape::Point => ("diamond", "filled"),
    };
    let border = match node.is_critical() {
        true => ", penwidth=3, color=\"#b00020\"",
        false => "",
    };
    let label: Vec<String> = node
        .words()
        .iter()
        .flat_map(|line| broken(&short(line), 36))
        .collect();
    format!(
        "{} [label={}, shape={shape}, style={style}, fillcolor=\"{}\"{border}];",
        node.id,
        quoted(&label.join("\n")),
        node.fill()
    )
}

/// A text in double quotes, in which nothing is an escape but what is written here.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Detail, drawing};
    use crate::sample;

    #[test]
    fn a_plan_in_dot() {
        insta::assert_snapshot!(dot(&drawing(&sample::full(), Detail::Steps, None)));
    }

    #[test]
    fn a_label_ends_where_it_should() {
        assert_eq!(quoted("a\"b\\N\nc"), "\"a\\\"b\\\\N\\nc\"");
        let mut plan = sample::full();
        plan.runbook = "x\"]; evil [label=\"\\".into();
        let text = dot(&drawing(&plan, Detail::Steps, None));
        assert!(
            text.starts_with("digraph \"x\\\"]; evil [label=\\\"\\\\ 1\" {\n"),
            "{text}"
        );
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
