//! The plans of a run as files: each written once, checked at every reading. A resume acts on it, so a
//! wrong byte in it must not pass for what was approved.
//!
//! A run begins with `plan.json`. A resume with changed files puts `plan.2.json` beside it, and so on;
//! which one counts is said by the journal alone.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use runbook_model::Plan;
use runbook_model::plan::PLAN_FORMAT;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{StoreError, disk};
use crate::journal::{MAX_NESTING, nesting};

/// The largest plan, in bytes; writing and reading alike.
pub const MAX_PLAN: u64 = 64 << 20;
/// The plan, as JSON.
pub(crate) const PLAN: &str = "plan.json";
/// Its SHA-256, as `sha256sum` writes and checks it.
pub(crate) const SUM: &str = "plan.json.sha256";

/// Writes the plan into a directory that has none. Durable once the directory is.
pub(super) fn write(dir: &Path, plan: &Plan) -> Result<(), StoreError> {
    let json = text(plan)?;
    disk::write_new(&dir.join(PLAN), &json)?;
    disk::write_new(&dir.join(SUM), sum_line(PLAN, &json).as_bytes())
}

/// Puts another plan beside those that are there, durable. One of this number that is there already
/// was left by a crash, before any journal named it.
pub(super) fn write_another(dir: &Path, number: u32, plan: &Plan) -> Result<(), StoreError> {
    let json = text(plan)?;
    let (name, sum) = names(number);
    for name in [&sum, &name] {
        for name in [format!(".{name}"), name.clone()] {
            let path = dir.join(name);
            match fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::io("remove", &path)(e));
                }
                _ => {}
            }
        }
    }
    disk::write_whole(dir, &name, &json)?;
    disk::write_whole(dir, &sum, sum_line(&name, &json).as_bytes())
}

fn text(plan: &Plan) -> Result<Vec<u8>, StoreError> {
    let json = serde_json::to_vec(plan).map_err(|e| StoreError::PlanUnwritable {
        problem: e.to_string(),
    })?;
    if json.len() as u64 > MAX_PLAN {
        return Err(StoreError::PlanTooLarge { len: json.len() });
    }
    let depth = nesting(&json);
    if depth > MAX_NESTING {
        let problem = format!("it nests {depth} levels deep, and {MAX_NESTING} can be read again");
        return Err(StoreError::PlanUnwritable { problem });
    }
    Ok(json)
}

/// The names of a plan and of its checksum.
pub(crate) fn names(number: u32) -> (String, String) {
    match number {
        0 | 1 => (PLAN.to_owned(), SUM.to_owned()),
        n => (format!("plan.{n}.json"), format!("plan.{n}.json.sha256")),
    }
}

/// The names of the files that a run with so many plans needs: the plan that it began with, by which
/// copies of it are known, and the one that counts.
pub(crate) fn needed(number: u32) -> Vec<String> {
    let mut all = vec![PLAN.to_owned(), SUM.to_owned()];
    if number > 1 {
        let (plan, sum) = names(number);
        all.extend([plan, sum]);
    }
    all
}

#[derive(Deserialize)]
struct Head {
    format: u64,
}

/// Reads a plan of a run.
pub(super) fn read(dir: &Path, number: u32) -> Result<Plan, StoreError> {
    let (name, sum_name) = names(number);
    let path = dir.join(&name);
    let damaged = |problem: String| StoreError::Plan {
        path: path.clone(),
        problem,
    };
    let json = disk::read(&path, MAX_PLAN).map_err(StoreError::io("read", &path))?;
    let json = json.ok_or_else(|| damaged(format!("it is longer than {MAX_PLAN} bytes")))?;
    let sum_path = dir.join(&sum_name);
    let sum = disk::read(&sum_path, 1 << 10).map_err(StoreError::io("read", &sum_path))?;
    if sum.as_deref() != Some(sum_line(&name, &json).as_bytes()) {
        return Err(damaged(format!(
            "its checksum is not the one in {sum_name}"
        )));
    }
    let head: Head = serde_json::from_slice(&json).map_err(|e| damaged(e.to_string()))?;
    if head.format != u64::from(PLAN_FORMAT) {
        return Err(StoreError::PlanFormat {
            path,
            found: head.format,
        });
    }
    serde_json::from_slice(&json).map_err(|e| damaged(e.to_string()))
}

fn sum_line(name: &str, json: &[u8]) -> String {
    let mut line = String::with_capacity(64 + 2 + name.len() + 1);
    for byte in Sha256::digest(json) {
        write!(line, "{byte:02x}").expect("a String takes everything");
    }
    line + "  " + name + "\n"
}
