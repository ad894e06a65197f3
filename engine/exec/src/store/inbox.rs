//! What others ask of the controller that owns a run: one file for each order, complete from the
//! moment it has its name. The controller journals an order before its file goes.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use runbook_model::Order;

use super::{Home, StoreError, disk};

/// Bytes of an order.
pub const MAX_ORDER: u64 = 64 * 1024;
/// Files that one look reads.
const MAX_FILES: usize = 256;
const COMPLETE: &str = ".json";
/// What is not an order is put aside under this ending.
const UNREADABLE: &str = ".unreadable";

/// The inbox of a run.
#[derive(Debug)]
pub struct Inbox {
    dir: PathBuf,
    seen: BTreeSet<String>,
}

impl Inbox {
    /// The inbox of this run.
    #[must_use]
    pub fn new(home: &Home) -> Self {
        Self {
            dir: home.inbox(),
            seen: BTreeSet::new(),
        }
    }

    /// A new name for an order.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn fresh_id() -> Result<String, StoreError> {
        let mut bytes = [0u8; 8];
        getrandom::fill(&mut bytes).map_err(|e| StoreError::Entropy {
            problem: e.to_string(),
        })?;
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Leaves an order; it is there whole, or not at all.
    ///
    /// # Errors
    /// It is too large, or the system refuses.
    pub fn leave(&self, order: &Order) -> Result<(), StoreError> {
        let text = serde_json::to_vec(order).expect("an order is plain data");
        if text.len() as u64 > MAX_ORDER {
            return Err(StoreError::LargeOrder { limit: MAX_ORDER });
        }
        disk::write_whole(&self.dir, &format!("{}{COMPLETE}", order.id), &text)
    }

    /// Orders that were not seen before, the oldest first. What is not an order is put aside.
    pub fn look(&mut self) -> Vec<Order> {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return Vec::new();
        };
        let names = entries.flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let at = entry.metadata().ok()?.modified().ok()?;
            // What begins with a dot is being written: it is no order before it has its name.
            let complete = name.ends_with(COMPLETE) && !name.starts_with('.');
            (complete && !self.seen.contains(&name)).then_some((at, name))
        });
        let mut names: Vec<_> = names.take(MAX_FILES).collect();
        names.sort();
        let mut orders = Vec::new();
        for (_, name) in names {
            match self.read(&name) {
                Some(order) => {
                    self.seen.insert(name);
                    orders.push(order);
                }
                None => {
                    let aside = self.dir.join(format!("{name}{UNREADABLE}"));
                    // Whether it can be moved or not: it is not asked about again.
                    if fs::rename(self.dir.join(&name), aside).is_err() {
                        self.seen.insert(name);
                    }
                }
            }
        }
        orders
    }

    /// Removes the files of orders that are in the journal.
    pub fn clear(&mut self, taken: &BTreeSet<String>) {
        self.seen.retain(|name| {
            let id = name.strip_suffix(COMPLETE).unwrap_or(name);
            !taken.contains(id) || fs::remove_file(self.dir.join(name)).is_err()
        });
    }

    fn read(&self, name: &str) -> Option<Order> {
        let path = self.dir.join(name);
        // What would block or never end is not opened.
        if !fs::symlink_metadata(&path).ok()?.is_file() {
            return None;
        }
        let text = disk::read(&path, MAX_ORDER).ok()??;
        let order: Order = serde_json::from_slice(&text).ok()?;
        (name.strip_suffix(COMPLETE) == Some(order.id.as_str())).then_some(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_model::Command;

    fn order(id: &str) -> Order {
        Order {
            id: id.into(),
            by: "ada".into(),
            reason: String::new(),
            command: Command::Note,
        }
    }

    fn inbox(dir: &std::path::Path) -> Inbox {
        Inbox {
            dir: dir.to_owned(),
            seen: BTreeSet::new(),
        }
    }

    #[test]
    fn an_order_is_seen_once_and_goes_when_it_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let mut inbox = inbox(dir.path());
        inbox.leave(&order("a")).unwrap();
        inbox.leave(&order("b")).unwrap();
        assert_eq!(inbox.look().len(), 2);
        assert_eq!(inbox.look(), []);
        inbox.clear(&BTreeSet::from(["a".to_owned()]));
        let left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .flatten()
            .map(|e| e.file_name())
            .collect();
        assert_eq!(left, ["b.json"]);
    }

    #[test]
    fn what_is_no_order_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let mut inbox = inbox(dir.path());
        fs::write(dir.path().join("x.json"), "{").unwrap();
        fs::write(
            dir.path().join("y.json"),
            serde_json::to_vec(&order("z")).unwrap(),
        )
        .unwrap();
        fs::write(dir.path().join("big.json"), vec![b' '; 70_000]).unwrap();
        fs::create_dir(dir.path().join("dir.json")).unwrap();
        assert_eq!(inbox.look(), []);
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .flatten()
            .map(|e| e.file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                "big.json.unreadable",
                "dir.json.unreadable",
                "x.json.unreadable",
                "y.json.unreadable"
            ]
        );
    }

    /// Whoever writes it gives it its name when it is whole.
    #[test]
    fn an_order_that_is_being_written_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut inbox = inbox(dir.path());
        let unborn = dir.path().join(".a.json");
        disk::write_new(&unborn, &serde_json::to_vec(&order("a")).unwrap()).unwrap();
        assert_eq!(inbox.look(), []);
        fs::rename(&unborn, dir.path().join("a.json")).unwrap();
        assert_eq!(inbox.look(), [order("a")]);
    }

    #[test]
    fn an_order_that_is_too_large_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut large = order("a");
        large.reason = "x".repeat(70_000);
        assert!(matches!(
            inbox(dir.path()).leave(&large),
            Err(StoreError::LargeOrder { .. })
        ));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
