//! What can be typed to be shown a plan: a step explained, a drawing.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::CompileArgs;

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// What is compiled.
    #[command(flatten)]
    pub(crate) compile: CompileArgs,
    /// The step, one of its hosts, or one instance
    #[arg(value_name = "STEP[@HOST]")]
    pub(crate) step: String,
}

/// Arguments of `graph`.
#[derive(Debug, Args)]
pub(crate) struct GraphArgs {
    /// What is compiled.
    #[command(flatten)]
    pub(crate) compile: CompileArgs,
    /// The language of the drawing [default: what the name of the output says; without one json
    /// with --json, else dot]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<GraphFormat>,
    /// A node for each instance, not for each step
    #[arg(long)]
    pub(crate) instances: bool,
    /// Which part of the runbook
    #[arg(long, value_enum, default_value_t = GraphPart::Main, value_name = "PART")]
    pub(crate) part: GraphPart,
    /// Write to a file [default: standard output]
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Languages of drawings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Graphviz.
    Dot,
    /// A flowchart for wikis and forges.
    Mermaid,
    /// A picture for browsers.
    Svg,
    /// Nodes and arrows for programs.
    Json,
}

/// Parts of a runbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphPart {
    /// The procedure.
    Main,
    /// The way back.
    Rollback,
    /// What runs on every ending.
    Finally,
    /// All three.
    All,
}
