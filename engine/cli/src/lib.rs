//! The `runbook` command: arguments, wiring, exit codes. The only crate that prints: results on
//! standard output, mistakes and questions on standard error.

mod args;
mod commands;
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

use args::{Cli, Command};
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
        Command::Run(args) if args.dry_run => {
            commands::plan::plan(cli, &args.compile, false, output)
        }
        Command::Run(args) => commands::run::run(cli, args, output),
        Command::Resume(args) => commands::run::resume(cli, args, output),
        Command::Release(args) => commands::release::release(cli, args, output),
        Command::Runs => commands::runs::runs(cli, output),
        Command::Status(args) => commands::status::status(cli, args, output),
        Command::Logs(args) => commands::logs::logs(cli, args, output),
        Command::Steps(args) => commands::steps::steps(args, output),
        Command::Test(args) => commands::test::test(args, output),
    }
}
