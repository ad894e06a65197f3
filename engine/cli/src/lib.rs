//! The runbook binary: arguments, wiring, exit codes.
