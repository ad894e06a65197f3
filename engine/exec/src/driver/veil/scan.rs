//! Finds patterns in a text that comes in pieces: every place where one may have begun is followed at once.

use std::ops::Range;

use super::form::{Forms, Gap, Unit};

/// Steps of a gap: a wrapped text is indented by so much at most.
const GAP: u8 = 32;
/// Places in a text that are taken for the end of a part that was cut off.
const CUTS: usize = 64;

/// Patterns, and where each may begin.
#[derive(Debug)]
pub(super) struct Scanner {
    forms: Forms,
    /// Patterns by the byte that they may begin with.
    begins: Vec<Vec<u32>>,
}

/// Where one pattern stands. Of two that stand at the same place the one that began first is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Thread {
    pattern: u32,
    /// The unit that comes next, or that is being read.
    unit: u32,
    place: Place,
    /// Steps of the gap before the unit.
    gap: u8,
    /// The unit that it began with: not the first, where the begin is cut off.
    from: u32,
    /// Where it began in the text.
    start: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Before,
    /// In a way to write the unit, so many bytes of it.
    Way(u8, u8),
    /// In a part of the gap.
    Gap(u8, u8),
}

/// How far a text has been read.
#[derive(Debug, Default)]
pub(super) struct Scan {
    threads: Vec<Thread>,
    next: Vec<Thread>,
    at: u64,
    /// What was found, not sorted.
    found: Vec<Range<u64>>,
}

impl Scan {
    /// Bytes read so far.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Before this place nothing more will be found.
    pub(super) fn settled(&self) -> u64 {
        let starts = self.threads.iter().map(|thread| thread.start);
        starts.min().unwrap_or(self.at)
    }

