//! Whether what one client sees keeps the promises of docs/protocol.md.

use std::{collections::HashMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::journal::{Journal, LineId};

/// The fields that the rules need.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(rename = "T")]
    kind: &'a str,
    #[serde(rename = "S")]
    symbol: Option<&'a str>,
    n: Option<u64>,
    i: Option<&'a str>,
    channel: Option<&'a str>,
    epoch: Option<&'a str>,
    state: Option<&'a str>,
    from: Option<u64>,
    to: Option<u64>,
    code: Option<u64>,
    after_ms: Option<u64>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    why: Option<&'a RawValue>,
    busted: Option<bool>,
    corrected: Option<bool>,
}

/// Where a subscription stands.
#[derive(Debug, Clone, Copy)]
struct Head {
    n: u64,
    /// The number may come once more: the snapshot of an answer, or the newest value behind a gap.
    may_repeat: bool,
    line: Option<LineId>,
}

/// What a message came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    /// An event of the channel `trades`.
    Trade,
    /// Something is missing, and the client is told.
    Gap {
        symbol: String,
        channel: String,
        from: u64,
        to: u64,
        why: String,
    },
    /// Whether the data is live.
    Source(String),
    /// The gateway says goodbye with this code, and asks to wait.
    Bye(u64, u64),
    /// A command was refused with this code.
    Error(u64),
    /// The numbering is another one.
    Resync,
    /// A position could not be served.
    NotRecovered,
}

pub(crate) struct Checker {
    journal: Arc<Journal>,
    client: String,
    epoch: String,
    heads: HashMap<(String, String), Head>,
}

/// Channels of which the newest event is enough.
fn merges(channel: &str) -> bool {
    channel == "quotes" || channel == "ticker" || channel.starts_with("bars")
}

impl Checker {
    pub(crate) fn new(journal: Arc<Journal>, client: String) -> Self {
        Self { journal, client, epoch: String::new(), heads: HashMap::new() }
    }

    pub(crate) fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Positions of a channel, as `since` has them.
    pub(crate) fn since(&self, channel: &str) -> Option<Value> {
        let heads = self.heads.iter().filter(|((_, of), _)| of == channel);
        let n: serde_json::Map<String, Value> =
            heads.map(|((symbol, _), head)| (symbol.clone(), head.n.into())).collect();
        (!n.is_empty() && !self.epoch.is_empty()).then(|| serde_json::json!({"epoch": self.epoch, "n": n}))
    }

    pub(crate) fn head(&self, symbol: &str, channel: &str) -> Option<u64> {
        self.heads.get(&(symbol.into(), channel.into())).map(|head| head.n)
    }

    fn found(&self, kind: &'static str, text: &str) {
        self.journal.found(kind, format!("{}: {text}", self.client));
    }

