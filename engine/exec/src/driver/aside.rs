//! A consumer of events behind a queue, on a thread of its own: a terminal that does not take what
//! is written to it must never hold a run up.
//!
//! The queue is bounded. What does not fit is left out, and the consumer is told how much that was
//! as soon as it takes something again. One that panics is gone, and the run goes on.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use runbook_model::{Millis, NodeIx, Plan, Record, RunState, Watcher};

/// So many things wait for a consumer at most.
const QUEUE: usize = 8_192;

enum Told {
    /// The first event, with everything that belongs to it.
    First(Box<(Plan, RunState, Record)>),
    Record(Box<Record>),
    /// So many events were left out; this is what they and all others add up to.
    Missed(u64, Box<RunState>),
    Output(NodeIx, Vec<u8>),
    Tick(Millis),
    /// To be answered when everything before it is shown.
    Settle(SyncSender<()>),
}

/// A consumer that is told of everything without being waited for.
#[derive(Debug)]
pub struct Aside {
    /// None: it is gone.
    queue: Option<SyncSender<Told>>,
    begun: bool,
    missed: u64,
}

impl Aside {
    /// Puts a consumer aside.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new(watcher: Box<dyn Watcher + Send>) -> std::io::Result<Self> {
        Self::with(watcher, QUEUE)
    }

    fn with(watcher: Box<dyn Watcher + Send>, size: usize) -> std::io::Result<Self> {
        let (queue, told) = sync_channel(size);
        std::thread::Builder::new()
            .name("watcher".to_owned())
            .spawn(move || serve(watcher, &told))?;
        Ok(Self {
            queue: Some(queue),
            begun: false,
            missed: 0,
        })
    }

    /// False if there is no room.
    fn tell(&mut self, told: Told) -> bool {
        let sent = self.queue.as_ref().map(|queue| queue.try_send(told));
        match sent {
            Some(Ok(())) => true,
            Some(Err(TrySendError::Full(_))) => false,
            Some(Err(TrySendError::Disconnected(_))) | None => {
                self.queue = None;
                true
            }
        }
    }
}

impl Watcher for Aside {
    fn record(&mut self, record: &Record, plan: &Plan, state: &RunState) {
        let told = if self.begun {
            Told::Record(Box::new(record.clone()))
        } else {
            Told::First(Box::new((plan.clone(), state.clone(), record.clone())))
        };
        self.begun = true;
        if self.missed > 0 || !self.tell(told) {
            self.missed += 1;
        }
    }

    fn output(&mut self, node: NodeIx, _: &Plan, bytes: &[u8]) {
        if self.begun && self.missed == 0 {
            self.tell(Told::Output(node, bytes.to_vec()));
        }
    }

    fn tick(&mut self, now: Millis, _: &Plan, state: &RunState) {
        if self.missed > 0 && self.tell(Told::Missed(self.missed, Box::new(state.clone()))) {
            self.missed = 0;
        }
        if self.begun && self.missed == 0 {
            self.tell(Told::Tick(now));
        }
    }

