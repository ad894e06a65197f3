//! What can be typed.

mod edited;
mod gates;
mod night;
mod rehearse;
mod secret;
mod show;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use runbook_model::text::printable;

use crate::error::Error;

pub(crate) use edited::EditedArgs;
pub(crate) use gates::GateArgs;
pub(crate) use night::{
    AbandonArgs, ApproveArgs, AttachArgs, CancelArgs, DecideArgs, ExcludeArgs, NoteArgs, PauseArgs,
    RerunArgs, RollbackArgs, StepArgs,
};
pub(crate) use rehearse::{ProbeArgs, RehearseArgs, RemainingArgs};
pub(crate) use secret::{SecretArg, SecretArgs};
pub(crate) use show::{ExplainArgs, GraphArgs, GraphFormat, GraphPart};
pub(crate) use store::{
    ExportArgs, HandoverArgs, ImportArgs, JournalArgs, JournalCommand, RunsArgs, RunsCommand,
    TakeoverArgs,
};

/// Runs YAML runbooks as graphs of idempotent steps over SSH, with a journal, and resumes them
/// truthfully.
#[derive(Debug, Parser)]
#[command(
    name = "runbook",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Where runs are kept [default: $XDG_STATE_HOME/runbook, else ~/.local/state/runbook]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Write JSON for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub(crate) color: Colour,
    /// Tell a run in plain lines, on a terminal too
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read a runbook and report every mistake; no host is asked
    Check(CompileArgs),
    /// Show what a run would do now; hosts are looked at, nothing is changed
    Plan(PlanArgs),
    /// Show everything about one step: its values, its order, what would stop it; no host is asked
    Explain(ExplainArgs),
    /// Draw the order of the steps; no host is asked
    Graph(GraphArgs),
    /// Run it on simulated hosts, with a failure if wanted: what that leaves, what resume would do
    Rehearse(RehearseArgs),
    /// Run a runbook
    Run(RunArgs),
    /// Go on with a run that stopped, was left, or lost its controller
    Resume(ResumeArgs),
    /// Follow what another controller does; Ctrl-C ends the look, not the run
    Attach(AttachArgs),
    /// Answer a gate of a run that somebody else has under way
    Approve(ApproveArgs),
    /// Have a run stop, at once or before a step; `resume` goes on
    Pause(PauseArgs),
    /// Keep a step from starting until it is unblocked
    Block(StepArgs),
    /// Let a blocked step start
    Unblock(StepArgs),
    /// Have something that has ended done once more
    Rerun(RerunArgs),
    /// Write something down in a run's journal
    Note(NoteArgs),
    /// Have nothing new start; with --kill, end what runs
    Cancel(CancelArgs),
    /// Go on without a host
    Exclude(ExcludeArgs),
    /// Take back what a run did
    Rollback(RollbackArgs),
    /// End a run as it stands
    Abandon(AbandonArgs),
    /// Take back what a run that has ended still holds
    Release(ReleaseArgs),
    /// Go on with a run of another controller, from a copy
    Takeover(TakeoverArgs),
    /// Stop a run and write it into a file, for a colleague to take over
    Handover(HandoverArgs),
    /// List runs, the newest first; or take one elsewhere
    Runs(RunsArgs),
    /// Look at a run's journal
    Journal(JournalArgs),
    /// Show how a run stands
    Status(StatusArgs),
    /// Show what is left of a run, in order; or as text that a person can type
    Remaining(RemainingArgs),
    /// Look at how a step of a run is now; nothing is changed, and nothing written down
    Probe(ProbeArgs),
    /// Show what attempts printed
    Logs(LogsArgs),
    /// List step types, or show everything about one
    Steps(StepsArgs),
    /// Run the tests of step types and the scenarios of runbooks; without --on nothing real is
    /// touched
    Test(TestArgs),
}

/// What is needed to compile a runbook.
#[derive(Debug, Args)]
pub(crate) struct CompileArgs {
    /// The runbook
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The inventory [default: inventory.yaml beside the runbook]
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "RUNBOOK_INVENTORY",
        hide_env_values = true
    )]
    pub(crate) inventory: Option<PathBuf>,
    /// An input, once for each name; wins over --inputs
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) input: Vec<(String, String)>,
    /// A YAML file of inputs
    #[arg(long, value_name = "FILE")]
    pub(crate) inputs: Option<PathBuf>,
    /// Where secrets are read from.
    #[command(flatten)]
    pub(crate) secrets: SecretArgs,
}

impl CompileArgs {
    /// The inputs by name. One that is given twice is refused: which of the two was meant?
    pub(crate) fn inputs(&self) -> Result<BTreeMap<String, String>, Error> {
        let names = self.input.iter().map(|(name, _)| name.as_str());
        once("--input", names)?;
        Ok(self.input.iter().cloned().collect())
    }
}

