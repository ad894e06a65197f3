//! Twenty seconds of counted effects under kills, on two pairs of hosts side by side; now and then a
//! link is cut, a host loses its power, or what runs on it is killed as well. `RUNBOOK_KILLS` is how
//! many controllers are killed in all (30), at most five in one run.
//!
//! One run in four ends badly and is rolled back, one in four is rolled back after its first kill: the
//! way back is killed like the way there. What nobody can know is answered as a person would: by what
//! is there on the host, and what a host that was away at the end still holds is released by hand. Where
//! only controllers were killed, there is nothing to ask and nothing held.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use runbook_exec::store::Seen;
use runbook_model::{FailureKind, Outcome, RunResult};
use runbook_tests::chance::{Chance, number};
use runbook_tests::kills::{Figures, Length, Moment, Struck};
use runbook_tests::lab::Lab;
use runbook_tests::operator::{Operator, Session};
use runbook_tests::pair::{Pair, Victim};
use runbook_tests::terminal::say;

/// Kills in all.
const KILLS: u64 = 30;
/// Kills in one run at most.
const MOST: u64 = 5;
/// Controllers of one run at most: every kill and every fault ends one, and each may cost one more.
const CONTROLLERS: u32 = 40;
const LENGTH: Length = Length {
    events: 270,
    millis: 21_000,
};
const PAIRS: [[&str; 2]; 2] = [["db01", "quay01"], ["quay02", "quay03"]];

/// Where a run is to get to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Course {
    /// To its end.
    Forward,
    /// It fails at its end, and is rolled back.
    BackAtEnd,
    /// It is rolled back by the second controller.
    BackEarly,
}

/// What happens beside a kill, or instead of one.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// A link is out for so long.
    Cut(Duration),
    /// A host loses its power, and has it again after so long.
    Power(Duration),
    /// Processes of an attempt are killed.
    Processes(Victim),
}

/// A pair of hosts and what befalls it in one run.
struct Trial<'scope, 'env> {
    pair: &'env Pair<'env>,
    operator: Operator,
    course: Course,
    /// Something else than controllers was hurt: the run may fail, and may have to ask.
    hurt: bool,
    /// The last controller was killed.
    dead: bool,
    mending: Vec<ScopedJoinHandle<'scope, ()>>,
}

#[test]
fn twenty_seconds_that_are_killed_repeat_nothing_and_lose_nothing() {
    let (chance, seed) = Chance::of_environment();
    let wanted = number("RUNBOOK_KILLS").unwrap_or(KILLS);
    println!("RUNBOOK_SEED={seed} RUNBOOK_KILLS={wanted}");
    let lab = Lab::fresh();
    let (figures, failed) = (Mutex::new(Figures::default()), AtomicU64::new(0));
    let left = AtomicU64::new(wanted);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for (hosts, at) in PAIRS.into_iter().zip(0..) {
            let mut chance = chance.clone();
            // Each pair has a course of its own, whatever the other one does meanwhile.
            (0..at).for_each(|_| chance = Chance::new(chance.below(u64::MAX)));
            let (lab, figures, failed, left) = (&lab, &figures, &failed, &left);
            scope.spawn(move || {
                let pair = Pair { lab, hosts };
                let mut in_vain = 0;
                loop {
                    let most = take(left, MOST);
                    if most == 0 || in_vain > 5 {
                        break;
                    }
                    let one = || run(&pair, &mut chance, most, figures);
                    // One that fails does not end the others: a bug is worth figures, too.
                    let used = catch_unwind(AssertUnwindSafe(one)).unwrap_or_else(|_| {
                        failed.fetch_add(1, Ordering::Relaxed);
                        most
                    });
                    in_vain = if used == 0 { in_vain + 1 } else { 0 };
                    left.fetch_add(most - used, Ordering::Relaxed);
                }
            });
        }
    });
    let (figures, seconds) = (lock(&figures), begin.elapsed().as_secs());
    let failed = failed.into_inner();
    println!("{figures}\n  {failed} runs failed, {seconds} seconds (RUNBOOK_SEED={seed})");
    assert_eq!(failed, 0, "runs failed: see above");
    assert!(figures.kills >= wanted, "runs end before they are killed");
}

/// Takes so many at most.
fn take(from: &AtomicU64, most: u64) -> u64 {
    let taken = from.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
        Some(left.saturating_sub(most))
    });
    taken.unwrap_or_else(|left| left).min(most)
}

fn lock(figures: &Mutex<Figures>) -> MutexGuard<'_, Figures> {
    figures.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One run under so many kills at most; how many there were.
