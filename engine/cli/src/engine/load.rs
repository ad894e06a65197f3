//! From files to a plan: what is read, and in which order.

pub(crate) mod trials;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use runbook_lang::ast::{InputDef, Runbook, parse_runbook};
use runbook_lang::compile::{Given, Request, compile};
use runbook_lang::diagnostic::{Diagnostics, nearest};
use runbook_lang::import;
use runbook_lang::inventory::{Inventory, parse_inventory};
use runbook_lang::source::{MAX_BYTES, Source, SourceId, Sources};
use runbook_lang::steptype::{Catalog, SHIPPED};
use runbook_lang::value::InputType;
use runbook_lang::yaml;
use runbook_model::plan::SecretSource;
use runbook_model::text::printable;
use runbook_model::{Plan, StepType, Value};

use crate::args::{CompileArgs, SecretArg};
use crate::error::Error;
use crate::prompt::Missing;

/// The directory beside a runbook that holds step types of its own.
const TYPES: &str = "types";
/// More files of types are not read.
const MOST_TYPES: usize = 1_000;

/// Everything that a plan is made of, read and parsed.
#[derive(Debug)]
pub(crate) struct Loaded {
    sources: Sources,
    source: Source,
    runbook: Runbook,
    inventory: Inventory,
    catalog: Catalog,
    given: Given,
    diagnostics: Diagnostics,
}

/// A plan, and what somebody should look at.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The plan.
    pub(crate) plan: Plan,
    /// Warnings.
    pub(crate) warnings: Diagnostics,
    /// The texts that they point into.
    pub(crate) sources: Sources,
}

/// Reads runbook, inventory, types and inputs. All mistakes in all of them are reported at once.
pub(crate) fn load(args: &CompileArgs) -> Result<Loaded, Error> {
    let mut reader = Reader {
        sources: Sources::new(),
        diagnostics: Diagnostics::new(),
    };
    let source = reader.read("runbook", &args.file)?;
    let (runbook, catalog) = reader.runbook(&args.file, source.as_ref());
    let inventory_file = args
        .inventory
        .clone()
        .unwrap_or_else(|| beside(&args.file, "inventory.yaml"));
    // What is wrong with the runbook is reported all the same.
    let (inventory, mut also) = match reader.read("inventory", &inventory_file) {
        Ok(source) => (
            source.and_then(|source| reader.parse(parse_inventory(&source))),
            None,
        ),
        Err(error) => (None, Some(error)),
    };
    let mut given = Given {
        texts: args.input.iter().cloned().collect(),
        secrets: SecretArg::all(&args.secrets.secret)?.into_iter().collect(),
        ..Given::default()
    };
    if let Some(file) = &args.inputs {
        match reader.read("file of inputs", file) {
            Ok(source) => given.values = reader.inputs(source.as_ref()).into_iter().collect(),
            Err(error) => also = also.or(Some(error)),
        }
    }
    also = also.or_else(|| no_secret(runbook.as_ref()?, &given));
    let Reader {
        sources,
        diagnostics,
    } = reader;
    let inventory = inventory.map(|inventory| with_paths(inventory, &inventory_file));
    match (source, runbook, inventory, also) {
        (Some(source), Some(runbook), Some(inventory), None) => Ok(Loaded {
            sources,
            source,
            runbook,
            inventory,
            catalog,
            given,
            diagnostics,
        }),
        (.., Some(error)) if diagnostics.is_empty() => Err(error),
        (.., also) => Err(Error::Mistakes {
            diagnostics,
            sources,
            also: also.map(Box::new),
        }),
    }
}

/// An `ssh_config` is named relative to the inventory, or to the home directory.
fn with_paths(mut inventory: Inventory, file: &Path) -> Inventory {
    let home = std::env::var("HOME").unwrap_or_default();
    for def in &mut inventory.hosts {
        let config = &mut def.host.connection.ssh_config;
        *config = config.take().map(|path| match path.strip_prefix("~/") {
            Some(rest) => format!("{home}/{rest}"),
            None => beside(file, &path).to_string_lossy().into_owned(),
        });
    }
    inventory
}

