//! The `runbook` command: arguments, wiring, exit codes. The only crate that prints: results on
//! standard output, mistakes and questions on standard error.

mod args;
mod commands;
mod confirm;
mod desk;
mod engine;
mod error;
mod exit;
mod output;
mod prompt;
mod secrets;
mod signals;
mod who;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Cli, Command, RunsCommand};
use error::Error;
use exit::Exit;
use output::Output;

/// Runs the command with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    run(std::env::args_os()).into()
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let command = Cli::command().after_help(exit::help());
    let cli = match command
        .try_get_matches_from(arguments)
        .and_then(|m| Cli::from_arg_matches(&m))
    {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is nobody's mistake.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Mistake
            } else {
                Exit::Done
            };
        }
    };
    let output = Output::new(&cli);
    match dispatch(&cli, &output) {
        Ok(exit) => exit,
        Err(error) => {
            output.complain(&error);
            error.exit()
        }
    }
}

fn dispatch(cli: &Cli, output: &Output) -> Result<Exit, Error> {
    match &cli.command {
        Command::Check(args) => commands::check::check(args, output),
        Command::Plan(args) => commands::plan::plan(cli, &args.compile, args.offline, output),
        Command::Explain(args) => commands::explain::explain(args, output),
        Command::Graph(args) => commands::graph::graph(args, output),
        Command::Rehearse(args) => commands::rehearse::rehearse(args, output),
        Command::Run(args) if args.dry_run => {
            commands::plan::plan(cli, &args.compile, false, output)
        }
        Command::Run(args) => commands::run::run(cli, args, output),
        Command::Resume(args) => commands::run::resume(cli, args, output),
        Command::Attach(args) => commands::attach::attach(cli, args, output),
        Command::Pause(args) => commands::order::pause(cli, args, output),
        Command::Block(args) => commands::order::block(cli, args, output),
        Command::Unblock(args) => commands::order::unblock(cli, args, output),
        Command::Rerun(args) => commands::order::rerun(cli, args, output),
        Command::Note(args) => commands::order::note(cli, args, output),
        Command::Cancel(args) => commands::order::cancel(cli, args, output),
        Command::Approve(args) => commands::approve::approve(cli, args, output),
        Command::Exclude(args) => commands::order::exclude(cli, args, output),
        Command::Rollback(args) => commands::rollback::rollback(cli, args, output),
        Command::Abandon(args) => commands::abandon::abandon(cli, args, output),
        Command::Release(args) => commands::release::release(cli, args, output),
        Command::Takeover(args) => commands::takeover::takeover(cli, args, output),
        Command::Handover(args) => commands::takeover::handover(cli, args, output),
        Command::Runs(args) => match &args.command {
            None => commands::runs::runs(cli, output),
            Some(RunsCommand::Export(args)) => commands::export::export(cli, args, output),
            Some(RunsCommand::Import(args)) => commands::export::import(cli, args, output),
        },
        Command::Journal(args) => commands::journal::journal(cli, args, output),
        Command::Status(args) => commands::status::status(cli, args, output),
        Command::Remaining(args) => commands::remaining::remaining(cli, args, output),
        Command::Probe(args) => commands::probe::probe(cli, args, output),
        Command::Logs(args) => commands::logs::logs(cli, args, output),
        Command::Steps(args) => commands::steps::steps(args, output),
        Command::Test(args) => commands::test::test(args, output),
    }
}
