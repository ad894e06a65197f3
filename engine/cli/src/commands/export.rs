//! `runbook runs export` and `runbook runs import`: a run as one file.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal as _, Write};
use std::path::Path;

use runbook_exec::store::{Exported, Received, Seen, Store, export as write};
use runbook_model::RunId;
use runbook_model::text::printable;
use runbook_report::count;

use crate::args::{Cli, ExportArgs, ImportArgs};
use crate::commands::order::typed;
use crate::engine::runs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::who;

pub(crate) fn export(cli: &Cli, args: &ExportArgs, output: &Output) -> Result<Exit, Error> {
    let store = runs::store(cli)?;
    let seen = store.look(&store.resolve(&args.run)?)?;
    let exported = match &args.out {
        Some(path) => to_file(&store, &seen, !args.no_logs, path)?,
        None if io::stdout().is_terminal() => {
            return Err(typed(
                "an archive is not for a terminal",
                format!("runbook runs export {} --out {}.tar", seen.id, seen.id),
            ));
        }
        None => {
            let out = BufWriter::new(io::stdout().lock());
            write(&store.home(&seen.id)?, &seen, !args.no_logs, out)?
        }
    };
    let mut text = format!("run {} is exported: {}\n", seen.id, words(&exported));
    if seen.held.is_some() {
        text.push_str("  a controller runs it: the copy is old as soon as it goes on\n");
    }
    output.note(&text);
    Ok(Exit::Done)
}

pub(crate) fn import(cli: &Cli, args: &ImportArgs, output: &Output) -> Result<Exit, Error> {
    let store = runs::store(cli)?;
    let (id, received) = from_file(&store, &args.file)?;
    if received == Received::Earlier {
        return Err(typed(
            format!("run {id} is here in a later state than in this file"),
            format!("see it: runbook status {id}"),
        ));
    }
    output.put(&format!(
        "{}\n  runbook status {id}\n",
        became(&id, received)
    ))?;
    Ok(Exit::Done)
}

/// What went into an archive, for people.
pub(crate) fn words(exported: &Exported) -> String {
    let files = usize::try_from(exported.files).unwrap_or(usize::MAX);
    format!(
        "{} with {} bytes, up to event {}",
        count(files, "file"),
        exported.bytes,
        exported.seq
    )
}

/// What became of a copy, for people.
pub(crate) fn became(id: &RunId, received: Received) -> String {
    match received {
        Received::New => format!("run {id} is here now"),
        Received::Later => {
            format!("run {id} was here in an earlier state, and has the later one now")
        }
        Received::Repaired => format!(
            "run {id} was here with a damaged journal, and has a whole one now; the damaged one is kept as \
             journal.damaged"
        ),
        Received::Same => format!("run {id} is here in the same state already"),
        Received::Earlier => format!("run {id} is here in a later state, which stays"),
    }
}

/// Takes a run out of a file.
pub(crate) fn from_file(store: &Store, path: &Path) -> Result<(RunId, Received), Error> {
    let archive = open(path)?;
    Ok(store.import(archive, &who::controller())?)
}

/// Opens an archive; what would block or never end is none.
pub(crate) fn open(path: &Path) -> Result<BufReader<File>, Error> {
    let opened = || {
        let file = File::open(path)?;
        match file.metadata()?.is_file() {
            true => Ok(BufReader::with_capacity(256 << 10, file)),
            false => Err(io::Error::other("it is not a regular file")),
        }
    };
    opened().map_err(|source| Error::Read {
        what: "archive",
        path: path.into(),
        source,
    })
}

/// Writes a run to a file that is not there yet, for its owner alone: whole, or not at all.
pub(crate) fn to_file(
    store: &Store,
    seen: &Seen,
    logs: bool,
    path: &Path,
) -> Result<Exported, Error> {
    let shown = printable(&path.to_string_lossy()).into_owned();
    let failed = |error: io::Error| Error::Engine(format!("{shown} cannot be written: {error}"));
    let there = || {
        typed(
            format!("{shown} is there already"),
            "name a file that is not there",
        )
    };
    if path.symlink_metadata().is_ok() {
        return Err(there());
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(failed)?;
    let mut out = BufWriter::new(file.as_file_mut());
    let exported = write(&store.home(&seen.id)?, seen, logs, &mut out)?;
    out.flush().map_err(failed)?;
    drop(out);
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path)
        .map_err(|e| match e.error.kind() {
            io::ErrorKind::AlreadyExists => there(),
            _ => failed(e.error),
        })?;
    Ok(exported)
}
