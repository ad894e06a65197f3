//! Orders, given by hand.

use runbook_exec::dispatcher::{Ask, Errand, Input};
use runbook_exec::world::Sketch;
use runbook_model::{Command, Event, NodeIx, Order};

use super::Bench;

pub fn order(id: &str, command: Command) -> Order {
    Order {
        id: id.into(),
        by: "ann".into(),
        reason: "because".into(),
        command,
    }
}

impl Bench {
    /// An order is left; why it is refused, if it is.
    pub fn order(&mut self, command: Command) -> Option<String> {
        let id = format!("o{}", self.state().seq);
        self.send(Input::Ordered(order(&id, command)));
        match self
            .events()
            .iter()
            .rfind(|e| matches!(e, Event::Ordered { .. } | Event::OrderRefused { .. }))
        {
            Some(Event::OrderRefused { order, problem }) if *order == id => Some(problem.clone()),
            Some(Event::Ordered { order, .. }) if order.id == id => None,
            other => panic!("the order was not taken in: {other:?}"),
        }
    }

    /// Opened to be run up to the end of this phase.
    pub fn until(sketch: Sketch, phase: u32) -> Self {
        let mut bench = Self::open(sketch);
        bench.options.until = Some(phase);
        bench.journal.clear();
        bench.epoch = 0;
        bench.crash()
    }

    /// After the run has closed, another controller goes on without that limit.
    pub fn resume_without_limit(mut self) -> Self {
        self.options.until = None;
        self.resume()
    }

    /// Another controller takes back what the run did.
    pub fn roll_back(self, to: Option<&str>) -> Self {
        let to = to.map(str::to_owned);
        let id = format!("back{}", self.epoch);
        self.errand(Errand::RollBack(order(
            &id,
            Command::RollBack { to, gate: None },
        )))
    }

    /// The same from a journal that ends with the first event of this kind, with what a phase and
    /// earlier ones did kept.
    pub fn roll_back_after(mut self, word: &str, to: &str) -> Self {
        let mut words = self.words().into_iter();
        let at = words.position(|of| of == word).unwrap();
        self.journal.truncate(at + 1);
        self.roll_back(Some(to))
    }

    /// Another controller releases what a node holds, by hand.
    pub fn release(self, node: NodeIx) -> Self {
        self.errand(Errand::Release(Ask {
            nodes: vec![node],
            by: "u".into(),
            reason: "r".into(),
        }))
    }

    fn errand(self, errand: Errand) -> Self {
        let epoch = self.epoch + 1;
        Self::take_up(
            self.plan,
            self.tables,
            self.options,
            self.journal,
            epoch,
            self.ids,
            errand,
        )
    }
}