/// An input that is given as a secret and is none: its value would never be read.
fn no_secret(runbook: &Runbook, given: &Given) -> Option<Error> {
    let named = |def: &&InputDef| given.secrets.contains_key(&def.name.value);
    let mut inputs = runbook.inputs.iter().filter(named);
    let def = inputs.find(|def| def.kind.value != InputType::Secret)?;
    Some(Error::Typed {
        message: format!("the input `{}` is not a secret", def.name.value),
        hint: Some(format!("give it with --input {}=…", def.name.value)),
    })
}

impl Loaded {
    /// Inputs that must be given and are not.
    pub(crate) fn missing(&self) -> Vec<Missing> {
        let given = |name: &str| {
            self.given.texts.contains_key(name)
                || self.given.values.contains_key(name)
                || self.given.secrets.contains_key(name)
        };
        let wanted =
            |def: &&InputDef| def.required && def.default.is_none() && !given(&def.name.value);
        let missing = self.runbook.inputs.iter().filter(wanted);
        missing
            .map(|def| Missing {
                name: def.name.value.clone(),
                kind: def.kind.value.clone(),
                help: def.help.clone(),
            })
            .collect()
    }

    /// Gives an input as text.
    pub(crate) fn give(&mut self, name: &str, text: String) {
        self.given.texts.insert(name.to_owned(), text);
    }

    /// Says that a secret will be asked when the run begins.
    pub(crate) fn ask_later(&mut self, name: &str) {
        self.given
            .secrets
            .insert(name.to_owned(), SecretSource::Prompt);
    }

    /// Compiles. With `allow_missing` a plan is good for looking at only.
    pub(crate) fn compile(self, allow_missing: bool) -> Result<Compiled, Error> {
        let request = Request {
            sources: &self.sources,
            source: &self.source,
            runbook: &self.runbook,
            inventory: &self.inventory,
            catalog: &self.catalog,
            given: &self.given,
            allow_missing,
        };
        let (plan, found) = compile(&request);
        let mut diagnostics = self.diagnostics;
        diagnostics.extend(found);
        diagnostics.sort();
        match plan {
            Some(plan) if !diagnostics.has_errors() => Ok(Compiled {
                plan,
                warnings: diagnostics,
                sources: self.sources,
            }),
            _ => Err(Error::Mistakes {
                diagnostics,
                sources: self.sources,
                also: None,
            }),
        }
    }
}

impl Missing {
    /// Whether it is a secret.
    pub(crate) fn is_secret(&self) -> bool {
        self.kind == InputType::Secret
    }
}

/// All step types: shipped, the engine's own, and those beside a runbook.
pub(crate) fn types(beside: Option<&Path>) -> Result<Vec<StepType>, Error> {
    let mut reader = Reader {
        sources: Sources::new(),
        diagnostics: Diagnostics::new(),
    };
    let mut catalog = Catalog::new();
    reader.shipped(&mut catalog, |_| true);
    if let Some(file) = beside {
        reader.beside(&mut catalog, file);
    }
    match reader.diagnostics.has_errors() {
        true => Err(Error::Mistakes {
            diagnostics: reader.diagnostics,
            sources: reader.sources,
            also: None,
        }),
        false => Ok(catalog.iter().cloned().collect()),
    }
}

/// The one type of this name.
pub(crate) fn type_named(types: Vec<StepType>, name: &str) -> Result<StepType, Error> {
    let hint =
        nearest(name, types.iter().map(|t| t.name.as_str())).map(|n| format!("did you mean {n}?"));
    types
        .into_iter()
        .find(|t| t.name == name)
        .ok_or_else(|| Error::Typed {
            message: format!("there is no step type `{}`", printable(name)),
            hint: hint.or_else(|| Some("list them: runbook steps".into())),
        })
}

fn beside(file: &Path, name: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(name)
}

/// Reads texts and collects what is wrong with them.
struct Reader {
    sources: Sources,
    diagnostics: Diagnostics,
}

