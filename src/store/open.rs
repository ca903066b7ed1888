//! The start: what of the file this gateway takes over, and whether its numbering goes on.
//!
//! Numbers go on under the same epoch only when every number that was ever given is known and means the same: the last
//! run ended well, and the file is the one that it ended with. Symbols may come, go and change places: each has the number of
//! its topic, which is not given again.

use std::collections::HashSet;

use redb::{ReadableDatabase as _, ReadableTable as _, WriteTransaction};

use super::{
    StoreConfig, StoreError,
    error::Fault,
    file::{EVENTS, File, MINUTES, RunRecord, TOPICS, guarded},
    record::{FORMAT, TopicRecord, decode, encode},
};
use crate::{
    dialect::packed,
    hub::{Computed, Hub, Image, Numbered, Numbering, SavedMark, SourcePosition, TickerMinute},
    limits::{MAX_TOPICS, STORE_FORGETS},
    market::{Channel, Interval, Intervals, Source, Symbol, UnixMicros},
};

/// What a gateway is like as far as its file has to know.
#[derive(Debug, Clone)]
pub struct StoreScope {
    /// Feeds whose symbols are kept.
    pub feeds: Vec<Source>,
    /// Whether some feed starts over with the gateway, as a recording does: then so does the numbering.
    pub starts_over: bool,
    /// Bars that are computed.
    pub intervals: Intervals,
    /// Feeds that read on where they left their sources, and the names of these.
    pub resumes: Vec<(Source, Vec<String>)>,
}

/// A file whose gateway has not started yet.
#[derive(Debug)]
pub struct Opened {
    pub(super) file: File,
    pub(super) scope: StoreScope,
    /// In the order in which the hub gets to know them.
    pub(super) topics: Vec<Found>,
    images: Vec<Image<Numbered>>,
    pub(super) orphaned: Vec<(Symbol, u32)>,
    numbering: Numbering,
    positions: Vec<SourcePosition>,
    /// Whether the last run said nothing that is not in the file.
    is_whole: bool,
    /// The name of the numbering from now on.
    pub epoch: String,
    /// Whether that is the last run's.
    pub is_continued: bool,
    /// The gateway's time at the last save.
    pub said: Option<UnixMicros>,
}

/// A symbol that is taken over.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) key: u32,
    pub(super) absent_since: Option<UnixMicros>,
    /// What of it is in the file.
    pub(super) mark: SavedMark,
}

/// What to change in the file at the start.
#[derive(Default)]
struct Changes {
    rewritten: Vec<(u32, TopicRecord)>,
    dropped: Vec<u32>,
    /// Rings that are kept no longer.
    rings: Vec<(u32, Interval)>,
    /// Whether the file is of an older format: then every record is written anew.
    migrates: bool,
}

impl Opened {
    /// Opens the file and reads what to take over. From then on the file says that a gateway runs. One of an older
    /// format becomes one of the newest in the same step: it is never half of each.
    ///
    /// `fresh` is the name of the numbering when the last one cannot go on.
    ///
    /// # Errors
    /// When the file cannot be opened or read; it is as it was then.
    pub fn open(
        config: &StoreConfig,
        scope: StoreScope,
        fresh: String,
        now: UnixMicros,
    ) -> Result<Self, StoreError> {
        let file = File::open(&config.path)?;
        let last = file.run()?;
        let records = records(&file)?;
        let said = file.time()?;
        let mut changes = Changes { migrates: file.format < FORMAT, ..Changes::default() };
        if changes.migrates {
            changes.rewritten.clone_from(&records);
        }
        let positions = file.positions()?;
        let mut numbering = file.numbering()?;
        // Files of older formats know only the symbols that are there.
        let next = records.last().map_or(0, |(key, _)| key.saturating_add(1));
        numbering.next = numbering.next.max(next);
        let is_whole = last.as_ref().is_none_or(|run| file.ended(run));
        let mut opened = Self {
            file,
            scope,
            topics: Vec::new(),
            images: Vec::new(),
            orphaned: Vec::new(),
            numbering,
            positions,
            is_whole,
            epoch: fresh,
            is_continued: false,
            said,
        };
        opened.sort(records, now, &mut changes)?;
        if let Some(run) = last.filter(|_| is_whole)
            && changes.rings.is_empty()
            && !opened.scope.starts_over
        {
            (opened.epoch, opened.is_continued) = (run.epoch, true);
        } else {
            opened.numbering.floor = 0;
        }
        let run = RunRecord { epoch: opened.epoch.clone(), stopped: None };
        guarded(&config.path, || commit(&opened.file, &changes, &run))?;
        if changes.migrates {
            let path = config.path.display();
            tracing::info!(%path, from = opened.file.format, to = FORMAT, "the store has a newer format now");
            opened.file.format = FORMAT;
        }
        Ok(opened)
    }

