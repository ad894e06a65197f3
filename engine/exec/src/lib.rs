//! Dispatcher, journal, resume: what runs a plan.
