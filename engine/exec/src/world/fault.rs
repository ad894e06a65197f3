//! What goes wrong, and how often.

use super::random::Random;

/// Chances of faults, each in a thousand, and how many faults there are at most: a world calms down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// The controller dies, before each action.
    pub crash: u32,
    /// The link to a host breaks, at each action that goes there.
    pub cut: u32,
    /// A host reboots, at each action that goes there.
    pub reboot: u32,
    /// A launch is answered by silence: it arrives late, or never.
    pub silence: u32,
    /// A host cannot be reached when it is asked for.
    pub unreachable: u32,
    /// Somebody presses Ctrl-C, before each action.
    pub interrupt: u32,
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
            cut: up_to(60),
            reboot: up_to(40),
            silence: up_to(100),
            unreachable: up_to(30),
            interrupt: up_to(8),
            budget: up_to(30),
        }
    }

    /// Whether a fault of this chance happens now.
    pub(super) fn strikes(&mut self, per_mille: u32, random: &mut Random) -> bool {
        let strikes = self.budget > 0 && random.chance(per_mille);
        self.budget -= u32::from(strikes);
        strikes
    }
}
