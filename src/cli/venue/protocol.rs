//! How a mock venue answers requests. Each dialect's `serve` writes the answers; this file decides which to give, by the
//! venue's limits and by the chosen reading where sources disagree.

use std::collections::BTreeSet;

use super::rules::{Reading, Rules};
use crate::{
    dialect::{Topic, Venue, VenueRequest, alpaca, binance, coinbase, kraken},
    limits::BINANCE_STREAMS,
    market::Channel,
};

/// The result of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) answers: Vec<String>,
    pub(super) add: BTreeSet<Topic>,
    pub(super) remove: BTreeSet<Topic>,
    /// The symbols with trading states from now on; `None` if that does not change.
    pub(super) states: Option<Vec<String>>,
    pub(super) let_in: bool,
}

impl Outcome {
    fn only(answer: String) -> Self {
        Self { answers: vec![answer], ..Self::default() }
    }
}

/// The state that a request is answered by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present<'a> {
    /// The client's subscriptions.
    pub(super) topics: &'a BTreeSet<Topic>,
    pub(super) states: &'a [String],
    /// The venue's symbols.
    pub(super) known: &'a BTreeSet<String>,
    pub(super) rules: &'a Rules,
}

/// The refusal of credentials.
pub(super) fn not_let_in() -> String {
    alpaca::serve::refusal(402, "auth failed")
}

/// The refusal of one connection more than the account may have.
pub(super) fn too_many_connections() -> String {
    alpaca::serve::refusal(406, "connection limit exceeded")
}

/// The refusal of requests before credentials.
pub(super) fn not_authenticated() -> String {
    alpaca::serve::refusal(401, "not authenticated")
}

/// The answer to one message more than the rate allows; `None` where the venue closes the connection instead.
pub(super) fn too_many(venue: Venue, request: &VenueRequest, rules: &Rules) -> Option<String> {
    match venue {
        Venue::Kraken if rules.plays(Reading::KrakenBare) => Some(kraken::serve::BARE_RATE_REFUSAL.into()),
        Venue::Kraken => match request {
            VenueRequest::Topics { begins, id, .. } => Some(kraken::serve::rate_refusal(*begins, *id)),
            VenueRequest::Ping { id } | VenueRequest::Unknown { id } => {
                Some(kraken::serve::rate_refusal(true, *id))
            }
            VenueRequest::Authenticate { .. } => None,
        },
        Venue::Coinbase => Some(coinbase::serve::refusal("rate limit exceeded")),
        Venue::Binance | Venue::Alpaca => None,
    }
}

/// A refusal that is the venue's own fault.
pub(super) fn at_fault(venue: Venue, request: &VenueRequest) -> String {
    let id = match request {
        VenueRequest::Topics { id, .. } | VenueRequest::Ping { id } | VenueRequest::Unknown { id } => *id,
        VenueRequest::Authenticate { .. } => None,
    };
    match venue {
        Venue::Binance => binance::serve::refusal(id, 1, "Internal error"),
        Venue::Coinbase => coinbase::serve::refusal("internal error"),
        Venue::Kraken => kraken::serve::refusal(true, id, "", "EService:Unavailable"),
        Venue::Alpaca => alpaca::serve::refusal(500, "internal error"),
    }
}

/// Answers a client's request.
pub(super) fn answer(venue: Venue, request: VenueRequest, present: Present<'_>) -> Outcome {
    match request {
        VenueRequest::Authenticate { .. } => {
            Outcome { let_in: true, ..Outcome::only(alpaca::serve::success("authenticated")) }
        }
        VenueRequest::Ping { id } => Outcome::only(kraken::serve::pong(id)),
        VenueRequest::Unknown { id } => match venue {
            Venue::Binance => Outcome::only(binance::serve::refusal(id, 2, "Invalid request")),
            Venue::Alpaca => Outcome::only(alpaca::serve::refusal(400, "invalid syntax")),
            Venue::Coinbase | Venue::Kraken => Outcome::default(),
        },
        VenueRequest::Topics { begins, id, topics, states } => {
            let asked = Asked { begins, id, topics, states };
            match venue {
                Venue::Binance => for_binance(asked, present),
                Venue::Coinbase => for_coinbase(asked, present),
                Venue::Kraken => for_kraken(&asked, present),
                Venue::Alpaca => for_alpaca(asked, present),
            }
        }
    }
}