    /// What was found since the last call, sorted, and joined where it touches.
    pub(super) fn take(&mut self) -> Vec<Range<u64>> {
        self.found.sort_unstable_by_key(|range| range.start);
        let mut out: Vec<Range<u64>> = Vec::new();
        for range in self.found.drain(..) {
            match out.last_mut() {
                Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
                _ => out.push(range),
            }
        }
        out
    }
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self {
            forms: Forms::default(),
            begins: vec![Vec::new(); 256],
        }
    }

    /// Adds a secret; texts that are being read go on.
    pub(super) fn add(&mut self, secret: &str) {
        let first = self.forms.patterns.len();
        self.forms.add(secret);
        for (pattern, number) in self.forms.patterns.iter().zip(0u32..).skip(first) {
            let Some((unit, _)) = pattern.units.first() else {
                continue;
            };
            for byte in 0..=u8::MAX {
                if self.forms.units[*unit].begins_with(byte) {
                    self.begins[usize::from(byte)].push(number);
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.forms.patterns.is_empty()
    }

    /// Reads on.
    pub(super) fn read(&self, scan: &mut Scan, bytes: &[u8]) {
        for byte in bytes {
            let mut next = std::mem::take(&mut scan.next);
            let threads = std::mem::take(&mut scan.threads);
            for thread in &threads {
                self.step(*thread, *byte, scan, &mut next);
            }
            for pattern in &self.begins[usize::from(*byte)] {
                let thread = begin(*pattern, 0, scan.at);
                self.step(thread, *byte, scan, &mut next);
            }
            if next.len() > 1 {
                next.sort_unstable();
                next.dedup_by_key(|t| (t.pattern, t.unit, t.place, t.gap));
            }
            scan.threads = next;
            scan.next = threads;
            scan.next.clear();
            scan.at += 1;
        }
    }

    /// A text that may have been cut at its ends, or where it says so, is read as a whole. A part of a secret that
    /// begins or ends there counts.
    pub(super) fn read_cut(&self, scan: &mut Scan, text: &str) {
        self.cut_before(scan);
        let bytes = text.as_bytes();
        let (mut done, mut cuts) = (0, 0);
        let marks = text.match_indices(['…', char::REPLACEMENT_CHARACTER]);
        for (at, mark) in marks.take_while(|_| {
            cuts += 1;
            cuts <= CUTS
        }) {
            // The two ends of a long output are set apart by lines of their own.
            let opens = text[..at].strip_suffix("\n[").map_or(at, str::len);
            let after = at + mark.len();
            let closes = after
                + if text[after..].starts_with("]\n") {
                    2
                } else {
                    0
                };
            self.read(scan, &bytes[done..opens.max(done)]);
            self.cut_after(scan);
            self.read(scan, &bytes[opens.max(done)..closes]);
            self.cut_before(scan);
            done = closes;
        }
        self.read(scan, &bytes[done..]);
        self.cut_after(scan);
    }

    /// The text ends here: what has begun counts, if there is enough of it.
    pub(super) fn cut_after(&self, scan: &mut Scan) {
        let Scan {
            threads, found, at, ..
        } = scan;
        for thread in threads.iter() {
            let few = self.forms.patterns[thread.pattern as usize].few;
            if (thread.unit - thread.from) as usize >= few {
                found.push(thread.start..*at);
            }
        }
    }

    /// The text begins here: secrets may have begun before.
    fn cut_before(&self, scan: &mut Scan) {
        for (pattern, number) in self.forms.patterns.iter().zip(0u32..) {
            let last = pattern.units.len().saturating_sub(pattern.few);
            for (_, unit) in pattern.units.iter().zip(0u32..).take(last + 1).skip(1) {
                scan.threads.push(begin(number, unit, scan.at));
            }
        }
    }

    fn step(&self, thread: Thread, byte: u8, scan: &mut Scan, next: &mut Vec<Thread>) {
        let pattern = &self.forms.patterns[thread.pattern as usize];
        let (unit, gap) = pattern.units[thread.unit as usize];
        let unit = &self.forms.units[unit];
        match thread.place {
            Place::Before => {
                if unit.is(byte) {
                    self.advance(thread, scan, next);
                }
                for (way, number) in unit.ways.iter().zip(0u8..) {
                    if way.has(0, byte) {
                        next.push(thread.to(Place::Way(number, 1)));
                    }
                }
                // A gap stands between two units, never before the first.
                if thread.unit > thread.from && thread.gap < GAP {
                    for (way, number) in gap.ways().iter().zip(0u8..) {
                        if way[0] == byte {
                            step_gap(thread, gap, number, 1, next);
                        }
                    }
                }
            }
            Place::Way(number, at) => self.in_way(thread, unit, number, at, byte, scan, next),
            Place::Gap(number, at) => {
                if gap.ways()[usize::from(number)][usize::from(at)] == byte {
                    step_gap(thread, gap, number, at + 1, next);
                }
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one step, with all that it needs"
    )]
    fn in_way(
        &self,
        thread: Thread,
        unit: &Unit,
        number: u8,
        at: u8,
        byte: u8,
        scan: &mut Scan,
        next: &mut Vec<Thread>,
    ) {
        let way = &unit.ways[usize::from(number)];
        if !way.has(usize::from(at), byte) {
        } else if usize::from(at) + 1 == way.bytes.len() {
            self.advance(thread, scan, next);
        } else {
            next.push(thread.to(Place::Way(number, at + 1)));
        }
    }

    /// The unit was read.
    fn advance(&self, thread: Thread, scan: &mut Scan, next: &mut Vec<Thread>) {
        let units = self.forms.patterns[thread.pattern as usize].units.len();
        if thread.unit as usize + 1 == units {
            scan.found.push(thread.start..scan.at + 1);
        } else {
            next.push(Thread {
                unit: thread.unit + 1,
                place: Place::Before,
                gap: 0,
                ..thread
            });
        }
    }
}

impl Thread {
    fn to(self, place: Place) -> Self {
        Self { place, ..self }
    }
}

fn begin(pattern: u32, unit: u32, start: u64) -> Thread {
    Thread {
        pattern,
        unit,
        place: Place::Before,
        gap: 0,
        from: unit,
        start,
    }
}

fn step_gap(thread: Thread, gap: Gap, number: u8, at: u8, next: &mut Vec<Thread>) {
    let whole = gap.ways()[usize::from(number)].len() == usize::from(at);
    next.push(match whole {
        true => Thread {
            place: Place::Before,
            gap: thread.gap + 1,
            ..thread
        },
        false => thread.to(Place::Gap(number, at)),
    });
}
