//! A secret that is easy to find wherever it gets to: raw or in an encoding, whole or in part.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use tempfile::TempDir;

use crate::operator::Operator;
use crate::terminal::MOMENT;

/// Quotes of every kind, a line end, what is no ASCII, what URLs, XML and JSON write in another way, and no word.
pub const CANARY: &str = "kQ7'vX\"9Z $zP`wH\\Jé8😀uB\nTr5<&Dg>2%W/+=Lm8c";
/// Prints it in every way.
const LEAK: &str = include_str!("../../engine/exec/tests/secrets/leak.yaml");
/// Bytes of the shortest part that counts.
const PART: usize = 6;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Somebody with a runbook that prints a canary.
#[derive(Debug)]
pub struct Canary {
    /// Who runs it.
    pub operator: Operator,
    folder: TempDir,
}

/// Looks at all processes of this machine as long as it lives.
#[derive(Debug)]
pub struct Sampler {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<String>>>,
}

impl Canary {
    /// On these hosts of an inventory; `made` is the file that the step would make, `ending` how it ends: `fine`,
    /// `fail`, `skip` or `status`.
    #[must_use]
    pub fn new(inventory: Option<&Path>, on: &str, made: &str, ending: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a directory");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("it is below the directory"))
                .and_then(|()| fs::write(&path, text))
                .expect("there is room for a file");
            path
        };
        let runbook = format!(
            "runbook: canary\ninputs:\n  secret: {{ type: secret, required: true }}\nsteps:\n  - step: leak\n    uses: \
             test.leak\n    on: {on}\n    with: {{ secret: '{{{{inputs.secret}}}}', file: {made}, ending: {ending} }}\n"
        );
        let runbook = write("canary.yaml", &runbook);
        write("types/test.leak.yaml", LEAK);
        let secret = write("secret", CANARY);
        fs::set_permissions(secret, fs::Permissions::from_mode(0o600))
            .expect("the file is this test's");
        let nobody = write("nobody.yaml", "hosts:\n  nobody: { address: 192.0.2.1 }\n");
        let operator = Operator::new(&runbook, inventory.unwrap_or(&nobody));
        Self { operator, folder }
    }

    /// The arguments of `run`, `plan` or `check`.
    #[must_use]
    pub fn args(&self, command: &str) -> Vec<OsString> {
        let mut args = self.operator.run_args();
        args[0] = command.into();
        args.push("--secret".into());
        let mut place = OsString::from("secret=file:");
        place.push(self.folder.path().join("secret"));
        args.push(place);
        args
    }

    /// The directory with the runs of the operator.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        let beside = self.operator.file("beside", "");
        beside.with_file_name("state")
    }
}

/// What must be nowhere: every part of the canary, raw and encoded.
#[must_use]
pub fn needles() -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    for line in CANARY.lines() {
        let starts = line.char_indices().map(|(at, _)| at);
        for part in starts.filter_map(|at| {
            let mut ends = line.char_indices().map(|(end, _)| end).chain([line.len()]);
            Some(&line[at..ends.find(|end| *end >= at + PART)?])
        }) {
            let bytes = part.as_bytes();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let url: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
            let json = serde_json::to_string(part).expect("a text is JSON");
            let json = json.trim_matches('"').to_owned();
            for text in [
                part.to_owned(),
                json,
                hex.to_uppercase(),
                hex,
                url.to_uppercase(),
                url,
            ] {
                found.insert(text.into_bytes());
            }
            found.extend((0..3).map(|lead| digits(bytes, lead)));
        }
    }
    found
}

/// The needles that are in something.
#[must_use]
pub fn found_in(bytes: &[u8]) -> Vec<String> {
    static NEEDLES: OnceLock<HashMap<Vec<u8>, Vec<Vec<u8>>>> = OnceLock::new();
    let by_begin = NEEDLES.get_or_init(|| {
        let mut by_begin: HashMap<Vec<u8>, Vec<Vec<u8>>> = HashMap::new();
        for needle in needles() {
            by_begin
                .entry(needle[..PART].to_vec())
                .or_default()
                .push(needle);
        }
        by_begin
    });
    let mut found = Vec::new();
    for (at, begin) in bytes.windows(PART).enumerate() {
        let here = by_begin.get(begin).into_iter().flatten();
        let here = here.filter(|needle| bytes[at..].starts_with(needle));
        found.extend(here.map(|needle| String::from_utf8_lossy(needle).into_owned()));
    }
    found
}

/// Nothing of the canary is in a text.
#[track_caller]
pub fn assert_clean(what: &str, bytes: &[u8]) {
    let found = found_in(bytes);
    assert!(
        found.is_empty(),
        "{found:?} in {what}:\n{}",
        String::from_utf8_lossy(bytes)
    );
}

/// Nothing of the canary is in a file below a directory, nor in the name of one.
#[track_caller]
pub fn assert_clean_files(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        assert_clean("the name of a file", path.as_os_str().as_encoded_bytes());
        if path.is_dir() && !path.is_symlink() {
            assert_clean_files(&path);
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap_or_default();
            assert_clean(&path.display().to_string(), &bytes);
        }
    }
}

/// The digits of base64 that hold nothing but these bytes, after `lead` others.
fn digits(bytes: &[u8], lead: usize) -> Vec<u8> {
    let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    let first = (lead * 8).div_ceil(6);
    let end = (lead + bytes.len()) * 8 / 6;
    (first..end)
        .map(|digit| {
            let bits = (digit * 6..digit * 6 + 6).map(|at| bit(at - lead * 8));
            BASE64[usize::from(bits.fold(0, |all, bit| all << 1 | bit))]
        })
        .collect()
}

impl Sampler {
    /// Begins.
    #[must_use]
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut found = Vec::new();
            while !over.load(Ordering::Relaxed) {
                for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
                    for name in ["cmdline", "environ"] {
                        // Not a process, or one that is gone.
                        let text = fs::read(process.path().join(name)).unwrap_or_default();
                        if !found_in(&text).is_empty() {
                            found.push(String::from_utf8_lossy(&text).into_owned());
                        }
                    }
                }
                std::thread::sleep(MOMENT);
            }
            found
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// Ends; what was found.
    #[must_use]
    pub fn end(mut self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it ends once");
        thread.join().expect("it only reads")
    }
}