/// A request for topics.
struct Asked {
    begins: bool,
    id: Option<u64>,
    topics: Vec<Topic>,
    states: Vec<String>,
}

impl Asked {
    fn changes(topics: impl IntoIterator<Item = Topic>, begins: bool) -> Outcome {
        let topics = topics.into_iter().collect();
        if begins {
            Outcome { add: topics, ..Outcome::default() }
        } else {
            Outcome { remove: topics, ..Outcome::default() }
        }
    }
}

/// The client's subscriptions after this change.
fn after(present: Present<'_>, outcome: &Outcome) -> BTreeSet<Topic> {
    let all = present.topics.union(&outcome.add);
    all.filter(|topic| !outcome.remove.contains(*topic)).cloned().collect()
}

fn for_binance(asked: Asked, present: Present<'_>) -> Outcome {
    let outcome = Asked::changes(asked.topics, asked.begins);
    let most = present.rules.places.unwrap_or(BINANCE_STREAMS);
    if asked.begins && after(present, &outcome).len() > most {
        return Outcome::only(binance::serve::refusal(asked.id, 4, "Too many subscriptions"));
    }
    Outcome { answers: vec![binance::serve::ack(asked.id)], ..outcome }
}

fn for_coinbase(asked: Asked, present: Present<'_>) -> Outcome {
    let (good, bad): (Vec<_>, Vec<_>) =
        asked.topics.into_iter().partition(|topic| present.known.contains(&topic.1));
    let bad: BTreeSet<_> = bad.into_iter().map(|topic| topic.1).collect();
    let refusals = |times| {
        let refusal =
            |product: &String| coinbase::serve::refusal(&format!("{product} is not a valid product"));
        bad.iter().flat_map(move |product| std::iter::repeat_n(refusal(product), times))
    };
    let rules = present.rules;
    let mut answers: Vec<_> = if rules.plays(Reading::CoinbaseSilent) {
        Vec::new()
    } else if rules.plays(Reading::CoinbaseErrorPerChannel) {
        refusals(3).collect()
    } else {
        refusals(1).collect()
    };
    if !answers.is_empty() && (good.is_empty() || rules.plays(Reading::CoinbaseErrorAlone)) {
        return Outcome { answers, ..Outcome::default() };
    }
    let outcome = Asked::changes(good, asked.begins);
    answers.push(coinbase::serve::subscriptions(after(present, &outcome).iter()));
    Outcome { answers, ..outcome }
}

fn for_kraken(asked: &Asked, present: Present<'_>) -> Outcome {
    let (begins, id) = (asked.begins, asked.id);
    let mut outcome = Outcome::default();
    for topic in &asked.topics {
        let symbol = topic.1.as_str();
        if !present.known.contains(symbol) {
            let words = format!("Currency pair not supported {symbol}");
            outcome.answers.push(kraken::serve::refusal(begins, id, symbol, &words));
            continue;
        }
        if begins && present.topics.contains(topic) && present.rules.plays(Reading::KrakenSubscribesOnce) {
            outcome.answers.push(kraken::serve::refusal(begins, id, symbol, "Already subscribed"));
            continue;
        }
        outcome.answers.push(kraken::serve::ack(begins, id, (topic.0, symbol)));
        let changed = if begins { &mut outcome.add } else { &mut outcome.remove };
        changed.insert(topic.clone());
    }
    outcome
}

fn for_alpaca(asked: Asked, present: Present<'_>) -> Outcome {
    let mut states = present.states.to_vec();
    if !asked.states.is_empty() {
        if present.rules.plays(Reading::AlpacaWithoutStates) {
            return Outcome::only(alpaca::serve::refusal(410, "invalid subscribe action for this feed"));
        }
        states.retain(|symbol| !asked.states.contains(symbol));
        if asked.begins {
            states.extend(asked.states);
        }
    }
    let outcome = Asked::changes(asked.topics, asked.begins);
    let now = after(present, &outcome);
    let taken = if present.rules.plays(Reading::AlpacaCountsChannels) {
        now.len()
    } else {
        now.iter().map(|topic| &topic.1).collect::<BTreeSet<_>>().len()
    };
    if asked.begins && present.rules.places.is_some_and(|places| taken > places) {
        return Outcome::only(alpaca::serve::refusal(405, "symbol limit exceeded"));
    }
    let list = alpaca::serve::subscription(now.iter(), &states);
    Outcome { answers: vec![list], states: Some(states), ..outcome }
}

