//! Requests are separated by semicolons: `+full BTCUSD,ETHUSD;+brief~ BTCUSD;-full ETHUSD`, where `~` merges.

use super::{BRIEF, FULL, MUTE};
use crate::{
    dialect::{
        Code, Encoding, Fault, Form, Gap, Messages, Mode, Op, Packing, Refused, Reply, Request, Subscribe,
        Target,
    },
    market::{Body, Channel, Symbol, Tick},
};

pub(crate) const PACKING: Packing = Packing::One;

pub(crate) const NAMING: Option<fn(&Symbol) -> Option<Symbol>> = Some(name);

/// `BTC-USD` is `BTCUSD`.
fn name(symbol: &Symbol) -> Option<Symbol> {
    Symbol::new(&symbol.as_str().replace('-', "")).ok()
}

fn form(word: &str) -> Option<Form> {
    [FULL, BRIEF, MUTE].into_iter().find(|form| word_of(*form) == word)
}

const fn word_of(form: Form) -> &'static str {
    match form.nth() {
        0 => "full",
        1 => "brief",
        _ => "mute",
    }
}

pub(crate) fn read(message: &[u8], _encoding: Encoding) -> Result<Vec<Request>, Fault> {
    let fault = |msg: &str| Fault { id: None, code: Code::Syntax, msg: msg.to_owned() };
    let text = std::str::from_utf8(message).map_err(|why| fault(&why.to_string()))?;
    text.split(';').map(|request| one(request).ok_or_else(|| fault(request))).collect()
}

fn one(request: &str) -> Option<Request> {
    let (what, names) = request.split_once(' ')?;
    let symbols: Option<Vec<_>> =
        names.split(',').map(|name| Symbol::new(name).ok().map(Target::One)).collect();
    let (targets, channel) = (symbols?, Channel::Trades);
    let op = if let Some(word) = what.strip_prefix('-') {
        Op::Unsubscribe { channel, form: form(word)?, targets }
    } else {
        let word = what.strip_prefix('+')?;
        let mode = if word.ends_with('~') { Mode::Merge } else { Mode::Stream };
        let (form, mode) = (form(word.trim_end_matches('~'))?, Some(mode));
        Op::Subscribe(Subscribe {
            channel,
            form,
            targets,
            mode,
            max_rate: None,
            snapshot: false,
            since: None,
        })
    };
    Some(Request { id: None, op })
}

/// One message for each symbol of an answer; none for a heartbeat, and others that it has no word for.
pub(crate) fn write(reply: &Reply<'_>, out: &mut Messages) {
    match reply {
        Reply::Welcome(_) => out.push(b"hello"),
        Reply::Subscribed(it) => {
            it.ok.iter().for_each(|ok| out.push(format!("on {} {}", word_of(it.form), ok.symbol).as_bytes()));
            refuse(it.err, out);
        }
        Reply::Unsubscribed(it) => {
            it.ok.iter().for_each(|ok| out.push(format!("off {} {ok}", word_of(it.form)).as_bytes()));
            refuse(it.err, out);
        }
        Reply::Error(it) => out.push(format!("error {}", it.msg).as_bytes()),
        Reply::Gap(Gap { form: MUTE, .. }) => {}
        Reply::Gap(Gap { symbol, form, from, to, .. }) => {
            out.push(format!("lost {} {symbol} {from}-{to}", word_of(*form)).as_bytes());
        }
        Reply::Goodbye(it) => out.push(format!("bye {}", it.code).as_bytes()),
        Reply::List(_)
        | Reply::Info(_)
        | Reply::Pong(_)
        | Reply::Resync(_)
        | Reply::Source(_)
        | Reply::Heartbeat(_) => {}
    }
}

fn refuse(refused: &[Refused], out: &mut Messages) {
    refused.iter().for_each(|it| out.push(format!("no {}: {}", it.symbol, it.msg).as_bytes()));
}

pub(crate) fn event(form: Form, n: u64, body: &Body, name: Symbol) -> Option<Box<[u8]>> {
    let text = match body {
        Body::Tick(Tick::Trade(trade)) if form == FULL => {
            format!("F {name} {n} {} {}", trade.price, trade.size)
        }
        Body::Tick(Tick::Trade(trade)) => format!("b {name} {}", trade.price),
        Body::Tick(Tick::Loss(_)) if form != MUTE => format!("lost {} {name} {n}-{n}", word_of(form)),
        Body::Tick(_) | Body::Ticker(_) | Body::Bar(_) => return None,
    };
    Some(text.into_bytes().into())
}