impl Reader {
    /// A file as a source; none if it is no text that can be read, which is then reported.
    fn read(&mut self, what: &'static str, path: &Path) -> Result<Option<Source>, Error> {
        let bytes = read(path).map_err(|source| Error::Read {
            what,
            path: path.to_owned(),
            source,
        })?;
        Ok(self.add(&path.to_string_lossy(), &bytes))
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> Option<Source> {
        self.sources
            .add(name, bytes)
            .map_err(|mistake| self.diagnostics.push(mistake))
            .ok()
    }

    fn parse<T>(&mut self, (parsed, found): (Option<T>, Diagnostics)) -> Option<T> {
        self.diagnostics.extend(found);
        parsed
    }

    /// A runbook with everything that it imports, and the types that can be used in it.
    fn runbook(&mut self, file: &Path, source: Option<&Source>) -> (Option<Runbook>, Catalog) {
        let runbook = source.and_then(|source| self.parse(parse_runbook(source)));
        let mut files = Imports::of(self, file, source);
        let runbook = runbook.map(|runbook| files.link(runbook));
        let folders = files.folders();
        let catalog = self.catalog(&folders, runbook.as_ref());
        (runbook, catalog)
    }

    /// The types that a runbook names. If it names one that does not exist, all of them, so that
    /// the suggestion is a good one.
    fn catalog(&mut self, folders: &[PathBuf], runbook: Option<&Runbook>) -> Catalog {
        let mut catalog = Catalog::new();
        for folder in folders {
            self.types_in(&mut catalog, folder);
        }
        let used: Vec<&str> = runbook
            .into_iter()
            .flat_map(Runbook::steps)
            .map(|(_, step)| step.uses.value.as_str())
            .collect();
        self.shipped(&mut catalog, |name| used.contains(&name));
        if used.iter().any(|name| catalog.get(name).is_none()) {
            self.shipped(&mut catalog, |name| !used.contains(&name));
        }
        catalog
    }

    fn shipped(&mut self, catalog: &mut Catalog, wanted: impl Fn(&str) -> bool) {
        for (name, text) in runbook_steps::TYPES.iter().filter(|(name, _)| wanted(name)) {
            if let Some(source) = self.add(&format!("<{name}.yaml>"), text.as_bytes()) {
                let found = catalog.add(name, SHIPPED, &source);
                self.diagnostics.extend(found);
            }
        }
    }

    /// Types beside a runbook.
    fn beside(&mut self, catalog: &mut Catalog, file: &Path) {
        self.types_in(catalog, &beside(file, ""));
    }

    /// Types in a directory of their own below this one; without such a directory there are none.
    fn types_in(&mut self, catalog: &mut Catalog, folder: &Path) {
        let Ok(entries) = std::fs::read_dir(folder.join(TYPES)) else {
            return;
        };
        let mut files: Vec<PathBuf> = entries
            .take(MOST_TYPES)
            .filter_map(|e| Some(e.ok()?.path()))
            .collect();
        files.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
        files.sort();
        for path in files {
            let name = path.to_string_lossy().into_owned();
            let stem = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let Ok(bytes) = read(&path) else { continue };
            if let Some(source) = self.add(&name, &bytes) {
                let found = catalog.add(&stem, &name, &source);
                self.diagnostics.extend(found);
            }
        }
    }

    /// A file of inputs: one map.
    fn inputs(&mut self, source: Option<&Source>) -> serde_json::Map<String, Value> {
        let Some(source) = source else {
            return serde_json::Map::new();
        };
        match yaml::read(source, &mut self.diagnostics).to_value() {
            Value::Object(values) => values,
            Value::Null => serde_json::Map::new(),
            _ => {
                let whole =
                    runbook_lang::source::Span::new(0, source.text().trim_end().len().min(1));
                let mistake = runbook_lang::diagnostic::Diagnostic::error(
                    runbook_lang::diagnostic::Code::BadInput,
                    "a file of inputs is a map from names to values",
                );
                self.diagnostics
                    .push(mistake.label(source.id(), whole, "this is something else"));
                serde_json::Map::new()
            }
        }
    }
}

/// The files that imports name, each read once.
struct Imports<'r> {
    reader: &'r mut Reader,
    /// Where each text comes from, as it was named and as it is.
    paths: Vec<(PathBuf, PathBuf, Option<Source>)>,
}

