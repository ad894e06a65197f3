//! What goes wrong, and how often.

use runbook_model::HostName;

use super::random::Random;

/// One thing that can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The controller dies.
    Crash,
    /// The power of the controller's machine is cut: what its disk had not written is lost, or torn.
    PowerCut,
    /// A write of the journal fails.
    WriteFails,
    /// A sync of the journal fails, and what it was to write is not on the disk.
    SyncFails,
    /// The disk of the journal is full.
    DiskFull,
    /// The controller sleeps for an hour; its links do not survive that.
    Sleep,
    /// The controller's clock is set, forwards or back.
    ClockSet,
    /// Another controller takes the run over; this one comes back later.
    TakenOver,
    /// Somebody wants nothing new to start.
    Interrupt,
    /// Somebody has the controller leave at once.
    Detach,
    /// The link to a host breaks.
    Cut,
    /// The link to a host is dead, and that is noticed later.
    HalfOpen,
    /// The link to a host is slow: what was sent later may arrive earlier.
    Slow,
    /// A host cannot be reached when it is asked for.
    Unreachable,
    /// A launch is answered by silence: it arrives late, or never.
    Silence,
    /// A launch arrives twice.
    Twice,
    /// A host reboots.
    Reboot,
    /// A host reboots, and what it had not written is lost: attempts are gone, or older.
    Forgets,
    /// Something kills what runs on a host.
    Killed,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 19] = [
        Self::Crash,
        Self::PowerCut,
        Self::WriteFails,
        Self::SyncFails,
        Self::DiskFull,
        Self::Sleep,
        Self::ClockSet,
        Self::TakenOver,
        Self::Interrupt,
        Self::Detach,
        Self::Cut,
        Self::HalfOpen,
        Self::Slow,
        Self::Unreachable,
        Self::Silence,
        Self::Twice,
        Self::Reboot,
        Self::Forgets,
        Self::Killed,
    ];
}

/// A fault that struck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Struck {
    /// Which.
    pub fault: Fault,
    /// The host, where it is about one.
    pub host: Option<HostName>,
    /// The controller, counted from 1.
    pub during: u32,
    /// The last event that was in the journal.
    pub seq: u64,
}

/// Chances of faults, each in a thousand, and how many faults there are at most: a world calms down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// The controller dies, before each action.
    pub crash: u32,
    /// A crash is one of the whole machine.
    pub power: u32,
    /// A write of the journal fails, at each record.
    pub write: u32,
    /// A sync of the journal fails, at each sync.
    pub sync: u32,
    /// The disk of the journal is full, at each record.
    pub full: u32,
    /// The controller sleeps, before each input.
    pub sleep: u32,
    /// Its clock is set, before each input.
    pub clock: u32,
    /// Another controller takes over, before each input.
    pub taken_over: u32,
    /// Somebody presses Ctrl-C, before each input.
    pub interrupt: u32,
    /// Somebody leaves an order, before each input.
    pub orders: u32,
    /// The link to a host breaks, at each action that goes there.
    pub cut: u32,
    /// The link to a host is half open, at each action that goes there.
    pub half_open: u32,
    /// The link to a host is slow, at each action that goes there.
    pub slow: u32,
    /// A host cannot be reached when it is asked for.
    pub unreachable: u32,
    /// A launch is answered by silence.
    pub silence: u32,
    /// A launch arrives twice.
    pub twice: u32,
    /// A host reboots, at each action that goes there.
    pub reboot: u32,
    /// A reboot loses what was not written.
    pub forgets: u32,
    /// What runs on a host is killed, at each action that goes there.
    pub killed: u32,
    /// So many faults in all.
    pub budget: u32,
}

impl Faults {
    /// Everything goes wrong now and then.
    #[must_use]
    pub fn some(random: &mut Random) -> Self {
        let mut up_to = |most: u64| u32::try_from(random.below(most + 1)).unwrap_or(0);
        Self {
            crash: up_to(30),
            power: up_to(600),
            write: up_to(6),
            sync: up_to(20),
            full: up_to(6),
            sleep: up_to(8),
            clock: up_to(20),
            taken_over: up_to(10),
            interrupt: up_to(8),
            orders: up_to(40),
            cut: up_to(60),
            half_open: up_to(40),
            slow: up_to(40),
            unreachable: up_to(30),
            silence: up_to(100),
            twice: up_to(100),
            reboot: up_to(40),
            forgets: up_to(1000),
            killed: up_to(40),
            budget: up_to(30),
        }
    }

    /// Whether a fault of this chance happens now.
    pub(super) fn strikes(&mut self, per_mille: u32, random: &mut Random) -> bool {
        let strikes = per_mille > 0 && self.budget > 0 && random.chance(per_mille);
        self.budget -= u32::from(strikes);
        strikes
    }
}
