//! Streams that are read from a position on. What is not read yet stays in Redis, so a slow gateway or a restart loses nothing
//! as long as the entries are kept there; when they were not, that is counted and told.

use std::time::Duration;

use redis::Value;
use tokio::{task::yield_now, time::Instant};

use super::{
    Reading, answer,
    mapping::Fields,
    position::{Begin, EntryId, Finding, Position, StreamState},
};
use crate::{
    feed::{End, Publisher},
    limits::{REDIS_BLOCK, REDIS_BLOCK_MARGIN, REDIS_BURST_MESSAGES, REDIS_CHECK_EVERY, REDIS_READ_ENTRIES},
    market::LossWhy,
    redis::{Link, LinkError},
};

/// How long Redis may take for an answer that it need not wait for.
const PATIENCE: Duration = REDIS_BLOCK.saturating_add(REDIS_BLOCK_MARGIN);

/// What an entry holds.
#[derive(Debug)]
pub(super) enum Content {
    /// A payload in the field of that name, or in the only field.
    Payload(Option<String>),
    /// The parts of one tick.
    Fields(Box<Fields>),
}

/// What is read.
#[derive(Debug)]
pub(super) struct Streams {
    streams: Vec<Stream>,
    begin: Begin,
    content: Content,
    /// Entries that one read asks for, of all streams together.
    entries: usize,
}

#[derive(Debug)]
struct Stream {
    key: String,
    /// Known once the stream was looked at.
    position: Option<Position>,
    /// Entries up to this one may have been published before a crash.
    doubtful: Option<EntryId>,
}

impl Streams {
    pub(super) fn new(keys: Vec<String>, begin: Begin, content: Content) -> Self {
        let stream = |key| Stream { key, position: None, doubtful: None };
        let streams = keys.into_iter().map(stream).collect();
        Self { streams, begin, content, entries: REDIS_READ_ENTRIES }
    }

    /// Others have read on: entries from now on are read, whatever was read here before.
    pub(super) fn begin_anew(&mut self) {
        self.begin = Begin::New;
        self.streams.iter_mut().for_each(|stream| (stream.position, stream.doubtful) = (None, None));
    }