impl<'r> Imports<'r> {
    fn of(reader: &'r mut Reader, file: &Path, source: Option<&Source>) -> Self {
        Self {
            reader,
            paths: vec![(file.to_owned(), real(file), source.cloned())],
        }
    }

    fn link(&mut self, runbook: Runbook) -> Runbook {
        let (runbook, found) = import::link(runbook, self);
        self.reader.diagnostics.extend(found);
        runbook
    }

    /// The directories of all files, each once.
    fn folders(self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = Vec::new();
        let mut seen = Vec::new();
        for (path, real, _) in self.paths {
            let of_real = beside(&real, "");
            if !seen.contains(&of_real) {
                seen.push(of_real);
                folders.push(beside(&path, ""));
            }
        }
        folders
    }
}

impl import::Files for Imports<'_> {
    fn read(&mut self, from: SourceId, file: &str) -> Result<Option<Source>, String> {
        let is_from = |source: &Option<Source>| source.as_ref().is_some_and(|s| s.id() == from);
        let base = self.paths.iter().find(|(_, _, source)| is_from(source));
        let path = base.map_or_else(|| PathBuf::from(file), |(path, ..)| beside(path, file));
        let real = real(&path);
        if let Some((_, _, source)) = self.paths.iter().find(|(_, known, _)| *known == real) {
            return Ok(source.clone());
        }
        let bytes = read(&path).map_err(|error| error.to_string())?;
        let source = self.reader.add(&path.to_string_lossy(), &bytes);
        self.paths.push((path, real, source.clone()));
        Ok(source)
    }
}

/// The path without links and detours, by which a file is known again.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// A file, bounded: one byte more than a source may have, so that the source itself refuses it.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ssh_config_is_found_beside_the_inventory() {
        let text = b"hosts: { a: {}, b: { connection: { ssh_config: /etc/x } } }\nconnection: { ssh_config: lab/config }\n";
        let source = Sources::new().add("inventory.yaml", text).unwrap();
        let inventory = parse_inventory(&source).0.unwrap();
        let inventory = with_paths(inventory, Path::new("/srv/site/inventory.yaml"));
        let found: Vec<_> = inventory
            .hosts
            .iter()
            .filter_map(|def| def.host.connection.ssh_config.as_deref())
            .collect();
        assert_eq!(found, ["/srv/site/lab/config", "/etc/x"]);
    }

    #[test]
    fn imported_files_are_found_beside_the_one_that_names_them_and_so_are_their_types() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        };
        let main = write(
            "main.yaml",
            "runbook: main\nphases: [{ phase: a, import: { file: sub/one.yaml } }, { phase: b, import: { file: ./sub/../sub/one.yaml } }]\n",
        );
        write(
            "sub/one.yaml",
            "runbook: one\nphases: [{ phase: x, import: { file: two.yaml } }]\n",
        );
        write(
            "sub/two.yaml",
            "runbook: two\nsteps: [{ step: s, uses: own.look }]\n",
        );
        write(
            "sub/types/own.look.yaml",
            "type: own.look\nsummary: A look\nparams: {}\nprobe: true\ncheck: 'true'\n",
        );
        let mut reader = Reader {
            sources: Sources::new(),
            diagnostics: Diagnostics::new(),
        };
        let source = reader.read("runbook", &main).unwrap();
        let (runbook, catalog) = reader.runbook(&main, source.as_ref());
        assert_eq!(reader.diagnostics.render(&reader.sources), "");
        let runbook = runbook.unwrap();
        let steps: Vec<_> = runbook
            .steps()
            .map(|(_, step)| step.id.value.as_str())
            .collect();
        assert_eq!(steps, ["a_x_s", "b_x_s"]);
        assert!(catalog.get("own.look").is_some());
        let read = |name: &str| {
            reader
                .sources
                .iter()
                .filter(|s| s.name().ends_with(name))
                .count()
        };
        assert_eq!(
            (read("one.yaml"), read("two.yaml")),
            (1, 1),
            "each file is read once"
        );
    }
}
