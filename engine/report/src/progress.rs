//! A run on a terminal: what is done and what is active, redrawn in place, and below it nothing.
//! What is finished goes above as lines.

mod reached;
mod screen;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use runbook_model::{Event, Millis, NodeIx, Plan, Record, RunState, Watcher};

use crate::Style;
use crate::lines::{left_out, line};
use crate::narrate::Narrator;
use reached::Reached;
use screen::Screen;

/// Lines that are kept while the display is held back; older ones are counted only.
const KEPT: usize = 10_000;

/// Rows and columns of the screen, asked before each drawing.
pub type Size = Box<dyn Fn() -> (u16, u16) + Send>;

/// Draws a run on a terminal.
#[derive(Debug)]
pub struct Progress {
    narrator: Narrator,
    reached: Reached,
    style: Style,
    size: SizeOf,
    stage: Arc<Mutex<Stage>>,
}

struct SizeOf(Size);

impl fmt::Debug for SizeOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Size")
    }
}

/// What is on the screen.
#[derive(Debug)]
struct Stage {
    multi: MultiProgress,
    total: Option<ProgressBar>,
    below: Vec<ProgressBar>,
    shown: Option<Screen>,
    held: usize,
    kept: Vec<String>,
    lost: usize,
}

/// Holds a display back while a person is asked.
#[derive(Debug, Clone)]
pub struct Curtain(Arc<Mutex<Stage>>);

/// While it lives nothing is drawn; what is told meanwhile comes when it is dropped.
#[derive(Debug)]
pub struct Held(Arc<Mutex<Stage>>);

impl Progress {
    /// Draws to `target`, which must be a terminal; ten times a second is enough for it.
    #[must_use]
    pub fn new(target: ProgressDrawTarget, style: Style, size: Size) -> Self {
        let stage = Stage {
            multi: MultiProgress::with_draw_target(target),
            total: None,
            below: Vec::new(),
            shown: None,
            held: 0,
            kept: Vec::new(),
            lost: 0,
        };
        Self {
            narrator: Narrator::new(true, style.clone()),
            reached: Reached::default(),
            style,
            size: SizeOf(size),
            stage: Arc::new(Mutex::new(stage)),
        }
    }

    /// Draws to standard error.
    #[must_use]
    pub fn stderr(style: Style, size: Size) -> Self {
        Self::new(ProgressDrawTarget::stderr_with_hz(10), style, size)
    }

    /// What holds this display back, for the one who asks.
    #[must_use]
    pub fn curtain(&self) -> Curtain {
        Curtain(Arc::clone(&self.stage))
    }

    fn draw(&self, now: Millis, plan: &Plan, state: &RunState) {
        let (rows, columns) = (self.size.0)();
        let since = self.narrator.opened_at();
        let times = (since, now);
        let screen = Screen::of(
            plan,
            state,
            &self.reached,
            times,
            (rows, columns),
            &self.style,
        );
        lock(&self.stage).draw(&screen);
    }
}

impl Watcher for Progress {
    fn record(&mut self, record: &Record, plan: &Plan, state: &RunState) {
        let told = self.narrator.tell(record, plan, state);
        {
            let mut stage = lock(&self.stage);
            for told in &told {
                stage.tell(line(told, &self.style).trim_end_matches('\n'));
            }
        }
        match &record.event {
            Event::Dispatched { instances, .. } => {
                instances
                    .iter()
                    .for_each(|intent| self.reached.forget(intent.node));
            }
            Event::Finished { node, .. } => self.reached.forget(*node),
            _ => {}
        }
        match record.event {
            Event::Closed { .. } => lock(&self.stage).clear(),
            Event::Opened { .. } => self.draw(record.at, plan, state),
            _ => {}
        }
    }

    fn output(&mut self, node: NodeIx, plan: &Plan, bytes: &[u8]) {
        self.reached.hear(node, plan, bytes);
    }

    fn missed(&mut self, events: u64, plan: &Plan, state: &RunState) {
        lock(&self.stage).tell(&format!("({})", left_out(events)));
        if state.result.is_none() {
            self.draw(state.last_at, plan, state);
        }
    }