/// Refuses a name that stands twice behind an option.
fn once<'a>(option: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Error::Typed {
                message: format!("{option} gives `{}` twice", printable(name)),
                hint: Some("give each name once; a list is one value: a,b".to_owned()),
            });
        }
    }
    Ok(())
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// What is compiled.
    #[command(flatten)]
    pub(crate) compile: CompileArgs,
    /// Ask no host
    #[arg(long)]
    pub(crate) offline: bool,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// What is compiled.
    #[command(flatten)]
    pub(crate) compile: CompileArgs,
    /// Change nothing: the same as `plan`
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// End the run when this phase is done; `resume` may still go on
    #[arg(long, value_name = "PHASE")]
    pub(crate) until: Option<String>,
    /// Leave the run to a controller in the background; `attach` shows it, `approve` answers its gates
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) detach: bool,
    /// Gates.
    #[command(flatten)]
    pub(crate) gates: GateArgs,
    /// Keep a second copy of plan and journal there; HOST of the inventory, or `local`
    #[arg(long, value_name = "HOST:DIR")]
    pub(crate) mirror: Option<String>,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The run, or the beginning of its id [default: the newest that can go on]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Keep a second copy of plan and journal there; HOST of the run's inventory, or `local`
    #[arg(long, value_name = "HOST:DIR")]
    pub(crate) mirror: Option<String>,
    /// Gates.
    #[command(flatten)]
    pub(crate) gates: GateArgs,
    /// Changed files.
    #[command(flatten)]
    pub(crate) edited: EditedArgs,
    /// Decisions.
    #[command(flatten)]
    pub(crate) decide: DecideArgs,
    /// Where secrets are read from, if no longer where the run began.
    #[command(flatten)]
    pub(crate) secrets: SecretArgs,
}

/// Arguments of `release`.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The run, or the beginning of its id
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// What is held: an instance, or a step on all its hosts
    #[arg(value_name = "STEP[@HOST]")]
    pub(crate) what: String,
    /// Why; it goes into the journal
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Secrets.
    #[command(flatten)]
    pub(crate) secrets: SecretArgs,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The run, or the beginning of its id [default: the newest]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
}

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The run, or the beginning of its id [default: the newest]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Whose log; of a step on one host, the step is enough [default: a list of all attempts]
    #[arg(value_name = "STEP[@HOST]")]
    pub(crate) instance: Option<String>,
    /// Go on with what it prints, until it has ended or no controller has the run; Ctrl-C ends the
    /// look, not the run
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) follow: bool,
}

impl LogsArgs {
    /// The run and the instance; a single argument with an `@` is an instance.
    pub(crate) fn parts(&self) -> (Option<&str>, Option<&str>) {
        match (self.run.as_deref(), self.instance.as_deref()) {
            (Some(one), None) if one.contains('@') => (None, Some(one)),
            parts => parts,
        }
    }
}

/// Arguments of `test`.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Step types by name; runbooks, files of types or of scenarios, directories [default: the
    /// shipped types, and everything in this directory]
    #[arg(value_name = "FILE|TYPE")]
    pub(crate) what: Vec<String>,
    /// Only tests with this text in their title
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Run scripts in this shell, under the name `sh`: dash, bash, … [default: the machine's sh]
    #[arg(long, value_name = "SHELL", conflicts_with = "on")]
    pub(crate) shell: Option<String>,
    /// List the tests, run none
    #[arg(long)]
    pub(crate) list: bool,
    /// Run only the tests of step types for real hosts, on this one: it is changed
    #[arg(long, value_name = "HOST", requires = "inventory")]
    pub(crate) on: Option<String>,
    /// The inventory that has the host of --on
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "RUNBOOK_INVENTORY",
        hide_env_values = true
    )]
    pub(crate) inventory: Option<PathBuf>,
}

/// Arguments of `steps`.
#[derive(Debug, Args)]
pub(crate) struct StepsArgs {
    /// A step type, such as podman.container
    #[arg(value_name = "TYPE")]
    pub(crate) name: Option<String>,
    /// A runbook: the types beside it are listed too
    #[arg(long, value_name = "FILE")]
    pub(crate) beside: Option<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("write NAME=VALUE".into()),
    }
}

impl Cli {
    /// The state directory: the option, else where the system wants it.
    pub(crate) fn state_dir(&self) -> Result<PathBuf, Error> {
        let from = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
        };
        self.state
            .clone()
            .or_else(|| from("XDG_STATE_HOME").map(|dir| dir.join("runbook")))
            .or_else(|| from("HOME").map(|dir| dir.join(".local/state/runbook")))
            .ok_or(Error::NoStateDir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    #[cfg(not(feature = "age"))]
    fn the_help_of_everything() {
        let mut command = Cli::command()
            .after_help(crate::exit::help())
            .term_width(100);
        let mut text = command.render_help().to_string();
        let names: Vec<String> = command
            .get_subcommands()
            .map(|c| c.get_name().to_owned())
            .collect();
        command.build();
        for name in names {
            let sub = command.find_subcommand_mut(&name).unwrap();
            text.push_str(&format!("\n=== {name}\n{}", sub.render_help()));
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn the_run_of_logs_may_be_left_out() {
        let parse = |words: &[&str]| match Cli::parse_from([&["runbook", "logs"], words].concat())
            .command
        {
            Command::Logs(args) => {
                let (run, instance) = args.parts();
                (run.map(String::from), instance.map(String::from))
            }
            _ => unreachable!("logs was typed"),
        };
        assert_eq!(parse(&["stop@quay02"]), (None, Some("stop@quay02".into())));
        assert_eq!(
            parse(&["k3", "stop@quay02"]),
            (Some("k3".into()), Some("stop@quay02".into()))
        );
        assert_eq!(parse(&["k3"]), (Some("k3".into()), None));
    }
}