/// Whether these topics have both trades and quotes of the symbol.
pub(super) fn is_whole(topics: &BTreeSet<&Topic>, symbol: &str) -> bool {
    [Channel::Trades, Channel::Quotes].iter().all(|channel| topics.contains(&(*channel, symbol.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialect::{Ack, Listed, Message},
        market::UnixMicros,
    };

    fn present<'a>(
        topics: &'a BTreeSet<Topic>,
        known: &'a BTreeSet<String>,
        rules: &'a Rules,
    ) -> Present<'a> {
        Present { topics, states: &[], known, rules }
    }

    fn read(venue: Venue, answers: &[String]) -> Vec<Message> {
        let mut messages = Vec::new();
        for answer in answers {
            venue.parse(answer.as_bytes(), UnixMicros(1), &mut messages).unwrap();
        }
        messages
    }

    /// What our own reading side makes of the answers to our own requests.
    #[test]
    fn our_requests_get_answers_that_we_understand() {
        for venue in Venue::ALL {
            let names: Vec<_> = ["BTC-USD", "ETH-USD"].iter().map(|ours| venue.symbol(ours)).collect();
            let known: BTreeSet<_> = names.iter().cloned().collect();
            let symbols: Vec<_> = names.iter().map(String::as_str).collect();
            let (rules, mut topics, mut acks) = (Rules::default(), BTreeSet::new(), 0);
            for frame in venue.subscribe(&symbols, 1) {
                let outcome = answer(venue, venue.request_of(&frame), present(&topics, &known, &rules));
                topics.extend(outcome.add);
                for message in read(venue, &outcome.answers) {
                    let Message::Ack(ack) = message else { panic!("{venue:?}: {message:?}") };
                    acks += 1;
                    let has_all = |list: &Listed| names.iter().all(|name| list.has(name));
                    assert!(
                        matches!(&ack, Ack::Request(Some(_)))
                            || matches!(&ack, Ack::Listed(list) if has_all(list)),
                        "{ack:?}"
                    );
                }
            }
            assert_eq!((topics.len(), acks), (4, if venue == Venue::Kraken { 4 } else { 1 }));
        }
    }

    #[test]
    fn a_connection_to_binance_has_as_many_streams_as_documented_and_no_more() {
        let names: Vec<_> = (0..=BINANCE_STREAMS / 2).map(|i| format!("S{i}USDT")).collect();
        let symbols: Vec<_> = names.iter().map(String::as_str).collect();
        let (known, rules, mut topics) = (BTreeSet::new(), Rules::default(), BTreeSet::new());
        for (i, symbol) in symbols.iter().enumerate() {
            let request = Venue::Binance.request_of(&Venue::Binance.subscribe(&[*symbol], 1)[0]);
            let outcome = answer(Venue::Binance, request, present(&topics, &known, &rules));
            assert_eq!(outcome.add.is_empty(), i == BINANCE_STREAMS / 2, "{i}");
            topics.extend(outcome.add);
        }
        assert_eq!(topics.len(), BINANCE_STREAMS);
    }

    #[test]
    fn what_a_venue_does_not_know_it_refuses_in_its_own_words() {
        let (none, rules) = (BTreeSet::new(), Rules::default());
        for venue in [Venue::Coinbase, Venue::Kraken] {
            for frame in venue.subscribe(&["NONE"], 1) {
                let outcome =
                    answer(venue, venue.request_of(&frame), present(&BTreeSet::new(), &none, &rules));
                let messages = read(venue, &outcome.answers);
                assert!(
                    matches!(&messages[..], [Message::Refused(refusal)] if refusal.names("NONE")),
                    "{messages:?}"
                );
                assert!(outcome.add.is_empty());
            }
        }
    }
}
