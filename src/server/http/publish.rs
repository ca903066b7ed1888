//! `POST /v1/publish`: ticks of producers, into a feed of `kind = "push"`.
//!
//! There is no authentication, so producers must be on this machine unless the feed says otherwise. A request is
//! taken or refused as a whole for the gateway's reasons; single ticks are refused for theirs.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::task::yield_now;

use super::intake::Intake;
use crate::{
    dialect::{
        native::{TickError, TickMessage},
        without_mark,
    },
    feed::{Publisher, SymbolRoom},
    limits::{HTTP_TURN_SYMBOLS, INBOX_KEY_BYTES, MAX_BURST_TICKS, PUBLISH_CORRECTIONS, PUBLISH_ERRORS},
    market::{Source, Symbol, Tick, UnixMicros},
    server::{
        admit,
        door::Asking,
        gateway::{Gateway, PushView},
        member::{Inbox, Pushed},
        parameters::{self, Parameters},
        refusal::Refusal,
    },
};

/// `?feed=desk`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    feed: Option<String>,
}

/// A tick that was refused, by line (from 1) or index (from 0).
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
struct Refused {
    #[serde(flatten)]
    place: Place,
    error: String,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    Line(usize),
    Index(usize),
}

/// What became of a request.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    accepted: usize,
    rejected: usize,
    errors: Vec<Refused>,
}

/// Publishes the ticks of a body.
pub(crate) async fn publish(
    request: HttpRequest,
    Parameters(query): Parameters<Query>,
    gateway: web::Data<Gateway>,
    intake: web::Data<Intake>,
    body: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let address = Asking::address(&request);
    admit::open(&gateway)?;
    let Some(name) = query.feed else {
        return Err(Refusal::parameter("feed: is missing; it is the name of a feed of kind push"));
    };
    let Some(push) = gateway.push.iter().find(|push| push.publisher.name().as_str() == name) else {
        let msg = format!("feed: there is no feed {:?} of kind push", parameters::cut(&name));
        return Err(Refusal::new(StatusCode::NOT_FOUND, 404, msg));
    };
    allowed(&request, push)?;
    let member = gateway.member.as_ref();
    let key = member.map_or(Ok(None), |_| idempotency_key(&request))?;
    if member.is_none() && gateway.hub.is_congested() {
        let msg = "the gateway is congested: nothing was published, try again";
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, 503, msg).counted("congested"));
    }
    let packed = packed(&request)?;
    let body = intake.read(&request, address, body).await?;
    let mut batch = Batch::new(push, member.is_none());
    let read = batch.read(&body, packed).await;
    read.map_err(|why| Refusal::new(StatusCode::BAD_REQUEST, 400, why))?;
    let outcome = match member {
        None => batch.publish().await,
        Some(member) => batch.bring(&member.inbox, key).await?,
    };
    Ok(HttpResponse::Ok().json(outcome))
}

/// The producer's name of its request, under which a repeated one is published once.
fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Refusal> {
    let Some(value) = request.headers().get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=INBOX_KEY_BYTES).contains(&text.len()));
    text.map(|text| Some(text.to_owned())).ok_or_else(|| {
        let msg = format!("Idempotency-Key: is not a text of 1 to {INBOX_KEY_BYTES} ASCII characters");
        Refusal::new(StatusCode::BAD_REQUEST, 400, msg)
    })
}

/// Whether the producer may be where it is, and its body as it is encoded.
fn allowed(request: &HttpRequest, push: &PushView) -> Result<(), Refusal> {
    let is_local = Asking::of(request)?.client.is_local;
    if !is_local && !push.allow_remote {
        let msg = "this feed takes ticks from its own machine only: see allow_remote";
        return Err(Refusal::new(StatusCode::FORBIDDEN, 409, msg).counted("remote"));
    }
    let codings = request.headers().get_all(header::CONTENT_ENCODING);
    let mut codings = codings.flat_map(|value| value.to_str().unwrap_or("?").split(',')).map(str::trim);
    match codings.find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity")) {
        None => Ok(()),
        Some(coding) => {
            let msg = format!(
                "Content-Encoding: {:?} is not understood, send the body as it is",
                parameters::cut(coding)
            );
            // RFC 9110, section 12.5.3: what would be.
            let refusal = Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, 400, msg).counted("body_encoding");
            Err(refusal.with(&[("accept-encoding", "identity")]))
        }
    }
}

/// Whether the body is MessagePack; else it is text, which tells by itself what it is.
fn packed(request: &HttpRequest) -> Result<bool, Refusal> {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else { return Ok(false) };
    let text = value.to_str().unwrap_or("?");
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack" => Ok(true),
        ""
        | "application/json"
        | "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "text/plain"
        // curl's default for any body: no form is meant.
        | "application/x-www-form-urlencoded" => Ok(false),
        _ => {
            let found = parameters::cut(text);
            let msg = format!(
                "Content-Type: {found:?} is not application/x-ndjson, application/json or application/msgpack"
            );
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, 400, msg).counted("body_type"))
        }
    }
}

