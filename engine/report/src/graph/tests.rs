//! Tests of what is drawn.

use super::*;
use crate::sample;

/// `a > b` for a requirement, `a ~ b` for an order; points have no name.
fn arrows(drawing: &Drawing) -> Vec<String> {
    let name = |at: usize| match drawing.nodes[at].title.as_str() {
        "" => format!("({})", drawing.nodes[at].cluster.map_or(-1, |c| c as i64)),
        title => title.to_owned(),
    };
    let one = |e: &Arrow| {
        let arrow = if e.requires { '>' } else { '~' };
        format!("{} {arrow} {}", name(e.from), name(e.to))
    };
    drawing.edges.iter().map(one).collect()
}

#[test]
fn steps_are_led_through_barriers() {
    let drawn = drawing(&sample::full(), Detail::Steps, Some(Part::Main));
    assert_eq!(
        arrows(&drawn),
        [
            "cert ~ drain",
            "cert > word",
            "drain ~ users",
            "drain > back",
            "users ~ settle",
            "settle ~ back",
            "back ~ flag",
            "flag > word",
        ]
    );
}

#[test]
fn instances_meet_at_points() {
    let drawn = drawing(&sample::full(), Detail::Instances, Some(Part::Main));
    let all = arrows(&drawn);
    // Two instances of `drain` before four of `users`: a point between them.
    for wanted in [
        "drain@quay01/lb01 ~ (1)",
        "(1) ~ users:blue@quay01",
        "drain@quay01/lb01 > back@quay01/lb01",
        "settle@control ~ back@quay01/lb01",
        "flag@quay02 > word@control",
    ] {
        assert!(all.iter().any(|a| a == wanted), "{wanted}: {all:#?}");
    }
    assert!(
        !all.iter()
            .any(|a| a == "drain@quay01/lb01 ~ settle@control"),
        "{all:#?}"
    );
}

#[test]
fn a_part_is_drawn_alone() {
    let plan = sample::full();
    let titles = |part| -> Vec<String> {
        let drawn = drawing(&plan, Detail::Steps, part);
        drawn.nodes.into_iter().map(|n| n.title).collect()
    };
    assert_eq!(titles(Some(Part::Rollback)), ["rb_open"]);
    assert_eq!(titles(Some(Part::Finally)), ["record"]);
    assert_eq!(titles(None).len(), plan.steps.len());
}

#[test]
fn a_step_without_hosts_is_there() {
    let drawn = drawing(&sample::full(), Detail::Steps, None);
    let mirror = drawn.nodes.iter().find(|n| n.title == "mirror").unwrap();
    assert_eq!(mirror.marks, [Mark::Critical, Mark::Nowhere]);
}

#[test]
fn drawing_twice_gives_the_same() {
    let plan = sample::full();
    for detail in [Detail::Steps, Detail::Instances] {
        assert_eq!(drawing(&plan, detail, None), drawing(&plan, detail, None));
    }
}
