//! Checks, applies and undos of one type on one host, without a plan and without a journal.

use std::collections::BTreeMap;
use std::time::Duration;

use runbook_lang::evaluate::Argument;
use runbook_lang::steptype::{coerce, hold};
use runbook_lang::testfile::value_at;
use runbook_model::{HostName, StepType, Value};
use runbook_remote::{RemoteError, Report};

use serde_json::Map;

use super::judge::told;
use crate::driver::Reach;
use crate::driver::look::{self, Finding, Prepared};
use crate::outputs;

/// A type with its arguments, and the host.
pub(super) struct Actor<'a> {
    reach: &'a Reach,
    prepared: Prepared,
    /// Where files are kept for undo.
    store: Option<String>,
    /// The limit of an apply.
    limit: Duration,
}

impl<'a> Actor<'a> {
    /// Coerces the parameters, the directory of the test in its place. The limits are of a check and
    /// of an apply.
    ///
    /// # Errors
    /// What the schema says of a parameter.
    pub(super) fn new(
        reach: &'a Reach,
        host: &HostName,
        step_type: &StepType,
        with: &BTreeMap<String, Value>,
        scratch: &str,
        [check, apply]: [Duration; 2],
    ) -> Result<Self, String> {
        let mut arguments = Vec::with_capacity(step_type.params.len());
        let mut rules = Map::new();
        for (name, schema) in &step_type.params {
            let given = with.get(name).map(|value| value_at(value, scratch));
            let known = given.clone().or(schema.default.clone());
            rules.extend(known.filter(|v| !v.is_null()).map(|v| (name.clone(), v)));
            let value = coerce(schema, &given.unwrap_or(Value::Null))
                .map_err(|why| format!("`{name}` {why}"))?;
            arguments.push(Argument {
                name: name.clone(),
                value,
                secret: schema.secret,
            });
        }
        hold(step_type, rules)?;
        let mut prepared = Prepared::here(step_type, arguments, check);
        prepared.host = host.clone();
        Ok(Self {
            reach,
            prepared,
            store: Some(format!("{scratch}.undo/0")),
            limit: apply,
        })
    }

    /// Looks, and remembers what was found.
    pub(super) async fn look(&mut self) -> Result<Finding, RemoteError> {
        let finding = look::run(self.reach, &self.prepared).await?;
        self.prepared.remember(&finding);
        Ok(finding)
    }

    /// Changes.
    pub(super) async fn apply(
        &self,
    ) -> Result<Result<BTreeMap<String, Value>, String>, RemoteError> {
        let script = match self.prepared.change(self.reach, &self.store).await? {
            Ok(script) => script,
            Err(failure) => return Ok(Err(failure.message)),
        };
        let host = self.reach.host(&self.prepared.host).await?;
        let report = host.check(&script, self.limit).await?;
        Ok(self.ended(&report))
    }

    /// What a look captured is what an undo goes back to.
    pub(super) fn capture(&mut self, finding: &Finding) {
        self.prepared.before.clone_from(&finding.before);
    }

    /// Takes a change back, with what was captured before it.
    pub(super) async fn undo(
        &self,
    ) -> Result<Result<BTreeMap<String, Value>, String>, RemoteError> {
        let script = match self.prepared.undo(&self.store) {
            Ok(script) => script,
            Err(failure) => return Ok(Err(failure.message)),
        };
        let host = self.reach.host(&self.prepared.host).await?;
        let report = host.check(&script, self.limit).await?;
        Ok(self.ended(&report))
    }

    /// The outputs of a script that has no verdict, or why it failed.
    fn ended(&self, report: &Report) -> Result<BTreeMap<String, Value>, String> {
        if let runbook_remote::Verdict::Failed(message) = &report.verdict {
            return Err(told(message, &report.stderr.text));
        }
        outputs::typed(&self.prepared.step_type, &report.outputs).map(|typed| typed.plain)
    }
}