fn run(pair: &Pair, chance: &mut Chance, most: u64, figures: &Mutex<Figures>) -> u64 {
    let course = match chance.below(4) {
        0 => Course::BackAtEnd,
        1 => Course::BackEarly,
        _ => Course::Forward,
    };
    let number = {
        let mut figures = lock(figures);
        figures.runs += 1;
        figures.runs
    };
    std::thread::scope(|scope| {
        let mut trial = Trial {
            pair,
            operator: pair.operator(course != Course::BackAtEnd),
            course,
            hurt: false,
            dead: false,
            mending: Vec::new(),
        };
        let mut kills = 0;
        for controller in 0.. {
            assert!(controller < CONTROLLERS, "run {number} does not end");
            let seen = trial.operator.begun();
            if seen.as_ref().is_some_and(|seen| trial.is_over(seen)) {
                break;
            }
            let mut session = trial.next(seen.as_ref(), kills > 0, chance, figures);
            let killed = loop {
                let written = trial.operator.begun().map_or(0, |seen| seen.state.seq);
                let moment = Moment::draw(
                    chance,
                    LENGTH,
                    written % LENGTH.events,
                    most - kills.min(most),
                );
                let moment = moment.after(written - written % LENGTH.events);
                if kills == most || !moment.comes(&mut session) {
                    break None;
                }
                let fault = draw(chance);
                if let Some(fault) = fault {
                    let seen = trial.operator.begun();
                    trial.make(scope, fault, chance, seen.as_ref(), figures);
                }
                // Now and then the controller lives on and has to cope.
                if fault.is_none() || chance.below(4) > 0 {
                    break Some((moment, fault));
                }
            };
            let Some((moment, fault)) = killed else {
                trial.judge(&mut session);
                continue;
            };
            session.terminal.kill();
            trial.dead = true;
            kills += 1;
            let seen = trial.operator.begun();
            let struck = seen.as_ref().map_or_else(Struck::nowhere, Struck::of);
            lock(figures).kill(&struck);
            let fault = fault.map_or(String::new(), |fault| format!(", {fault:?}"));
            say(&format!(
                "  run {number} ({course:?}) on {}, kill {kills}: {moment:?}{fault}, {struck}",
                pair.hosts.join(" ")
            ));
        }
        trial.mend();
        let seen = trial.operator.seen();
        if trial.dead {
            // Its last controller was killed after its last event: a person asks what is to be done.
            let ended = trial
                .operator
                .alone(&["resume".into(), seen.id.as_str().into()]);
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(ended.status.success(), "resume of what is over: {said}");
        }
        trial.release(figures);
        let seen = trial.operator.seen();
        let wrong = pair.wrong(&trial.operator, &seen, trial.hurt);
        let strays = pair.strays();
        lock(figures).strays += strays.len() as u64;
        let result = &seen.state.result;
        assert!(
            wrong.is_empty(),
            "run {number}, {}, {result:?}:\n{}",
            seen.id,
            wrong.join("\n")
        );
        say(&format!(
            "  run {number}: {result:?} after {kills} kills {strays:?}"
        ));
        kills
    })
}

/// Most kills come alone.
fn draw(chance: &mut Chance) -> Option<Fault> {
    let time = Duration::from_millis(500 + chance.below(4000));
    match chance.below(10) {
        0 | 1 => Some(Fault::Cut(time)),
        2 => Some(Fault::Power(time / 2)),
        3 => Some(Fault::Processes(match chance.below(3) {
            0 => Victim::Payload,
            1 => Victim::Wrapper,
            _ => Victim::Both,
        })),
        _ => None,
    }
}

impl<'scope, 'env> Trial<'scope, 'env> {
    fn is_over(&self, seen: &Seen) -> bool {
        match seen.state.result {
            Some(RunResult::RolledBack) => true,
            Some(RunResult::Succeeded) => self.course != Course::BackAtEnd,
            _ => false,
        }
    }

    /// The next controller.
    fn next(
        &mut self,
        seen: Option<&Seen>,
        killed: bool,
        chance: &mut Chance,
        figures: &Mutex<Figures>,
    ) -> Session {
        let Some(seen) = seen else {
            return self.operator.run();
        };
        // Half of them begin while the host is still away.
        let doubtful = doubtful(seen);
        if !doubtful.is_empty() || chance.below(2) == 0 {
            self.mend();
        }
        if !doubtful.is_empty() {
            lock(figures).questions += doubtful.len() as u64;
            assert!(self.hurt, "only controllers were killed, and it asks");
            return self.answer(&doubtful);
        }
        let back = match self.course {
            Course::Forward => false,
            Course::BackAtEnd => self.has_failed_at_the_end(seen),
            Course::BackEarly => killed && seen.state.nodes.iter().any(|n| n.has_acted()),
        };
        if back && seen.state.rollback.is_none() {
            let id = seen.id.to_string();
            let words = ["rollback", &id, "--confirm", &id, "--reason", "it is time"];
            return self.operator.session(&words.map(Into::into));
        }
        self.operator.resume()
    }

    fn has_failed_at_the_end(&self, seen: &Seen) -> bool {
        let node = seen.plan.node("go@control").expect("it is in the plan");
        let outcome = &seen.state.nodes[node.at()].outcome;
        matches!(outcome, Some(Outcome::Failed(f)) if f.kind == FailureKind::Assert)
    }

