//! How far back the log reaches: by age and by size.
//!
//! Ids of the log are terms and numbers, not times, so each node remembers when it saw which batch, a section at a time. A node
//! that follows notes what it applies; when it leads it cuts the log at the same place as its predecessor would have.

use std::{collections::VecDeque, time::Duration};

use crate::{
    clock::Instant,
    cluster::Position,
    limits::{LOG_ENTRY_BYTES, WINDOW_SECTIONS},
};

/// Which part of the log is kept.
#[derive(Debug, Clone)]
pub struct Window {
    age: Duration,
    most: usize,
    sections: VecDeque<Section>,
    /// Of all sections together.
    bytes: usize,
}

/// Batches that go together.
#[derive(Debug, Clone, Copy)]
struct Section {
    from: Position,
    since: Instant,
    /// When its last batch was seen.
    until: Instant,
    bytes: usize,
}

impl Window {
    /// Keeps what is younger than `age`, and at most `most` bytes of it, each to one section of 64.
    #[must_use]
    pub fn new(age: Duration, most: usize) -> Self {
        Self { age, most, sections: VecDeque::new(), bytes: 0 }
    }

    /// A batch of `len` bytes stands at that position.
    pub fn note(&mut self, at: Position, len: usize, now: Instant) {
        let len = len.saturating_add(LOG_ENTRY_BYTES);
        let parts = WINDOW_SECTIONS as usize;
        let has_room = |section: &Section| {
            now.saturating_duration_since(section.since) < self.age / WINDOW_SECTIONS
                && section.bytes.saturating_add(len) <= self.most / parts
        };
        match self.sections.back_mut().filter(|section| has_room(section)) {
            Some(section) => {
                section.bytes += len;
                section.until = now;
            }
            None => self.sections.push_back(Section { from: at, since: now, until: now, bytes: len }),
        }
        self.bytes = self.bytes.saturating_add(len);
        self.cut(now);
    }

    /// Forgets what is too old or too much; the newest section always stays.
    fn cut(&mut self, now: Instant) {
        while self.sections.len() > 1
            && let Some(first) = self.sections.front()
            && (self.bytes > self.most || now.saturating_duration_since(first.until) > self.age)
        {
            self.bytes = self.bytes.saturating_sub(first.bytes);
            self.sections.pop_front();
        }
    }

    /// The first batch that is kept; all before it may go. The start of everything while nothing was noted.
    #[must_use]
    pub fn from(&self) -> Position {
        self.sections.front().map_or(Position::START, |section| section.from)
    }

    /// About how many bytes the window has now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How long ago the oldest batch of it was seen.
    #[must_use]
    pub fn reach(&self, now: Instant) -> Duration {
        self.sections.front().map_or(Duration::ZERO, |section| now.saturating_duration_since(section.since))
    }

    /// Forgets all: the log was founded anew.
    pub fn clear(&mut self) {
        self.sections.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_secs(60);

    fn at(seq: u64) -> Position {
        Position { term: 7, seq }
    }

    #[test]
    fn a_window_forgets_by_age() {
        let (mut window, start) = (Window::new(AGE, usize::MAX), Instant::now());
        assert_eq!(window.from(), Position::START);
        for seq in 0..600 {
            let now = start + Duration::from_millis(250) * u32::try_from(seq).unwrap();
            window.note(at(seq), 100, now);
            let from = window.from().seq;
            // Nothing that is younger than its age is cut, and a section more at most is kept.
            assert!(from <= seq.saturating_sub(240), "{from} at {seq}");
            assert!(seq - from <= 240 + 5, "{from} at {seq}");
        }
        assert!(window.reach(start + Duration::from_millis(250) * 599) >= AGE);
    }

    #[test]
    fn a_window_forgets_by_size_and_remembers_a_bounded_number_of_sections() {
        let (mut window, now) = (Window::new(AGE, 1_000_000), Instant::now());
        for seq in 0..100_000 {
            window.note(at(seq), 936, now);
            assert!(window.bytes() <= 1_000_000);
            assert!(window.sections.len() <= 2 * WINDOW_SECTIONS as usize);
        }
        assert!(window.bytes() > 900_000);
        assert!((99_000..99_200).contains(&window.from().seq), "{}", window.from().seq);
        window.clear();
        assert_eq!((window.from(), window.bytes()), (Position::START, 0));
    }

    #[test]
    fn one_batch_larger_than_the_window_stays() {
        let mut window = Window::new(AGE, 1_000);
        window.note(at(0), 5_000, Instant::now());
        window.note(at(1), 5_000, Instant::now());
        assert_eq!(window.from(), at(1));
    }
}
