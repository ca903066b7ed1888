//! Applies answers to the open requests.
//!
//! | the venue | a request is answered by | decided by |
//! | --- | --- | --- |
//! | Binance | one answer with its number | the number |
//! | Kraken | one answer for each symbol of each frame, with the frame's number | the numbers, and how many came |
//! | Alpaca | the list of all subscriptions, or one error | what the list has |
//! | Coinbase | that list, several errors, errors and the list, or a list that leaves bad products out: sources disagree | what the list has and what the errors name; after a grace the rest is asked again |

use super::{Asked, Instant, Names, RequestKind, Requests, Standing};
use crate::{
    dialect::{Listed, Refusal, RefusalClass},
    limits::{UPSTREAM_ANSWER_GRACE, UPSTREAM_REFUSED_AGAIN},
    market::Symbol,
};

/// What an answer decides.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::feed::upstream) struct Answered {
    /// Symbols that are subscribed now and were not.
    pub(in crate::feed::upstream) on: Vec<Symbol>,
    /// Symbols that the venue refuses, with its words.
    pub(in crate::feed::upstream) refused: Vec<(Symbol, String)>,
    /// Symbols for which the connection has no place.
    pub(in crate::feed::upstream) without_place: Vec<Symbol>,
    /// Whether the answer belongs to a request.
    pub(in crate::feed::upstream) is_known: bool,
}

impl Asked {
    fn decide_by(&mut self, at: Instant) {
        self.decided_by = Some(self.decided_by.map_or(at, |before| before.min(at)));
    }
}

impl Requests {
    /// An answer with a number came.
    pub(in crate::feed::upstream) fn answered(&mut self, id: Option<u64>) -> Answered {
        let mut told = Answered::default();
        let Some(at) = self.numbered(id) else { return told };
        told.is_known = true;
        self.changes.confirmed = true;
        self.setbacks = 0;
        let asked = &mut self.asked[at];
        asked.answers_due = asked.answers_due.saturating_sub(1);
        if asked.answers_due == 0
            && let Some(asked) = self.asked.remove(at).filter(|asked| asked.kind == RequestKind::Subscribe)
        {
            asked.symbols.iter().for_each(|symbol| self.confirm(*symbol, &mut told));
        }
        told
    }

    /// The list of everything that is subscribed came.
    pub(in crate::feed::upstream) fn listed(
        &mut self,
        list: &Listed,
        names: &Names,
        now: Instant,
    ) -> Answered {
        let mut told = Answered { is_known: true, ..Answered::default() };
        let Some(mut asked) = self.asked.pop_front() else { return told };
        self.changes.confirmed = true;
        self.setbacks = 0;
        match asked.kind {
            RequestKind::States => return told,
            RequestKind::Unsubscribe => {
                let is_off = |symbol: &Symbol| names.theirs(*symbol).is_none_or(|theirs| list.lacks(theirs));
                asked.symbols.retain(|symbol| !is_off(symbol));
            }
            RequestKind::Subscribe => {
                let is_on = |symbol: &Symbol| names.theirs(*symbol).is_some_and(|theirs| list.has(theirs));
                let before = asked.symbols.len();
                asked.symbols.retain(|symbol| {
                    let on = is_on(symbol);
                    if on {
                        self.confirm(*symbol, &mut told);
                    }
                    !on
                });
                asked.has_progress |= asked.symbols.len() < before;
            }
        }
        if !asked.symbols.is_empty() {
            asked.decide_by(now + UPSTREAM_ANSWER_GRACE);
            self.asked.push_front(asked);
        }
        told
    }

    /// A refusal came that does not end the connection.
    pub(in crate::feed::upstream) fn refused(
        &mut self,
        refusal: &Refusal,
        names: &Names,
        now: Instant,
    ) -> Answered {
        let mut told = Answered::default();
        let Some(at) = self.numbered(refusal.id) else {
            // A refusal without a number: open requests may have been dropped.
            return if refusal.class == RefusalClass::Rate { self.reconsider(now) } else { told };
        };
        told.is_known = true;
        self.changes.confirmed = true;
        if self.asked[at].kind == RequestKind::States {
            self.has_states = false;
            self.states.clear();
            self.asked.remove(at);
            return told;
        }
        match refusal.class {
            RefusalClass::Symbol => self.symbol_refused(at, refusal, names, (now, &mut told)),
            RefusalClass::Place => self.no_place(at, now),
            RefusalClass::Rate
            | RefusalClass::Channel
            | RefusalClass::Credentials
            | RefusalClass::Connections
            | RefusalClass::Remark
            | RefusalClass::Venue => self.repeat(at, now),
        }
        told
    }

    /// Whether the open request is for trading states, whose refusal does no harm.
    pub(in crate::feed::upstream) fn is_of_states(&self) -> bool {
        self.asked.front().is_some_and(|asked| asked.kind == RequestKind::States)
    }

    /// After the grace, asks again for open symbols; one that is alone by then is refused. Returns what that decides.
    pub(in crate::feed::upstream) fn decide(&mut self, now: Instant) -> Answered {
        let mut told = Answered::default();
        self.turn_away(now, &mut told);
        while let Some(at) = self.asked.iter().position(|asked| asked.decided_by.is_some_and(|by| by <= now))
        {
            let Some(asked) = self.asked.remove(at) else { break };
            self.changes.confirmed = true;
            if asked.kind != RequestKind::Subscribe {
                continue;
            }
            match asked.symbols[..] {
                // The list may belong to an older request, so a single symbol gets a second chance.
                [symbol] if asked.words.is_empty() && !asked.has_progress && self.doubted.insert(symbol) => {
                    self.batches.push_back((now, vec![symbol]));
                }
                [symbol] if self.venue.answers_in_lists() && !asked.has_progress => {
                    self.doubted.remove(&symbol);
                    let words = if asked.words.is_empty() {
                        "the venue does not list it among the subscriptions"
                    } else {
                        &asked.words
                    };
                    self.refuse(symbol, words, (now, &mut told));
                }
                _ if asked.has_progress || !self.venue.answers_in_lists() => {
                    self.batches.push_back((now, asked.symbols));
                }
                _ => self.halve(asked, now),
            }
        }
        told
    }

