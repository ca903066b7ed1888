//! The sessions of a shard that follow a pattern, and up to which they were told of them.

/// Sessions with a pattern subscription.
#[derive(Debug)]
pub(super) struct Followers {
    sessions: Vec<usize>,
    next_topic: u32,
}

impl Followers {
    /// None yet, on a shard that knows all symbols whose topics have lower numbers.
    pub(super) const fn new(next_topic: u32) -> Self {
        Self { sessions: Vec::new(), next_topic }
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

    /// The sessions that have to look at new symbols, when the next one gets that number.
    pub(super) fn behind(&mut self, next: u32) -> &[usize] {
        if self.sessions.is_empty() || next == self.next_topic {
            return &[];
        }
        self.next_topic = next;
        &self.sessions
    }
}
