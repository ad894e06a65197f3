//! A drawing for programs: the same nodes and arrows, with nothing cut.

use runbook_model::Value;
use serde_json::json;

use super::node::Mark;
use super::{Arrow, Cluster, Drawing, Drawn};

/// The format of this JSON.
const FORMAT: u32 = 1;

/// The drawing as JSON.
#[must_use]
pub fn drawing_json(drawing: &Drawing) -> Value {
    let phase = |at: usize| drawing.clusters.get(at).map(|c| c.phase.as_str());
    let node = |n: &Drawn| {
        json!({
            "id": n.id,
            "name": (!n.title.is_empty()).then_some(&n.title),
            "phase": n.cluster.and_then(phase),
            "shape": n.shape.word(),
            "lines": n.lines,
            "marks": n.marks.iter().map(Mark::text).collect::<Vec<_>>(),
        })
    };
    let cluster = |c: &Cluster| json!({ "phase": c.phase, "part": c.part, "title": c.title, "notes": c.notes });
    let id = |at: usize| drawing.nodes.get(at).map(|n| n.id.as_str());
    let edge = |e: &Arrow| json!({ "from": id(e.from), "to": id(e.to), "requires": e.requires, "origin": e.origin });
    json!({
        "format": FORMAT,
        "title": drawing.title,
        "phases": drawing.clusters.iter().map(cluster).collect::<Vec<_>>(),
        "nodes": drawing.nodes.iter().map(node).collect::<Vec<_>>(),
        "edges": drawing.edges.iter().map(edge).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Detail, drawing};
    use crate::sample;

    #[test]
    fn a_plan_in_json() {
        let drawn = drawing(&sample::full(), Detail::Steps, None);
        insta::assert_snapshot!(format!("{:#}", drawing_json(&drawn)));
    }

    #[test]
    fn every_edge_has_its_ends() {
        for detail in [Detail::Steps, Detail::Instances] {
            let value = drawing_json(&drawing(&sample::full(), detail, None));
            let nodes = value["nodes"].as_array().unwrap();
            for edge in value["edges"].as_array().unwrap() {
                for end in ["from", "to"] {
                    assert!(nodes.iter().any(|n| n["id"] == edge[end]), "{edge}");
                }
            }
        }
    }
}