    /// Which symbols are taken over, which stay in the file for a later run, and which go.
    fn sort(
        &mut self,
        records: Vec<(u32, TopicRecord)>,
        now: UnixMicros,
        changes: &mut Changes,
    ) -> Result<(), StoreError> {
        let mut taken = HashSet::new();
        let forgets = i64::try_from(STORE_FORGETS.as_micros()).unwrap_or(i64::MAX);
        for (key, mut record) in records {
            let symbol = record.symbol;
            if record.absent_since.is_some_and(|since| now.0.saturating_sub(since.0) > forgets) {
                self.numbering.floor = self.numbering.floor.max(record.highest());
                changes.dropped.push(key);
                continue;
            }
            let wanted = self.scope.feeds.contains(&record.feed)
                && self.topics.len() < MAX_TOPICS
                && taken.insert(symbol);
            if wanted == record.is_orphaned {
                record.is_orphaned = !wanted;
                if !wanted {
                    record.absent_since.get_or_insert(now);
                }
                changes.rewritten.push((key, record.clone()));
            }
            if !wanted {
                let highest = self.numbering.waiting.entry(symbol).or_default();
                *highest = record.highest().max(*highest);
                self.orphaned.push((symbol, key));
                continue;
            }
            let image = self.image(key, &record, changes)?;
            let (absent_since, mark) = (record.absent_since, image.mark());
            self.topics.push(Found { key, absent_since, mark });
            self.images.push(image);
        }
        Ok(())
    }

    fn image(
        &self,
        key: u32,
        record: &TopicRecord,
        changes: &mut Changes,
    ) -> Result<Image<Numbered>, StoreError> {
        let mut image = record.image(key);
        let damaged =
            |why: &dyn std::fmt::Display| self.file.damaged(&format_args!("{}: {why}", record.symbol));
        let Rows { events: rows, minutes } = guarded(&self.file.path, || rows(&self.file, key))?;
        for (channel, bytes) in rows {
            let Some(channel) = Channel::from_id(channel) else {
                return Err(damaged(&"an unknown channel"));
            };
            let events = packed::unpack(&bytes, record.symbol, channel).map_err(|why| damaged(&why))?;
            let run = match channel {
                Channel::Trades => &mut image.trades,
                Channel::Corrections => &mut image.corrections,
                Channel::Bars(interval) if self.scope.intervals.contains(interval) => {
                    &mut image.bars[interval.index()]
                }
                Channel::Bars(_) | Channel::Quotes | Channel::Status | Channel::Ticker => continue,
            };
            for event in events.into_iter().map(Numbered::from) {
                // Rows may begin before what is remembered, and overlap after a save that failed half way.
                if event.n > run.events.last().map_or(run.forgotten, |last| last.n) {
                    run.events.push(event);
                }
            }
        }
        for bytes in minutes {
            image.minutes.push(decode::<TickerMinute>(&bytes).map_err(|why| damaged(&why))?);
        }
        let had = image.computed.as_ref().map(Computed::intervals);
        let gone = had.iter().flat_map(|had| had.iter());
        let gone = gone.filter(|interval| !self.scope.intervals.contains(*interval));
        changes.rings.extend(gone.map(|interval| (key, interval)));
        Ok(image)
    }

    /// Symbols that are taken over.
    #[must_use]
    pub fn symbols(&self) -> usize {
        self.topics.len()
    }

    /// Symbols that stay in the file without being taken over: no feed of this gateway has their name.
    #[must_use]
    pub fn orphaned(&self) -> usize {
        self.orphaned.len()
    }

