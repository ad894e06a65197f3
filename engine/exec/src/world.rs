//! A simulated world for the dispatcher: hosts, links, a journal and a clock, all driven by a seed.
//!
//! The real [`crate::dispatcher::Dispatcher`] runs in it against hosts that keep attempts as real
//! ones do: claimed once, whoever launches how often; a result that stays; nothing known of what a
//! reboot cut off. Links break, launches arrive late or twice or never, hosts reboot, the controller
//! dies between any two actions and loses what was not durable, another one takes over, people give
//! orders. What really happened on the hosts is written down apart from the journal, so that the two
//! can be compared. The journal is one in memory, or the real one on a disk that fails.

mod chain;
mod controller;
mod deeds;
mod disk;
mod draw;
mod edit;
mod fault;
mod ghost;
mod host;
mod ledger;
mod misfortune;
mod nature;
mod random;
mod sketch;
mod tables;
mod term;
mod wishes;
mod wrong;

pub use controller::{Ending, World};
pub use draw::{Size, plan, plan_of};
pub use fault::{Fault, Faults, Struck};
pub use host::{Behaviour, Happening, Story, View, What};
pub use random::Random;
pub use sketch::Sketch;
pub use tables::Tables;
pub use wrong::Wrong;
