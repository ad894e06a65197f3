//! The plan of a run as a file: written once, checked at every reading. A resume acts on it, so a
//! wrong byte in it must not pass for what was approved.

use std::fmt::Write;
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
    disk::write_new(&dir.join(PLAN), &json)?;
    disk::write_new(&dir.join(SUM), sum_line(&json).as_bytes())
}

#[derive(Deserialize)]
struct Head {
    format: u64,
}

/// Reads the plan of a run.
pub(super) fn read(dir: &Path) -> Result<Plan, StoreError> {
    let path = dir.join(PLAN);
    let damaged = |problem: String| StoreError::Plan {
        path: path.clone(),
        problem,
    };
    let json = disk::read(&path, MAX_PLAN).map_err(StoreError::io("read", &path))?;
    let json = json.ok_or_else(|| damaged(format!("it is longer than {MAX_PLAN} bytes")))?;
    let sum_path = dir.join(SUM);
    let sum = disk::read(&sum_path, 1 << 10).map_err(StoreError::io("read", &sum_path))?;
    if sum.as_deref() != Some(sum_line(&json).as_bytes()) {
        return Err(damaged(format!("its checksum is not the one in {SUM}")));
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

fn sum_line(json: &[u8]) -> String {
    let mut line = String::with_capacity(64 + 2 + PLAN.len() + 1);
    for byte in Sha256::digest(json) {
        write!(line, "{byte:02x}").expect("a String takes everything");
    }
    line + "  " + PLAN + "\n"
}
