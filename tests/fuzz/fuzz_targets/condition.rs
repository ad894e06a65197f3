//! See `runbook_fuzz::condition`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| runbook_fuzz::condition(data));
