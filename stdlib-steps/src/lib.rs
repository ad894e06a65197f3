//! The shipped step types, embedded as data.
