//! The surroundings of one test: a scratch directory, the stand-ins, and the few tools that scripts
//! may use besides.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use runbook_lang::testfile::{Answer, SCRATCH, TypeTest};
use runbook_remote::Options;
use tempfile::TempDir;

use super::TrialError;
use super::standin::{self, Call, SYSTEM_PATH};

/// Tools that look at texts and files and at nothing else of a host: scripts get the real ones,
/// unless a test names them. What only some systems have is left out where it is not there.
const TOOLS: &str = "[ awk basename cat chgrp chmod chown cksum cmp comm cp cut date dd diff dirname du echo \
     env expr false find fold grep head id join ln ls mkdir mkfifo mktemp mv nl od paste \
     printf pwd readlink realpath rm rmdir sed seq sh sha256sum sleep sort stat sync tail tee \
     test touch tr true tsort uname uniq wc xargs";
/// Bytes of the calls that one test may leave behind.
const MOST_CALLS: u64 = 8 << 20;

/// What all tests share: the tools, and the shell that finds them and the stand-ins of the test that
/// runs now. One test runs at a time.
pub struct Tools {
    dir: TempDir,
}

impl Tools {
    /// Finds the tools of this system. Scripts run in its `sh`, or in another shell of that kind, which is run under that
    /// name.
    ///
    /// # Errors
    /// The temporary directory cannot be used, or there is no such shell.
    pub fn find(shell: Option<&str>) -> Result<Self, TrialError> {
        let system = |name: &str| {
            let mut places = SYSTEM_PATH
                .split(':')
                .map(|place| Path::new(place).join(name));
            places.find(|path| path.exists())
        };
        let dir = tempfile::Builder::new().prefix("runbook-tools").tempdir()?;
        plain(dir.path())?;
        let tools = Self { dir };
        fs::create_dir(tools.path("tools"))?;
        for tool in TOOLS.split_whitespace() {
            let wanted = shell.filter(|_| tool == "sh");
            let found = system(wanted.unwrap_or(tool));
            if let (Some(name), None) = (wanted, &found) {
                return Err(TrialError::NoShell(name.to_owned()));
            }
            if let Some(found) = found {
                symlink(found, tools.path("tools").join(tool))?;
            }
        }
        program(&tools.path("shell"), &tools.shell())?;
        Ok(tools)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program that the engine takes for the shell. Its own shells see the system; scripts, which
    /// it starts as `rb`, see the stand-ins and the tools. Neither sees this process's environment.
    fn shell(&self) -> String {
        let here = self.dir.path().to_string_lossy();
        format!(
            "#!/bin/sh\nPATH={SYSTEM_PATH}\nplace=$PATH\n[ \"${{3-}}\" != rb ] || place={here}/now/bin:{here}/tools\n\
             exec env -i PATH=\"$place\" HOME={here}/now/home TMPDIR={here}/now/tmp LC_ALL=C {here}/tools/sh \"$@\"\n"
        )
    }

    /// How the simulated host is reached.
    pub(super) fn options(&self) -> Options {
        let text = |name: &str| self.path(name).to_string_lossy().into_owned();
        Options {
            shell: text("shell"),
            state_dir: Some(text("state")),
            ..Options::default()
        }
    }

    /// From now on scripts see what is in this directory.
    fn show(&self, dir: &Path) -> io::Result<()> {
        let now = self.path("now");
        match fs::remove_file(&now) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => symlink(dir, now),
        }
    }

    /// Whether it is one of them.
    pub(super) fn has(&self, name: &str) -> bool {
        TOOLS.split_whitespace().any(|tool| tool == name)
    }
}

/// The surroundings of one test.
pub(super) struct Scratch {
    dir: TempDir,
}

impl Scratch {
    /// Everything in place as the test says, without one command if so.
    pub(super) fn new(
        tools: &Tools,
        test: &TypeTest,
        without: Option<&str>,
    ) -> Result<Self, TrialError> {
        let dir = tempfile::Builder::new().prefix("runbook-test").tempdir()?;
        plain(dir.path())?;
        tools.show(dir.path())?;
        let scratch = Self { dir };
        for part in ["answers", "bin", "facts", "home", "scratch", "tmp"] {
            fs::create_dir(scratch.dir.path().join(part))?;
        }
        for (name, text) in &test.files {
            scratch.file(name, text.as_deref())?;
        }
        let at = scratch.root();
        let answers: Vec<_> = test
            .answers
            .iter()
            .map(|answer| at_scratch(answer, &at))
            .collect();
        for name in test
            .named()
            .into_iter()
            .filter(|name| Some(*name) != without)
        {
            let file = scratch.dir.path().join("bin").join(name);
            program(&file, &standin::program(name, &answers, &scratch.here()))?;
        }
        for (number, answer) in answers.iter().enumerate() {
            let write = |what: &str, text: &str| {
                fs::write(
                    scratch.dir.path().join(format!("answers/{number}.{what}")),
                    text,
                )
            };
            write("out", &answer.stdout)?;
            write("err", &answer.stderr)?;
            for (at, text) in answer.writes.values().enumerate() {
                write(&at.to_string(), text)?;
            }
        }
        Ok(scratch)
    }

    fn file(&self, name: &str, text: Option<&str>) -> io::Result<()> {
        let path = self.path(name);
        match text {
            None => fs::create_dir_all(path),
            Some(text) => {
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                fs::write(&path, text.replace(SCRATCH, &self.root()))?;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o644))
            }
        }
    }

    fn here(&self) -> String {
        self.dir.path().to_string_lossy().into_owned()
    }

    /// What `{{scratch}}` stands for.
    pub(super) fn root(&self) -> String {
        self.path("")
            .to_string_lossy()
            .trim_end_matches('/')
            .to_owned()
    }

    /// A file of the test.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("scratch").join(name)
    }

    /// The calls since the last time, in order.
    pub(super) fn calls(&self) -> io::Result<Vec<Call>> {
        let file = self.dir.path().join("calls");
        let log = match fs::metadata(&file) {
            Ok(about) if about.len() > MOST_CALLS => {
                return Err(io::Error::other("commands were called too often"));
            }
            Ok(_) => fs::read(&file)?,
            Err(_) => return Ok(Vec::new()),
        };
        fs::remove_file(&file)?;
        Ok(standin::calls(&log))
    }
}

fn program(file: &Path, text: &str) -> io::Result<()> {
    fs::write(file, text)?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
}

fn at_scratch(answer: &Answer, root: &str) -> Answer {
    let mut answer = answer.clone();
    let put = |text: &mut String| *text = text.replace(SCRATCH, root);
    answer.run = answer.run.at(root);
    put(&mut answer.stdout);
    put(&mut answer.stderr);
    answer.writes.values_mut().for_each(put);
    answer
}

/// The path goes into a command line word by word.
fn plain(path: &Path) -> Result<(), TrialError> {
    let text = path.to_string_lossy();
    let harmless = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match text.chars().all(harmless) {
        true => Ok(()),
        false => Err(TrialError::Path(
            runbook_model::text::printable(&text).to_string(),
        )),
    }
}
