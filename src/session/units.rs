//! What work for clients costs, in units: the currency of turns and of the rate of commands.

/// Units of work for any command, besides those for its bytes and for what it names.
pub(super) const COMMAND: usize = 8;

/// Units of work for a subscription that begins, and for one that changes.
pub(super) const JOIN: usize = 4;

/// Units of work for a subscription that ends.
pub(super) const PART: usize = 2;

/// Units of work for an event that is recovered.
pub(super) const RECOVER: usize = 1;

/// Units of work for a symbol that is looked up, or compared with a pattern.
pub(super) const LOOK: usize = 1;

/// What a piece of work may cost, and has cost.
#[derive(Debug)]
pub(super) struct Units {
    most: usize,
    spent: usize,
}

impl Units {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, spent: 0 }
    }

    pub(super) const fn left(&self) -> usize {
        self.most.saturating_sub(self.spent)
    }

    pub(super) const fn spent(&self) -> usize {
        self.spent
    }

    pub(super) const fn spend(&mut self, units: usize) {
        self.spent = self.spent.saturating_add(units);
    }
}

/// How work on a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing is left, or it waits for something that will put it back into the queue.
    Idle,
    /// Something is left for the next turn.
    More,
}