    fn tick(&mut self, now: Millis, plan: &Plan, state: &RunState) {
        if state.result.is_none() {
            self.draw(now, plan, state);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        lock(&self.stage).clear();
    }
}

impl Curtain {
    /// Clears the display and keeps it away until the result is dropped.
    #[must_use]
    pub fn hold(&self) -> Held {
        let mut stage = lock(&self.0);
        stage.clear();
        stage.held += 1;
        drop(stage);
        Held(Arc::clone(&self.0))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut stage = lock(&self.0);
        stage.held = stage.held.saturating_sub(1);
        if stage.held == 0 {
            let lost = std::mem::take(&mut stage.lost);
            if lost > 0 {
                stage.tell(&format!("({lost} lines left out)"));
            }
            for text in std::mem::take(&mut stage.kept) {
                stage.tell(&text);
            }
        }
    }
}

/// A display whose drawer panicked is still only a display.
fn lock(stage: &Mutex<Stage>) -> MutexGuard<'_, Stage> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stage {
    fn tell(&mut self, text: &str) {
        if self.held > 0 {
            if self.kept.len() == KEPT {
                self.lost += 1;
            } else {
                self.kept.push(text.to_owned());
            }
            return;
        }
        // A terminal that is gone is no reason to end a run; the journal has everything.
        let _ = self.multi.println(text);
    }

    fn draw(&mut self, screen: &Screen) {
        if self.held > 0 {
            return;
        }
        if self.shown.as_ref() == Some(screen) {
            return;
        }
        while self.below.len() > screen.below.len() {
            if let Some(bar) = self.below.pop() {
                self.multi.remove(&bar);
            }
        }
        while self.below.len() < screen.below.len() {
            self.below
                .push(self.multi.add(ProgressBar::new(0).with_style(line_style())));
        }
        for (bar, text) in self.below.iter().zip(&screen.below) {
            if bar.message() != *text {
                bar.set_message(text.clone());
            }
        }
        let total = self.total.get_or_insert_with(|| {
            self.multi
                .insert(0, ProgressBar::new(0).with_style(total_style()))
        });
        // One change after the other would be one drawing after the other.
        total.update(|bar| {
            bar.set_len(screen.total as u64);
            bar.set_pos(screen.done as u64);
        });
        total.set_message(screen.head.clone());
        self.shown = Some(screen.clone());
    }

    fn clear(&mut self) {
        self.shown = None;
        for bar in self.below.drain(..).chain(self.total.take()) {
            self.multi.remove(&bar);
        }
        let _ = self.multi.clear();
    }
}

fn total_style() -> ProgressStyle {
    let template = format!("[{{bar:{}}}] {{pos}}/{{len}}  {{msg}}", screen::BAR);
    ProgressStyle::with_template(&template)
        .expect("the template is a constant")
        .progress_chars("=> ")
}

fn line_style() -> ProgressStyle {
    ProgressStyle::with_template("{msg}").expect("the template is a constant")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use indicatif::InMemoryTerm;

    fn progress() -> (InMemoryTerm, Progress) {
        let term = InMemoryTerm::new(40, 80);
        let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
        (
            term,
            Progress::new(target, Style::plain(80), Box::new(|| (40, 80))),
        )
    }

    #[test]
    fn what_is_finished_goes_above_what_runs() {
        let (term, mut progress) = progress();
        let tape = sample::failed().until_gate_passed();
        tape.play(&mut progress);
        let state = tape.state();
        progress.tick(state.last_at + 4_000, &tape.plan, &state);
        insta::assert_snapshot!(term.contents());
    }

    #[test]
    fn the_end_leaves_only_lines() {
        let (term, mut progress) = progress();
        sample::failed().play(&mut progress);
        drop(progress);
        insta::assert_snapshot!(term.contents());
    }

    #[test]
    fn a_question_is_not_drawn_over() {
        let (term, mut progress) = progress();
        let tape = sample::failed();
        let held = progress.curtain().hold();
        tape.play(&mut progress);
        progress.tick(tape.state().last_at, &tape.plan, &tape.state());
        assert_eq!(term.contents(), "");
        drop(held);
        assert!(
            term.contents().contains("phase survey"),
            "{}",
            term.contents()
        );
    }
}
