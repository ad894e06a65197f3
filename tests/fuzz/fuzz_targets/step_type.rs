//! See `runbook_fuzz::step_type`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| runbook_fuzz::step_type(data));