/// The ticks of one request.
struct Batch<'a> {
    out: &'a Publisher,
    room: &'a SymbolRoom,
    name: Source,
    /// Whether symbols become known with their ticks, and not where the ticks go.
    declares: bool,
    time: UnixMicros,
    ticks: Vec<Tick>,
    corrections: usize,
    outcome: Outcome,
}

impl<'a> Batch<'a> {
    fn new(push: &'a PushView, declares: bool) -> Self {
        let PushView { publisher: out, room, .. } = push;
        let time = out.clock().now();
        let (ticks, outcome) = (Vec::new(), Outcome::default());
        Self { out, room, name: out.name(), declares, time, ticks, corrections: 0, outcome }
    }

    /// Reads a body: an array, or lines.
    async fn read(&mut self, body: &[u8], packed: bool) -> Result<(), String> {
        if packed {
            let ticks: Vec<serde_json::Value> =
                rmp_serde::from_slice(body).map_err(|why| format!("not a MessagePack array: {why}"))?;
            for (i, value) in ticks.into_iter().enumerate() {
                self.take(Place::Index(i), TickMessage::deserialize(&value));
                turn(i).await;
            }
            return Ok(());
        }
        let body = without_mark(body).map_err(|why| format!("the body cannot be read: {why}"))?;
        let text = body.trim_ascii_start();
        if text.starts_with(b"[") {
            let ticks: Vec<&RawValue> =
                serde_json::from_slice(text).map_err(|why| format!("not a JSON array: {why}"))?;
            for (i, raw) in ticks.into_iter().enumerate() {
                self.take(Place::Index(i), serde_json::from_str(raw.get()));
                turn(i).await;
            }
            return Ok(());
        }
        for (i, line) in body.split(|byte| *byte == b'\n').enumerate() {
            if !line.trim_ascii().is_empty() {
                self.take(Place::Line(i + 1), serde_json::from_slice(line));
            }
            turn(i).await;
        }
        Ok(())
    }

    fn take(&mut self, place: Place, message: Result<TickMessage<'_>, serde_json::Error>) {
        self.out.count_message();
        let tick = message
            .map_err(|why| TickError::shape(&why))
            .and_then(|message| message.tick(self.name, self.time));
        let refused = match tick {
            Ok(Tick::Correction(_)) if self.corrections == PUBLISH_CORRECTIONS => {
                format!("more than {PUBLISH_CORRECTIONS} corrections in one body")
            }
            Ok(tick) => match self.declare(tick.symbol()) {
                Ok(()) => {
                    self.corrections += usize::from(matches!(tick, Tick::Correction(_)));
                    return self.ticks.push(tick);
                }
                Err(full) => {
                    self.out.refuse_tick();
                    full
                }
            },
            Err(error) => {
                self.out.count_skipped(error.kind(), &error);
                error.to_string()
            }
        };
        self.outcome.rejected += 1;
        if self.outcome.errors.len() < PUBLISH_ERRORS {
            self.outcome.errors.push(Refused { place, error: refused });
        }
    }

    fn declare(&self, symbol: Symbol) -> Result<(), String> {
        if self.declares { self.room.declare(self.out, symbol) } else { Ok(()) }
    }

    /// Brings what was read to the gateway that leads.
    async fn bring(self, inbox: &Inbox, key: Option<String>) -> Result<Outcome, Refusal> {
        let Self { name: feed, ticks, mut outcome, .. } = self;
        outcome.accepted = ticks.len();
        if ticks.is_empty() {
            return Ok(outcome);
        }
        let brought = inbox.bring(Pushed { feed, ticks, key }).await;
        brought.map(|()| outcome).map_err(|why| {
            let msg = why.to_string();
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, 503, msg).counted(why.as_str())
        })
    }

    /// Publishes what was read, also when the producer goes away meanwhile.
    async fn publish(self) -> Outcome {
        let Self { out, mut ticks, mut outcome, .. } = self;
        outcome.accepted = ticks.len();
        let out = out.clone();
        let publishing = actix_rt::spawn(async move {
            while !ticks.is_empty() {
                let burst = ticks.len().min(MAX_BURST_TICKS);
                out.publish(&mut ticks.drain(..burst).collect());
                yield_now().await;
            }
        });
        // It ends early only with its worker.
        let _ended = publishing.await;
        outcome
    }
}

/// Lets other tasks of the thread have their turns, once in a while.
async fn turn(i: usize) {
    if i % HTTP_TURN_SYMBOLS == HTTP_TURN_SYMBOLS - 1 {
        yield_now().await;
    }
}