    /// Takes one frame, an array of messages.
    pub(crate) fn frame(&mut self, text: &str, mut step: impl FnMut(Step)) {
        match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(messages) => messages.iter().for_each(|message| step(self.message(message.get()))),
            Err(why) => self.found("shape", &format!("a frame that is no array: {why}")),
        }
    }

    /// Takes one message.
    pub(crate) fn message(&mut self, text: &str) -> Step {
        let fields: Fields<'_> = match serde_json::from_str(text) {
            Ok(fields) => fields,
            Err(why) => {
                self.found("shape", &format!("{why}: {text}"));
                return Step::Nothing;
            }
        };
        match fields.kind {
            "subscribed" => return self.subscribed(text),
            "gap" => return self.gap(&fields, text),
            "bye" => return Step::Bye(fields.code.unwrap_or(0), fields.after_ms.unwrap_or(0)),
            "error" => return Step::Error(fields.code.unwrap_or(0)),
            "source" => return Step::Source(fields.state.unwrap_or_default().to_owned()),
            "resync" => {
                if fields.epoch == Some(self.epoch.as_str()) {
                    self.found("resync", &format!("the epoch is the same: {text}"));
                }
                self.heads.clear();
                self.epoch = fields.epoch.unwrap_or_default().into();
                return Step::Resync;
            }
            "t" => self.event("trades", &fields, text),
            "q" => self.event("quotes", &fields, text),
            "k" => self.event("ticker", &fields, text),
            "c" => self.event("corrections", &fields, text),
            "status" => self.event("status", &fields, text),
            "b" => self.event(&format!("bars.{}", fields.i.unwrap_or_default()), &fields, text),
            _ => return Step::Nothing,
        }
        if fields.kind == "t" { Step::Trade } else { Step::Nothing }
    }

    fn subscribed(&mut self, text: &str) -> Step {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let channel = message["channel"].as_str().unwrap_or_default().to_owned();
        let epoch = message["epoch"].as_str().unwrap_or_default();
        if epoch != self.epoch {
            self.epoch = epoch.into();
            self.heads.clear();
        }
        let mut step = Step::Nothing;
        for entry in message["ok"].as_array().into_iter().flatten() {
            let symbol = entry["S"].as_str().unwrap_or_default().to_owned();
            let n = entry["n"].as_u64().unwrap_or(0);
            let key = (symbol, channel.clone());
            let known = self.heads.get(&key).copied();
            match (entry["recovered"].as_bool(), known) {
                (Some(true), Some(head)) => {
                    self.journal.add("recoveries", 1);
                    if n < head.n {
                        self.found("backwards", &format!("{key:?} recovered to {n} behind {}", head.n));
                    }
                }
                (Some(false), Some(head)) => {
                    self.journal.add("not recovered", 1);
                    step = Step::NotRecovered;
                    // The client has come from a node that was further: this one cannot hear the log, and says where it is.
                    if n < head.n {
                        self.journal.add("positions ahead of a node", 1);
                        self.heads.insert(key, Head { n, may_repeat: true, line: head.line });
                    }
                }
                _ => {
                    self.heads.insert(key, Head { n, may_repeat: true, line: None });
                }
            }
        }
        for entry in message["err"].as_array().into_iter().flatten() {
            self.found("refused", &format!("{channel}: {entry}"));
        }
        step
    }

    fn gap(&mut self, fields: &Fields<'_>, text: &str) -> Step {
        let (from, to) = (fields.from.unwrap_or(0), fields.to.unwrap_or(0));
        let symbol = fields.symbol.unwrap_or_default().to_owned();
        let channel = fields.channel.unwrap_or_default().to_owned();
        let key = (symbol.clone(), channel.clone());
        self.journal.add("gaps", 1);
        if from == 0 || to < from {
            self.found("gap", &format!("{text} is none"));
        }
        let before = self.heads.get(&key).copied();
        match before {
            Some(head) if head.n + 1 == from => {}
            // After another epoch the answer's gap starts at 1, and the answer's n has told its end.
            Some(head) if head.may_repeat && from == 1 && to <= head.n => {}
            // Behind a new numbering nothing is known yet.
            None => {}
            // Merging subscriptions have seen the newest only.
            Some(head) if merges(&channel) && from > head.n => {}
            Some(head) => {
                let kind = if from <= head.n { "repeat" } else { "hole" };
                self.found(kind, &format!("{key:?}: at {} came {text}", head.n));
            }
        }
        let n = before.map_or(to, |head| head.n.max(to));
        self.heads.insert(key, Head { n, may_repeat: true, line: before.and_then(|head| head.line) });
        let why = fields.why.map_or("", |why| why.get().trim_matches('"')).to_owned();
        Step::Gap { symbol, channel, from, to, why }
    }

    fn event(&mut self, channel: &str, fields: &Fields<'_>, text: &str) {
        let (Some(symbol), Some(n)) = (fields.symbol, fields.n) else {
            self.found("shape", &format!("an event without symbol or n: {text}"));
            return;
        };
        self.journal.add("events checked", 1);
        let key = (symbol.to_owned(), channel.to_owned());
        let before = self.heads.get(&key).copied();
        if let Some(head) = before {
            let is_next = n == head.n + 1 || (merges(channel) && n > head.n);
            let is_repeat_allowed = n == head.n && head.may_repeat;
            if !is_next && !is_repeat_allowed {
                let kind = if n <= head.n { "repeat" } else { "hole" };
                self.found(kind, &format!("{key:?}: at {} came {text}", head.n));
            }
        }
        let line = before.and_then(|head| head.line);
        let line = line.unwrap_or_else(|| self.journal.line(&self.epoch, symbol, channel));
        let n_now = n.max(before.map_or(0, |head| head.n));
        self.heads.insert(key, Head { n: n_now, may_repeat: false, line: Some(line) });
        // A trade that was taken back or changed meanwhile is told again as such, under its number.
        if fields.busted == Some(true) || fields.corrected == Some(true) {
            return;
        }
        let trade = (channel == "trades").then(|| fields.id?.get().trim_matches('"').parse().ok()).flatten();
        self.journal.compare(line, n, (text, trade), &self.client);
    }
}
