//! See `runbook_fuzz::scenarios`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| runbook_fuzz::scenarios(data));
