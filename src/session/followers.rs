//! The sessions of a shard that follow a pattern, and how many symbols they were told of.

/// Sessions with a pattern subscription.
#[derive(Debug)]
pub(super) struct Followers {
    sessions: Vec<usize>,
    known_topics: usize,
}

impl Followers {
    /// None yet, on a shard that knows so many symbols.
    pub(super) const fn new(known_topics: usize) -> Self {
        Self { sessions: Vec::new(), known_topics }
    }

    pub(super) fn add(&mut self, index: usize) {
        if !self.sessions.contains(&index) {
            self.sessions.push(index);
        }
    }

    pub(super) fn remove(&mut self, index: usize) {
        self.sessions.retain(|follower| *follower != index);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The sessions that have to look at new symbols, when there are `count` now.
    pub(super) fn behind(&mut self, count: usize) -> &[usize] {
        if self.sessions.is_empty() || count == self.known_topics {
            return &[];
        }
        self.known_topics = count;
        &self.sessions
    }
}