    /// When [`decide`](Self::decide) has something to do.
    pub(in crate::feed::upstream) fn decides_at(&self, now: Instant) -> Option<Instant> {
        if self.is_full() {
            return Some(now);
        }
        self.asked.iter().filter_map(|asked| asked.decided_by).min()
    }

    fn numbered(&self, id: Option<u64>) -> Option<usize> {
        match id {
            Some(id) => self.asked.iter().position(|asked| asked.ids.contains(&id)),
            // One request at a time.
            None => (self.venue.answers_in_lists() && !self.asked.is_empty()).then_some(0),
        }
    }

    fn confirm(&mut self, symbol: Symbol, told: &mut Answered) {
        if let Some(standing @ Standing::Asked) = self.symbols.get_mut(&symbol) {
            *standing = Standing::On;
            self.states.insert(symbol, true);
            told.on.push(symbol);
        }
    }

    fn refuse(&mut self, symbol: Symbol, words: &str, (now, told): (Instant, &mut Answered)) {
        if !matches!(self.symbols.get(&symbol), Some(Standing::Refused(_)) | None) {
            self.symbols.insert(symbol, Standing::Refused(now));
            told.refused.push((symbol, words.to_owned()));
        }
    }

    /// The refusal is about symbols. Those that it names are refused; if it names none, the request is repeated in halves.
    fn symbol_refused(
        &mut self,
        at: usize,
        refusal: &Refusal,
        names: &Names,
        (now, told): (Instant, &mut Answered),
    ) {
        let is_named = |symbol: &Symbol| names.theirs(*symbol).is_some_and(|theirs| refusal.names(theirs));
        let named: Vec<_> = self.asked[at].symbols.iter().copied().filter(is_named).collect();
        let is_known_already = refusal.symbol.is_none()
            && self
                .symbols
                .iter()
                .any(|(symbol, standing)| matches!(standing, Standing::Refused(_)) && is_named(symbol));
        named.iter().for_each(|symbol| self.refuse(*symbol, &refusal.words, (now, told)));
        if !self.venue.answers_in_lists() {
            if named.is_empty() {
                return self.divide(at, refusal, (now, told));
            }
            // Kraken answers for each symbol of each frame, so the answers for the others are still to come.
            let answered = self.answered(refusal.id);
            told.on.extend(answered.on);
            return;
        }
        if named.is_empty() && is_known_already {
            // Repeated, perhaps for another channel.
            return;
        }
        let asked = &mut self.asked[at];
        asked.symbols.retain(|symbol| !named.contains(symbol));
        asked.has_progress |= !named.is_empty();
        refusal.words.clone_into(&mut asked.words);
        asked.decide_by(now + UPSTREAM_ANSWER_GRACE);
        if asked.symbols.is_empty() {
            self.asked.remove(at);
        }
    }

    fn divide(&mut self, at: usize, refusal: &Refusal, (now, told): (Instant, &mut Answered)) {
        let Some(asked) = self.asked.remove(at).filter(|asked| asked.kind == RequestKind::Subscribe) else {
            return;
        };
        match asked.symbols[..] {
            [symbol] => self.refuse(symbol, &refusal.words, (now, told)),
            _ => self.halve(asked, now),
        }
    }

    fn halve(&mut self, asked: Asked, now: Instant) {
        let mut first = asked.symbols;
        let second = first.split_off(first.len() / 2);
        self.batches.extend([(now, first), (now, second)].into_iter().filter(|(_, half)| !half.is_empty()));
    }

    /// The connection is full: asks for fewer next, and later turns away symbols without a place.
    fn no_place(&mut self, at: usize, now: Instant) {
        let Some(asked) = self.asked.remove(at).filter(|asked| asked.kind == RequestKind::Subscribe) else {
            return;
        };
        let total = self.symbols().count();
        let too_many = self.too_many.map_or(total, |(before, _)| before.min(total)).max(1);
        self.too_many = Some((too_many, now));
        for symbol in asked.symbols {
            self.symbols.remove(&symbol);
            self.to_ask.insert(symbol);
        }
    }

    /// Turns away the symbols that have no place. The limit is forgotten after a while, because the plan may change.
    fn turn_away(&mut self, now: Instant, told: &mut Answered) {
        self.too_many = self.too_many.filter(|(_, since)| now < *since + UPSTREAM_REFUSED_AGAIN);
        if self.is_full() {
            told.without_place.extend(std::mem::take(&mut self.to_ask));
        }
    }

    fn is_full(&self) -> bool {
        !self.to_ask.is_empty() && self.asked.is_empty() && self.places_left() == Some(0)
    }

    /// Repeats the request after a pause.
    fn repeat(&mut self, at: usize, now: Instant) {
        let pause = self.pause();
        let Some(asked) = self.asked.remove(at) else { return };
        match asked.kind {
            RequestKind::Subscribe => self.batches.push_back((now + pause, asked.symbols)),
            // Ticks of a symbol that stays subscribed are ignored.
            RequestKind::Unsubscribe | RequestKind::States => {}
        }
    }

    /// Gives all open requests a grace, after which they are repeated.
    fn reconsider(&mut self, now: Instant) -> Answered {
        for asked in &mut self.asked {
            asked.decide_by(now + UPSTREAM_ANSWER_GRACE);
        }
        Answered { is_known: true, ..Answered::default() }
    }
}
