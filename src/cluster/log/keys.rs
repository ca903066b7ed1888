//! The names under which a cluster's things stand in Redis.
//!
//! All share one tag in braces, so that they live in one slot, and all begin with it, so that one pattern of an ACL covers them:
//! two clusters on one Redis cannot touch each other's.

/// The keys of one cluster.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
    /// The stream of batches.
    pub(super) log: String,
    /// The stream of notes.
    pub(super) notes: String,
    /// Who leads: `counter:random:node`, with a time to live.
    pub(super) lease: String,
    /// The last counter that was handed out with the lead.
    pub(super) term: String,
    /// What the numbering is made of.
    pub(super) meta: String,
    /// Signs of life by node.
    pub(super) nodes: String,
    /// Nodes by when their sign of life ends.
    pub(super) nodes_until: String,
    /// What the clients of each node want.
    pub(super) wants: String,
    /// Nodes by when what they want is forgotten.
    pub(super) wants_until: String,
    /// The stream of pushed ticks.
    pub(super) inbox: String,
    /// How many bytes wait in it.
    pub(super) inbox_size: String,
}

impl Keys {
    /// Of the cluster of that name.
    pub(super) fn new(name: &str) -> Self {
        let prefix = format!("{{tc:{name}}}");
        let key = |what: &str| format!("{prefix}:{what}");
        Self {
            log: key("log"),
            notes: key("notes"),
            lease: key("lease"),
            term: key("term"),
            meta: key("meta"),
            nodes: key("nodes"),
            nodes_until: key("nodes:until"),
            wants: key("wants"),
            wants_until: key("wants:until"),
            inbox: key("in"),
            inbox_size: key("in:size"),
            prefix,
        }
    }

    /// The pieces of an image.
    pub(super) fn image(&self, id: &str) -> String {
        format!("{}:image:{id}", self.prefix)
    }

    /// Which node makes it.
    pub(super) fn claim(&self, id: &str) -> String {
        format!("{}:image:{id}:by", self.prefix)
    }

    /// What was pushed under an `Idempotency-Key`.
    pub(super) fn pushed(&self, key: &str) -> String {
        format!("{}:in:key:{key}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_under_the_name_of_the_cluster() {
        let keys = Keys::new("prod");
        let all = [
            keys.log.clone(),
            keys.notes.clone(),
            keys.lease.clone(),
            keys.term.clone(),
            keys.meta.clone(),
            keys.nodes.clone(),
            keys.nodes_until.clone(),
            keys.wants.clone(),
            keys.wants_until.clone(),
            keys.inbox.clone(),
            keys.inbox_size.clone(),
            keys.image("x"),
            keys.claim("x"),
            keys.pushed("x"),
        ];
        let mut different = all.to_vec();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), all.len());
        assert!(all.iter().all(|key| key.starts_with("{tc:prod}:")), "{all:?}");
    }
}