    fn settle(&mut self, limit: Duration) {
        let begun = Instant::now();
        let left = || limit.saturating_sub(begun.elapsed());
        let (done, answer) = sync_channel(1);
        while !self.tell(Told::Settle(done.clone())) {
            if left().is_zero() {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // Whoever does not answer in time is not waited for. One that is gone drops the question.
        drop(done);
        let _ = answer.recv_timeout(left());
    }
}

fn serve(mut watcher: Box<dyn Watcher + Send>, told: &Receiver<Told>) {
    let mut known: Option<(Plan, RunState)> = None;
    while let Ok(told) = told.recv() {
        match (told, &mut known) {
            (Told::First(first), known) => {
                let (plan, state, record) = *first;
                watcher.record(&record, &plan, &state);
                *known = Some((plan, state));
            }
            (Told::Record(record), Some((plan, state))) => {
                // The run itself has folded it in already.
                if state.apply(&record).is_ok() {
                    watcher.record(&record, plan, state);
                }
            }
            (Told::Missed(events, now), Some((plan, state))) => {
                *state = *now;
                watcher.missed(events, plan, state);
            }
            (Told::Output(node, bytes), Some((plan, _))) => watcher.output(node, plan, &bytes),
            (Told::Tick(now), Some((plan, state))) => watcher.tick(now, plan, state),
            (Told::Settle(done), _) => {
                let _ = done.try_send(());
            }
            (_, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Arc, Mutex};

    use runbook_model::event::{Controller, StopReason};
    use runbook_model::{Epoch, Event, RunId};

    use super::*;

    /// Takes an event only when it is let.
    struct Slow {
        seen: Arc<Mutex<Vec<String>>>,
        let_go: Receiver<()>,
    }

    impl Watcher for Slow {
        fn record(&mut self, record: &Record, _: &Plan, state: &RunState) {
            assert_eq!(state.seq, record.seq);
            let _ = self.let_go.recv();
            self.seen
                .lock()
                .unwrap()
                .push(format!("event {}", record.seq));
        }

        fn missed(&mut self, events: u64, _: &Plan, state: &RunState) {
            let text = format!("{events} missed, now {}", state.seq);
            self.seen.lock().unwrap().push(text);
        }
    }

    type Seen = Arc<Mutex<Vec<String>>>;

    fn slow(size: usize) -> (Aside, Seen, Sender<()>) {
        let seen = Seen::default();
        let (go, let_go) = channel();
        let slow = Slow {
            seen: Arc::clone(&seen),
            let_go,
        };
        (Aside::with(Box::new(slow), size).unwrap(), seen, go)
    }

    fn events(count: u64) -> Vec<Record> {
        let created = Event::RunCreated {
            run: RunId::new("r1").unwrap(),
            runbook: "r".into(),
            plan: "p".into(),
            nodes: Vec::new(),
        };
        let controller = Controller {
            host: "c".into(),
            pid: 1,
            user: "u".into(),
            engine: "0".into(),
        };
        let more = (3..=count).map(|_| Event::Stopping {
            reason: StopReason::Interrupt,
        });
        let all = [created, Event::Opened { controller }]
            .into_iter()
            .chain(more);
        (1..)
            .zip(all)
            .map(|(seq, event)| Record {
                seq,
                epoch: Epoch(1),
                at: 0,
                event,
            })
            .collect()
    }

    fn tell(aside: &mut Aside, count: u64) -> RunState {
        let plan = Plan::empty("r");
        let mut state = RunState::default();
        for record in events(count) {
            state.apply(&record).unwrap();
            aside.record(&record, &plan, &state);
        }
        state
    }

    #[test]
    fn everything_arrives_in_order() {
        let (mut aside, seen, go) = slow(100);
        (0..5).for_each(|_| go.send(()).unwrap());
        tell(&mut aside, 5);
        aside.settle(Duration::from_secs(60));
        let wanted: Vec<String> = (1..=5).map(|n| format!("event {n}")).collect();
        assert_eq!(*seen.lock().unwrap(), wanted);
    }

    #[test]
    fn who_takes_nothing_holds_nobody_up_and_learns_what_was_left_out() {
        let (mut aside, seen, go) = slow(2);
        let state = tell(&mut aside, 50);
        (0..50).for_each(|_| go.send(()).unwrap());
        aside.settle(Duration::from_secs(60));
        while aside.missed > 0 {
            aside.tick(0, &Plan::empty("r"), &state);
            std::thread::yield_now();
        }
        aside.settle(Duration::from_secs(60));
        let seen = seen.lock().unwrap();
        assert_eq!(seen[0], "event 1");
        assert!(seen.last().unwrap().ends_with("missed, now 50"), "{seen:?}");
        assert!(seen.len() < 10, "{seen:?}");
    }

    #[test]
    fn one_that_is_gone_is_not_told_any_more() {
        let (mut aside, seen, go) = slow(2);
        drop(go);
        aside.queue = None;
        tell(&mut aside, 50);
        aside.settle(Duration::from_secs(60));
        assert_eq!(aside.missed, 0);
        assert!(seen.lock().unwrap().is_empty());
    }
}