    /// Fills an empty hub, whose epoch must be [`epoch`](Self::epoch). `interrupted` are the feeds whose sources went on
    /// meanwhile: of their symbols, and after a crash of all, streams are told of a loss behind what is known. Feeds that read
    /// on where they were have missed nothing; they tell by themselves when they cannot.
    ///
    /// # Errors
    /// When what was read does not fit together.
    pub fn restore(&mut self, hub: &Hub, interrupted: &[Source]) -> Result<(), StoreError> {
        let images = std::mem::take(&mut self.images);
        let interrupted = if self.is_whole { interrupted } else { &self.scope.feeds };
        let interrupted: Vec<_> = interrupted.iter().copied().filter(|feed| !self.reads_on(*feed)).collect();
        self.positions.drain(..).for_each(|position| hub.set_source_position(position));
        let numbering = std::mem::take(&mut self.numbering);
        hub.restore(images, numbering, &interrupted).map_err(|why| self.file.damaged(&why))
    }

    /// Whether the file knows how far the feed has read every one of its sources.
    fn reads_on(&self, feed: Source) -> bool {
        let is_known =
            |key: &String| self.positions.iter().any(|known| known.feed == feed && known.key == *key);
        let resumes = self.scope.resumes.iter().find(|(name, keys)| *name == feed && !keys.is_empty());
        resumes.is_some_and(|(_, keys)| keys.iter().all(is_known))
    }
}

/// Every symbol of the file by its key, as the newest format says it.
fn records(file: &File) -> Result<Vec<(u32, TopicRecord)>, StoreError> {
    let rows = guarded(&file.path, || {
        let topics = file.db.begin_read()?.open_table(TOPICS)?;
        let mut rows = Vec::new();
        for row in topics.iter()? {
            let (key, bytes) = row?;
            rows.push((key.value(), bytes.value().to_vec()));
        }
        Ok(rows)
    })?;
    let read = |(key, bytes): (u32, Vec<u8>)| {
        let record = decode::<TopicRecord>(&bytes).map_err(|why| file.damaged(&why))?;
        Ok((key, record.migrated(file.format)))
    };
    rows.into_iter().map(read).collect()
}

/// The rings and the ticker's minutes of a symbol, as bytes.
fn rows(file: &File, key: u32) -> Result<Rows, Fault> {
    let read = file.db.begin_read()?;
    let mut rows = Rows::default();
    for row in read.open_table(EVENTS)?.range((key, 0, 0)..=(key, u8::MAX, u64::MAX))? {
        let (place, bytes) = row?;
        rows.events.push((place.value().1, bytes.value().to_vec()));
    }
    for row in read.open_table(MINUTES)?.range((key, i64::MIN)..=(key, i64::MAX))? {
        rows.minutes.push(row?.1.value().to_vec());
    }
    Ok(rows)
}

#[derive(Default)]
struct Rows {
    events: Vec<(u8, Vec<u8>)>,
    minutes: Vec<Vec<u8>>,
}

fn commit(file: &File, changes: &Changes, run: &RunRecord) -> Result<(), Fault> {
    let write = file.db.begin_write()?;
    {
        let mut topics = write.open_table(TOPICS)?;
        for (key, record) in &changes.rewritten {
            topics.insert(key, encode(record).as_slice())?;
        }
        let mut events = write.open_table(EVENTS)?;
        for (key, interval) in &changes.rings {
            let channel = Channel::Bars(*interval).id();
            events.retain_in((*key, channel, 0)..=(*key, channel, u64::MAX), |_, _| false)?;
        }
    }
    for key in &changes.dropped {
        drop_symbol(&write, *key)?;
    }
    if changes.migrates {
        File::set_format(&write)?;
    }
    File::set_run(&write, run)?;
    Ok(write.commit()?)
}

/// Takes a symbol out of the file.
pub(super) fn drop_symbol(write: &WriteTransaction, key: u32) -> Result<(), Fault> {
    write.open_table(TOPICS)?.remove(key)?;
    write.open_table(EVENTS)?.retain_in((key, 0, 0)..=(key, u8::MAX, u64::MAX), |_, _| false)?;
    write.open_table(MINUTES)?.retain_in((key, i64::MIN)..=(key, i64::MAX), |_, _| false)?;
    Ok(())
}
