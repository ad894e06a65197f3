//! The id of the run in a forecast: there is none yet, and what is rendered must be able to have one.

use runbook_model::preview::Finding;
use runbook_model::{Forecast, Preview, Value};

/// Stands for the id of the run while a plan is evaluated: it has the form of one, and no run has
/// it, as an id has neither `u` nor `i`.
pub const RUN_ID: &str = "runid000";
/// What a person reads instead.
const SHOWN: &str = "RUN-ID";

/// Names the id that is to come for what it is.
pub(super) fn show(preview: &mut Preview) {
    for forecast in &mut preview.nodes {
        match forecast {
            Forecast::Change(all) | Forecast::Probe(Finding::Differs(all)) => {
                all.iter_mut().for_each(text);
            }
            Forecast::Maybe(one)
            | Forecast::Assert(one)
            | Forecast::Skipped(one)
            | Forecast::Unreachable(one)
            | Forecast::Error(one) => text(one),
            Forecast::Probe(Finding::Content | Finding::Unknown)
            | Forecast::None
            | Forecast::NoChange
            | Forecast::Always
            | Forecast::Gate
            | Forecast::Unknown => {}
        }
    }
    preview.vars.values_mut().for_each(value);
}

fn text(text: &mut String) {
    if text.contains(RUN_ID) {
        *text = text.replace(RUN_ID, SHOWN);
    }
}

fn value(of: &mut Value) {
    match of {
        Value::String(one) => text(one),
        Value::Array(all) => all.iter_mut().for_each(value),
        Value::Object(all) => all.values_mut().for_each(value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_model::RunId;
    use serde_json::json;

    #[test]
    fn the_id_that_is_to_come_is_named() {
        assert!(RunId::new(RUN_ID).is_ok());
        let differs = vec![format!("+backup-{RUN_ID}"), "mode".to_owned()];
        let mut preview = Preview {
            nodes: vec![
                Forecast::Change(differs.clone()),
                Forecast::Probe(Finding::Differs(differs)),
                Forecast::Error(format!("/{RUN_ID} is not there")),
                Forecast::Gate,
            ],
            vars: [("dir".to_owned(), json!({ "a": [format!("/{RUN_ID}")] }))].into(),
            ..Preview::default()
        };
        show(&mut preview);
        let shown = vec!["+backup-RUN-ID".to_owned(), "mode".to_owned()];
        assert_eq!(preview.nodes[0], Forecast::Change(shown.clone()));
        assert_eq!(preview.nodes[1], Forecast::Probe(Finding::Differs(shown)));
        assert_eq!(
            preview.nodes[2],
            Forecast::Error("/RUN-ID is not there".to_owned())
        );
        assert_eq!(preview.vars["dir"], json!({ "a": ["/RUN-ID"] }));
    }
}
