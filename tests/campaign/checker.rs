//! Whether what one client sees keeps the promises of docs/protocol.md.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use serde_json::Value;

use crate::world::World;

/// Where a subscription stands.
#[derive(Debug, Clone, Copy)]
struct Head {
    n: u64,
    /// The number may come once more: the snapshot of an answer, or the newest value behind a gap.
    may_repeat: bool,
}

/// What a message came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Step {
    #[default]
    Nothing,
    /// The gateway says goodbye with this code.
    Bye(u64),
    /// A command was refused with this code.
    Error(u64),
    /// The positions mean nothing any more.
    Resync,
}

pub(crate) struct Checker {
    world: Arc<World>,
    client: String,
    /// Whether quotes come merged; everything else comes whole.
    merges_quotes: bool,
    pub(crate) epoch: String,
    heads: HashMap<(String, String), Head>,
}

impl Checker {
    pub(crate) fn new(world: Arc<World>, client: String, merges_quotes: bool) -> Self {
        Self { world, client, merges_quotes, epoch: String::new(), heads: HashMap::new() }
    }

    /// Positions of a channel, as `since` has them.
    pub(crate) fn since(&self, channel: &str) -> Option<Value> {
        let n: serde_json::Map<String, Value> = self
            .heads
            .iter()
            .filter(|((_, of), _)| of == channel)
            .map(|((symbol, _), head)| (symbol.clone(), head.n.into()))
            .collect();
        (!n.is_empty() && !self.epoch.is_empty()).then(|| serde_json::json!({"epoch": self.epoch, "n": n}))
    }

    pub(crate) fn head(&self, symbol: &str, channel: &str) -> Option<u64> {
        self.heads.get(&(symbol.into(), channel.into())).map(|head| head.n)
    }

    fn found(&self, kind: &str, text: String) {
        self.world.found(kind, format!("{}: {text}", self.client));
    }

    /// Takes one message.
    pub(crate) fn message(&mut self, message: &Value) -> Step {
        let kind = message["T"].as_str().unwrap_or_default();
        match kind {
            "subscribed" => self.subscribed(message),
            "gap" => self.gap(message),
            "bye" => return Step::Bye(message["code"].as_u64().unwrap_or(0)),
            "error" => return Step::Error(message["code"].as_u64().unwrap_or(0)),
            "resync" => {
                self.world.count("resyncs");
                self.heads.clear();
                self.epoch = message["epoch"].as_str().unwrap_or_default().into();
                return Step::Resync;
            }
            "t" => self.event("trades".into(), message),
            "q" => self.event("quotes".into(), message),
            "k" => self.event("ticker".into(), message),
            "c" => self.event("corrections".into(), message),
            "status" => self.event("status".into(), message),
            "b" => self.event(format!("bars.{}", message["i"].as_str().unwrap_or_default()), message),
            _ => {}
        }
        Step::Nothing
    }

    fn subscribed(&mut self, message: &Value) {
        let channel = message["channel"].as_str().unwrap_or_default().to_owned();
        let epoch = message["epoch"].as_str().unwrap_or_default();
        if epoch != self.epoch {
            if !self.epoch.is_empty() {
                self.world.count("new epochs seen");
            }
            self.epoch = epoch.into();
            self.heads.clear();
        }
        for entry in message["ok"].as_array().into_iter().flatten() {
            let symbol = entry["S"].as_str().unwrap_or_default().to_owned();
            let n = entry["n"].as_u64().unwrap_or(0);
            let key = (symbol, channel.clone());
            let known = self.heads.get(&key).copied();
            match (entry["recovered"].as_bool(), known) {
                (Some(true), Some(head)) => {
                    self.world.count("recoveries");
                    if n < head.n {
                        self.found("backwards", format!("{key:?} recovered to {n} behind {}", head.n));
                    }
                }
                // The gap says what is missing; from where it must begin is known.
                (Some(false), Some(_)) => self.world.count("not recovered"),
                _ => {
                    self.heads.insert(key, Head { n, may_repeat: true });
                }
            }
        }
        for entry in message["err"].as_array().into_iter().flatten() {
            self.found("refused", format!("{channel}: {entry}"));
        }
    }

    fn gap(&mut self, message: &Value) {
        let field = |name: &str| message[name].as_u64().unwrap_or(0);
        let (from, to) = (field("from"), field("to"));
        let key = (
            message["S"].as_str().unwrap_or_default().to_owned(),
            message["channel"].as_str().unwrap_or_default().to_owned(),
        );
        self.world.count("gaps");
        if from == 0 || to < from {
            self.found("gap", format!("{message} is none"));
        }
        match self.heads.get(&key).copied() {
            Some(head) if head.n + 1 == from => {}
            // After another epoch the answer's gap starts at 1, and the answer's n has told its end.
            Some(head) if head.may_repeat && from == 1 && to <= head.n => {}
            Some(head) => {
                let kind = if from <= head.n { "repeat" } else { "hole" };
                self.found(kind, format!("{key:?}: at {} came {message}", head.n));
            }
            None => {}
        }
        let n = self.heads.get(&key).map_or(to, |head| head.n.max(to));
        self.heads.insert(key, Head { n, may_repeat: true });
    }

    fn event(&mut self, channel: String, message: &Value) {
        let symbol = message["S"].as_str().unwrap_or_default().to_owned();
        let Some(n) = message["n"].as_u64() else {
            self.found("shape", format!("an event without n: {message}"));
            return;
        };
        self.world.count("events checked");
        let merges = (channel == "quotes" && self.merges_quotes) || channel.starts_with("bars");
        let key = (symbol, channel);
        if let Some(head) = self.heads.get(&key).copied() {
            let is_next = n == head.n + 1 || (merges && n > head.n);
            let is_repeat_allowed = n == head.n && head.may_repeat;
            if !is_next && !is_repeat_allowed {
                let kind = if n <= head.n { "repeat" } else { "hole" };
                self.found(
                    kind,
                    format!("{key:?}: at {} (repeat allowed: {}) came {message}", head.n, head.may_repeat),
                );
            }
        }
        let text = message.to_string();
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        self.heads.insert(
            key.clone(),
            Head { n: n.max(self.heads.get(&key).map_or(0, |head| head.n)), may_repeat: false },
        );
        // A trade that was taken back or changed meanwhile is told again as such, under its number.
        if message["busted"] == true || message["corrected"] == true {
            self.world.count("corrected trades seen again");
            return;
        }
        self.world.journal.compare((self.epoch.clone(), key.0, key.1, n), hasher.finish(), &text);
    }
}