    /// The streams' keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.streams.iter().map(|stream| stream.key.as_str())
    }

    /// Reads until the link is lost or the feed is told to stop.
    pub(super) async fn run(
        &mut self,
        mut link: Link,
        out: &Publisher,
        reading: &mut Reading<'_>,
    ) -> Result<End, LinkError> {
        let is_whole = self.look(&mut link, (out, reading), true).await?;
        // Behind a hole each symbol is what it was until it is heard itself.
        if is_whole {
            out.alive()
        } else {
            out.connected()
        }
        let mut looked = Instant::now();
        loop {
            let read = self.read_command();
            let asked = tokio::select! {
                biased;
                () = out.cancelled() => return Ok(End::Cancelled),
                asked = link.ask::<Value>(&read, PATIENCE) => asked,
            };
            if let Err(LinkError::Oversize(_)) = asked {
                self.entries = (self.entries / 4).max(1);
            }
            self.take(asked?, (out, reading)).await?;
            self.entries = REDIS_READ_ENTRIES.min(self.entries.saturating_mul(2));
            if looked.elapsed() >= REDIS_CHECK_EVERY {
                self.look(&mut link, (out, reading), false).await?;
                looked = Instant::now();
            }
        }
    }

    /// Looks at all streams: where they stand, and whether entries are missing. Returns whether none is.
    async fn look(
        &mut self,
        link: &mut Link,
        (out, reading): (&Publisher, &mut Reading<'_>),
        is_first: bool,
    ) -> Result<bool, LinkError> {
        let (mut is_whole, mut behind) = (true, 0_u64);
        for stream in &mut self.streams {
            let mut command = redis::cmd("XINFO");
            command.arg("STREAM").arg(&stream.key);
            let state = match link.ask::<Value>(&command, PATIENCE).await {
                Err(LinkError::Refused { code, text }) if code == "ERR" && text.contains("no such key") => {
                    None
                }
                answer => Some(answer::stream_state(answer?)?),
            };
            let position = stream.begin(out, self.begin, state.as_ref());
            let finding = position.judge(state.as_ref(), is_first);
            behind += state.and_then(|state| position.behind(&state)).unwrap_or(0);
            let position = position.to_string();
            out.set_position(&stream.key, &position, &position);
            let (reason, lost) = match finding {
                Finding::Whole => continue,
                Finding::Trimmed(lost) => ("trimmed", lost),
                Finding::Renewed => ("renewed", None),
            };
            is_whole = false;
            reading.metrics.hole(reason);
            reading.metrics.lost.inc_by(lost.unwrap_or(0));
            reading.intake.interrupt(out, LossWhy::Venue);
            let lost = lost.map_or_else(|| "unknown".into(), |lost| lost.to_string());
            tracing::warn!(feed = %out.name(), stream = stream.key, reason, lost, "entries were not read");
        }
        reading.metrics.behind(behind);
        Ok(is_whole)
    }

    fn read_command(&self) -> redis::Cmd {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg((self.entries / self.streams.len()).max(1));
        read.arg("BLOCK").arg(REDIS_BLOCK.as_millis().to_string()).arg("STREAMS");
        for key in self.keys() {
            read.arg(key);
        }
        for stream in &self.streams {
            let id = stream.position.map_or(EntryId::ZERO, |position| position.id);
            read.arg(id.to_string());
        }
        read
    }

    /// Publishes what was read, and moves the positions.
    async fn take(
        &mut self,
        answered: Value,
        (out, reading): (&Publisher, &mut Reading<'_>),
    ) -> Result<(), LinkError> {
        for (key, entries) in answer::streams(answered)? {
            let Some(stream) = self.streams.iter_mut().find(|stream| stream.key.as_bytes() == key) else {
                continue;
            };
            let (Some(mut position), Some(last)) = (stream.position, entries.last()) else { continue };
            // A save in between may have some of these and not the others.
            let done = position.to_string();
            let upto = position.after(last.id, entries.len()).to_string();
            out.set_position(&stream.key, &done, &upto);
            for burst in entries.chunks(REDIS_BURST_MESSAGES) {
                for entry in burst {
                    self.content.read(entry, out, reading);
                    position.advance(entry.id);
                    if let Some(doubtful) = stream.doubtful {
                        reading.publish(out, entry.id <= doubtful);
                        stream.doubtful = stream.doubtful.filter(|doubtful| entry.id < *doubtful);
                    }
                }
                reading.publish(out, false);
                yield_now().await;
            }
            stream.position = Some(position);
            let done = position.to_string();
            out.set_position(&stream.key, &done, &done);
        }
        Ok(())
    }
}

impl Stream {
    /// The position, which is the store's, or where reading begins, when there is none yet.
    fn begin(&mut self, out: &Publisher, begin: Begin, state: Option<&StreamState>) -> &mut Position {
        let known = || {
            let saved = out.position(&self.key)?;
            Some((saved.done.parse::<Position>().ok()?, saved.upto.parse::<Position>().ok()?))
        };
        if self.position.is_none()
            && let Some((done, upto)) = known()
        {
            self.doubtful = (upto.id > done.id).then_some(upto.id);
            self.position = Some(done);
            tracing::info!(feed = %out.name(), stream = self.key, position = %done.id, "reading on");
        }
        self.position.get_or_insert_with(|| {
            let position = Position::begin(begin, state);
            tracing::info!(feed = %out.name(), stream = self.key, position = %position.id, "reading");
            position
        })
    }
}

impl Content {
    fn read(&self, entry: &answer::Entry, out: &Publisher, reading: &mut Reading<'_>) {
        let tr = out.clock().now();
        let payload = match self {
            Self::Fields(fields) => {
                out.count_message();
                let names = (out.name(), reading.payload.symbols());
                match fields.tick(&entry.fields(), names, tr) {
                    Ok(tick) => reading.ticks.push((tick, None)),
                    Err(skipped) => {
                        let why = format!("entry {}: {}", entry.id, skipped.why);
                        out.count_skipped(skipped.kind, &why);
                    }
                }
                return;
            }
            Self::Payload(Some(name)) => {
                entry.fields().into_iter().find(|(field, _)| *field == name.as_bytes())
            }
            Self::Payload(None) => {
                let fields = entry.fields();
                (fields.len() == 1).then(|| fields.first().copied()).flatten()
            }
        };
        if let Some((_, bytes)) = payload {
            return reading.payload.read(out, bytes, tr, &mut reading.ticks);
        }
        out.count_message();
        let why = match self {
            Self::Payload(Some(name)) => format!("entry {}: has no field {name:?}", entry.id),
            Self::Payload(None) | Self::Fields(_) => {
                format!("entry {}: has not just one field: `field` says which has the tick", entry.id)
            }
        };
        out.count_skipped("columns", &why);
    }
}
