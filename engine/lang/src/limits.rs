//! How much there may be of something. Nobody writes or reviews more, and what follows from it
//! (instances, edges, comparisons of names) grows faster than the file.

/// Names in one map that conditions and templates can use: inputs, variables, groups, parameters.
pub const NAMES: usize = 1_000;

/// Items of one list, and entries of any other map: hosts, facts of a scenario.
pub const ITEMS: usize = 10_000;

/// Steps of a runbook.
pub const STEPS: usize = 5_000;

/// Instances of all steps together.
pub const INSTANCES: usize = 100_000;
