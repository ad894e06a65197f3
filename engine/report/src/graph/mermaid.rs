//! A drawing in the language of Mermaid, which wikis and forges show.

use std::fmt::Write as _;

use super::node::{broken, short};
use super::{Drawing, Drawn, Shape};

/// The drawing as a Mermaid flowchart.
#[must_use]
pub fn mermaid(drawing: &Drawing) -> String {
    let mut out = String::new();
    // A title stands in YAML before the drawing: JSON text is YAML text.
    let title = serde_json::Value::String(drawing.title.clone()).to_string();
    let _ = writeln!(out, "---\ntitle: {title}\n---\nflowchart TB");
    for (at, cluster) in drawing.clusters.iter().enumerate() {
        let label: Vec<String> = std::iter::once(&cluster.title)
            .chain(&cluster.notes)
            .map(|line| short(line))
            .collect();
        let _ = writeln!(out, "  subgraph c{at}[{}]", quoted(&label.join("\n")));
        for node in drawing.nodes.iter().filter(|n| n.cluster == Some(at)) {
            let _ = writeln!(out, "    {}", node_text(node));
        }
        out.push_str("  end\n");
    }
    for node in drawing.nodes.iter().filter(|n| n.cluster.is_none()) {
        let _ = writeln!(out, "  {}", node_text(node));
    }
    for edge in &drawing.edges {
        let arrow = if edge.requires { "-->" } else { "-.->" };
        let id = |at: usize| drawing.nodes[at].id.as_str();
        let _ = writeln!(out, "  {} {arrow} {}", id(edge.from), id(edge.to));
    }
    for node in drawing.nodes.iter().filter(|n| n.shape != Shape::Point) {
        let border = match node.is_critical() {
            true => "stroke:#b00020,stroke-width:3px",
            false => "stroke:#444444",
        };
        let _ = writeln!(
            out,
            "  style {} fill:{},{border},color:#000000",
            node.id,
            node.fill()
        );
    }
    out
}

fn node_text(node: &Drawn) -> String {
    let label: Vec<String> = node
        .words()
        .iter()
        .flat_map(|line| broken(&short(line), 36))
        .collect();
    let (open, close) = match node.shape {
        Shape::Change => ("[", "]"),
        Shape::Look => ("([", "])"),
        Shape::Gate => ("{{", "}}"),
        Shape::Assert => ("[/", "/]"),
        Shape::Wait => (">", "]"),
        Shape::Record => ("[(", ")]"),
        Shape::Decision => ("{", "}"),
        Shape::Point => return format!("{}((\" \"))", node.id),
    };
    format!("{}{open}{}{close}", node.id, quoted(&label.join("\n")))
}

/// A text in double quotes: everything that Mermaid, Markdown or HTML could take for more than a
/// character is written as its number.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '\n' => out.push_str("<br/>"),
            '"' | '#' | '&' | '<' | '>' | '`' | '*' | '\\' | ';' => {
                let _ = write!(out, "#{};", u32::from(c));
            }
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
    fn a_plan_in_mermaid() {
        insta::assert_snapshot!(mermaid(&drawing(&sample::full(), Detail::Steps, None)));
    }

    #[test]
    fn a_label_is_nothing_but_text() {
        assert_eq!(quoted("a\"]\n<b>`x`"), "\"a#34;]<br/>#60;b#62;#96;x#96;\"");
        let mut plan = sample::full();
        plan.runbook = "x\n--- \"y".into();
        let text = mermaid(&drawing(&plan, Detail::Steps, None));
        assert!(
            text.starts_with("---\ntitle: \"x\\\\n--- \\\"y 1\"\n---\nflowchart TB\n"),
            "{text}"
        );
        assert_eq!(
            text.matches("\n  subgraph ").count(),
            text.matches("\n  end\n").count()
        );
    }
}
