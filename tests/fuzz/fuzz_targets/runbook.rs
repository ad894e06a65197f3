//! See `runbook_fuzz::runbook`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| runbook_fuzz::runbook(data));
