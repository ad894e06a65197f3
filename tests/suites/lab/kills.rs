//! `kill -9` of the controller at random moments, then `resume`, until it is done. Nothing may happen
//! twice, nothing may be missing.
//!
//! `RUNBOOK_KILLS` is how many kills there are in all; `RUNBOOK_SEED` repeats the choices of an earlier
//! run, and its moments as far as the machine is as fast. The figures are printed at the end:
//!
//! ```text
//! RUNBOOK_KILLS=200 cargo test -p runbook-tests --test lab kills::twenty -- --nocapture
//! RUNBOOK_KILLS=50 cargo test -p runbook-tests --test lab kills::upgrade -- --nocapture
//! ```

mod twenty;
mod upgrade;