    /// What nobody knows is looked at on the host, and said.
    fn answer(&self, doubtful: &[(String, String)]) -> Session {
        let mut words = vec!["resume".to_owned()];
        for (node, host) in doubtful {
            let word = match self.pair.has_blind(host) {
                true => "--done",
                false => "--retry",
            };
            words.extend([word.to_owned(), node.clone()]);
        }
        if words.iter().any(|word| word == "--done") {
            words.extend(["--evidence", "the log has its line"].map(str::to_owned));
        }
        words.extend(["--reason", "somebody has looked"].map(str::to_owned));
        let words: Vec<_> = words.into_iter().map(Into::into).collect();
        self.operator.session(&words)
    }

    /// What a host that was away at the end still holds is listed, and a person has it released.
    fn release(&self, figures: &Mutex<Figures>) {
        let seen = self.operator.seen();
        let held: BTreeSet<&str> = seen
            .state
            .held()
            .filter_map(|(node, _)| seen.state.node(node)?.summary.id.split('@').next())
            .collect();
        if held.is_empty() {
            return;
        }
        assert!(self.hurt, "only controllers were killed, and it holds");
        lock(figures).questions += held.len() as u64;
        for step in held {
            let words = ["release", seen.id.as_str(), step, "--reason", "it is back"];
            let ended = self.operator.alone(&words.map(Into::into));
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(ended.status.success(), "release of {step}: {said}");
        }
    }

    fn make(
        &mut self,
        scope: &'scope Scope<'scope, 'env>,
        fault: Fault,
        chance: &mut Chance,
        seen: Option<&Seen>,
        figures: &Mutex<Figures>,
    ) {
        self.mend();
        let (lab, host) = (self.pair.lab, self.pair.hosts[chance.below(2) as usize]);
        let mut later = |time: Duration, command: &'static str| {
            self.mending.push(scope.spawn(move || {
                std::thread::sleep(time);
                lab.run(&[command, host]);
            }));
        };
        let name = match fault {
            Fault::Cut(time) => {
                lab.run(&["cut", host]);
                later(time, "heal");
                "link cut"
            }
            Fault::Power(time) => {
                lab.run(&["kill", host]);
                later(time, "boot");
                "power cut"
            }
            Fault::Processes(victim) => {
                let Some(seen) = seen else { return };
                let open: Vec<_> = seen.state.open_attempts().collect();
                let Some((_, attempt)) = open.get(chance.below(open.len() as u64) as usize) else {
                    return;
                };
                let (host, unit) = (attempt.host.as_str(), attempt.unit.as_str());
                // A script that is killed has failed, says its host. What has failed is repeated, and nobody is
                // asked; an undo that has failed is a person's. So these are killed with their wrappers.
                let of = &seen.state.nodes[attempt.node.at()].summary.id;
                let victim = match victim {
                    Victim::Payload if attempt.undo || of.starts_with("blind@") => Victim::Both,
                    victim => victim,
                };
                if !self.pair.hosts.contains(&host)
                    || !self.pair.strike(host, &seen.id, unit, victim)
                {
                    return;
                }
                match victim {
                    Victim::Payload => "script killed",
                    Victim::Wrapper => "wrapper killed",
                    Victim::Both => "script and wrapper killed",
                }
            }
        };
        self.hurt = true;
        *lock(figures).faults.entry(name).or_default() += 1;
    }

    /// Waits until what was cut or without power is back.
    fn mend(&mut self) {
        for one in self.mending.drain(..) {
            one.join().expect("the lab mends what it broke");
        }
    }

    /// A controller ends by itself: well, or for a reason.
    fn judge(&mut self, session: &mut Session) {
        let ended = session.end();
        self.dead = false;
        let seen = self.operator.begun();
        let expected = self.course == Course::BackAtEnd
            && seen
                .as_ref()
                .is_some_and(|seen| self.has_failed_at_the_end(seen));
        match ended.code {
            Some(0) => {}
            Some(1) if expected => {}
            Some(1 | 6) if self.hurt => {}
            // A rollback of what turned out to have done nothing.
            Some(2)
                if self.course == Course::BackEarly && ended.text.contains("has done nothing") =>
            {
                self.course = Course::Forward;
            }
            code => panic!("it ended with {code:?}:\n{}", ended.text),
        }
    }
}

/// What only a person can tell: each with its host.
fn doubtful(seen: &Seen) -> Vec<(String, String)> {
    let all = seen.state.nodes.iter().filter(
        |node| matches!(&node.outcome, Some(Outcome::Failed(f)) if f.kind == FailureKind::InDoubt),
    );
    all.map(|node| {
        let host = node.summary.host.as_ref().map(ToString::to_string);
        (node.summary.id.clone(), host.unwrap_or_default())
    })
    .collect()
}
