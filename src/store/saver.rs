//! Saves: what has changed since the last one, in one transaction, on a thread that may wait for a disk.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use redb::{ReadableTable as _, Table, WriteTransaction};
use tokio::task::{JoinError, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::{
    Opened, SaveError, StoreConfig,
    error::Fault,
    file::{EVENTS, File, MINUTES, RunRecord, Stopped, TOPICS, inode},
    open::{Found, StoreScope, drop_symbol},
    record::{FORMAT, TopicRecord, encode},
};
use crate::{
    dialect::packed,
    drill,
    hub::{Event, Hub, Image, Numbering, SavedMark, Topic},
    limits::{STORE_RETRY_MAX, TICKER_MINUTES},
    market::{Channel, Interval, Symbol, UnixMicros},
};

/// Writes a hub's memory into a file.
#[derive(Debug)]
pub struct Saver {
    hub: Arc<Hub>,
    config: StoreConfig,
    scope: StoreScope,
    epoch: String,
    inode: u64,
    /// None between a failure and the next attempt.
    file: Option<File>,
    /// What the file has, by the numbers of topics.
    saved: HashMap<u32, SavedTopic>,
    orphaned: HashMap<Symbol, u32>,
    failures: u32,
    /// Nothing is written after the last save.
    is_finished: bool,
}

/// What the file has of a topic.
#[derive(Debug, Clone, Copy)]
struct SavedTopic {
    mark: SavedMark,
    absent_since: Option<UnixMicros>,
    /// Whether it came out of the file.
    is_restored: bool,
}

impl SavedTopic {
    const NOTHING: Self = Self { mark: SavedMark::NOTHING, absent_since: None, is_restored: false };
}

/// The tables of one save.
struct Tables<'a> {
    topics: Table<'a, u32, &'static [u8]>,
    events: Table<'a, (u32, u8, u64), &'static [u8]>,
    minutes: Table<'a, (u32, i64), &'static [u8]>,
}

impl Saver {
    /// For the hub that was filled from that file.
    #[must_use]
    pub fn new(opened: Opened, hub: Arc<Hub>, config: StoreConfig) -> Self {
        let Opened { file, scope, topics, orphaned, epoch, .. } = opened;
        let saved = topics.iter().map(|found| {
            let Found { key, absent_since, mark } = *found;
            (key, SavedTopic { mark, absent_since, is_restored: true })
        });
        hub.metrics().store.bytes(file.bytes());
        Self {
            config,
            scope,
            epoch,
            saved: saved.collect(),
            orphaned: orphaned.into_iter().collect(),
            inode: file.inode,
            file: Some(file),
            failures: 0,
            is_finished: false,
            hub,
        }
    }

    /// Saves at the interval until `stop`; after failures at longer ones. Others may save in between.
    ///
    /// # Errors
    /// When the runtime goes away meanwhile.
    ///
    /// # Panics
    /// When a save has panicked outside of what it expects.
    pub async fn run(saver: Arc<Mutex<Self>>, stop: CancellationToken) -> Result<(), JoinError> {
        let mut pause = saver.lock().pause();
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            let saver = Arc::clone(&saver);
            let saved = spawn_blocking(move || {
                drill::strike("saver");
                let mut saver = saver.lock();
                saver.save();
                saver.pause()
            });
            pause = match saved.await.map_err(JoinError::try_into_panic) {
                Ok(pause) => pause,
                Err(Ok(panic)) => resume_unwind(panic),
                Err(Err(cancelled)) => return Err(cancelled),
            };
        }
        Ok(())
    }

    fn pause(&self) -> Duration {
        let interval = self.config.interval;
        let longer = interval.saturating_mul(2_u32.saturating_pow(self.failures.min(16)));
        longer.min(STORE_RETRY_MAX.max(interval))
    }

    /// Saves what has changed. Waits for the disk. Returns whether that succeeded; if not it was told and counted, and
    /// the next save has it too.
    pub fn save(&mut self) -> bool {
        self.is_finished || self.attempt(false)
    }

    /// The last save: to be called when nothing is published any more. It makes the numbering go on in the next run.
    /// Returns whether it succeeded.
    pub fn finish(&mut self) -> bool {
        let saved = self.attempt(true);
        self.is_finished = true;
        saved
    }

    fn attempt(&mut self, last: bool) -> bool {
        let hub = Arc::clone(&self.hub);
        let metrics = &hub.metrics().store;
        let start = hub.instant();
        let result = catch_unwind(AssertUnwindSafe(|| self.write(last))).unwrap_or_else(|_panic| {
            Err(SaveError::Unwritable { path: self.config.path.clone(), why: "it contradicts itself".into() })
        });
        let took = hub.instant().duration_since(start);
        match result {
            Ok(changed) => {
                if self.failures > 0 {
                    tracing::info!(path = %self.config.path.display(), "saved again");
                }
                self.failures = 0;
                metrics.saved(changed.then_some(took), hub.clock().now());
                if let Some(file) = &self.file {
                    metrics.bytes(file.bytes());
                }
                true
            }
            Err(why) => {
                // After an error the database takes nothing more until it is opened again.
                self.file = None;
                self.failures = self.failures.saturating_add(1);
                metrics.failed();
                if last {
                    tracing::error!("the last save failed, so the numbering ends with this run: {why}");
                } else if self.failures.is_power_of_two() {
                    tracing::warn!(failures = self.failures, "not saved, trying again: {why}");
                }
                false
            }
        }
    }

    /// Returns whether there was anything to write.
    fn write(&mut self, last: bool) -> Result<bool, SaveError> {
        let file = match self.file.take() {
            Some(file) if file.is_in_place() => file,
            Some(file) => return Err(SaveError::Gone(file.path)),
            None => self.reopen()?,
        };
        let path = file.path.clone();
        let unwritable = |why: Fault| why.while_running(path);
        let stopped = last.then(|| Stopped::now(&file, self.hub.clock().now()));
        let changed = match self.transact(&file, stopped) {
            Ok(changed) => changed,
            Err(why) => return Err(unwritable(why)),
        };
        match stopped {
            Some(stopped) => file.close(stopped).map_err(unwritable)?,
            None => self.file = Some(file),
        }
        Ok(changed)
    }

    /// Opens the file again, or a new one where it was removed. Another one is not even opened.
    fn reopen(&mut self) -> Result<File, SaveError> {
        let path = &self.config.path;
        let was_there = inode(path).unwrap_or(None);
        if was_there.is_some_and(|inode| inode != self.inode) {
            return Err(SaveError::Replaced(path.clone()));
        }
        let file = File::open(path);
        if was_there.is_none() {
            // Also one that came to be only half.
            self.inode = inode(path).ok().flatten().unwrap_or(self.inode);
        }
        let file = file?;
        if file.format != FORMAT {
            return Err(SaveError::Replaced(file.path));
        }
        match file.run()? {
            Some(run) if run.epoch == self.epoch && run.stopped.is_none() => {}
            Some(_) => return Err(SaveError::Replaced(file.path)),
            None => {
                self.saved.values_mut().for_each(|saved| saved.mark = SavedMark::NOTHING);
                self.orphaned.clear();
            }
        }
        Ok(file)
    }

    fn transact(&mut self, file: &File, stopped: Option<Stopped>) -> Result<bool, Fault> {
        let last = stopped.is_some();
        let positions = self.hub.source_positions();
        // In the order of their numbers.
        let topics = self.hub.all_topics();
        let now = self.hub.clock().now();
        let write = file.db.begin_write()?;
        let mut saved = Vec::new();
        {
            let mut tables = Tables {
                topics: write.open_table(TOPICS)?,
                events: write.open_table(EVENTS)?,
                minutes: write.open_table(MINUTES)?,
            };
            for topic in &topics {
                if let Some(now_saved) = self.topic(&mut tables, topic, (last, now))? {
                    saved.push((topic.id().number(), topic.symbol(), now_saved));
                }
            }
        }
        let is_there =
            |number: u32| topics.binary_search_by_key(&number, |topic| topic.id().number()).is_ok();
        let removed: Vec<u32> = self.saved.keys().copied().filter(|number| !is_there(*number)).collect();
        if saved.is_empty() && removed.is_empty() && !last {
            write.abort()?;
            return Ok(false);
        }
        for number in &removed {
            drop_symbol(&write, *number)?;
        }
        self.drop_orphans(&write, &saved)?;
        let Numbering { next, floor, .. } = self.hub.numbering();
        // What is not in the file has given numbers too, and another feed may bring its symbols in the next run.
        let unsaved = topics.iter().filter(|topic| last && !self.keeps(topic)).map(|topic| topic.highest());
        File::set_numbering(&write, next, unsaved.fold(floor, u64::max))?;
        let epoch = self.hub.epoch().to_string();
        File::set_run(&write, &RunRecord { epoch: epoch.clone(), stopped })?;
        File::set_time(&write, now)?;
        File::set_positions(&write, positions, &self.hub.source_positions())?;
        write.commit()?;
        self.epoch = epoch;
        for number in removed {
            self.saved.remove(&number);
        }
        for (number, symbol, now_saved) in saved {
            self.saved.insert(number, now_saved);
            self.orphaned.remove(&symbol);
        }
        Ok(true)
    }

    /// Whether the topic is one of those that the file keeps.
    fn keeps(&self, topic: &Topic) -> bool {
        self.scope.feeds.contains(&topic.home())
    }

    /// Writes what is new of a topic. Returns what the file has of it then, or nothing when it has everything.
    fn topic(
        &self,
        tables: &mut Tables<'_>,
        topic: &Topic,
        (last, now): (bool, UnixMicros),
    ) -> Result<Option<SavedTopic>, Fault> {
        if !self.keeps(topic) {
            return Ok(None);
        }
        let key = topic.id().number();
        let had = self.saved.get(&key).copied().unwrap_or(SavedTopic::NOTHING);
        let always = last && had.is_restored;
        let Some(image) = topic.image(&had.mark, always) else { return Ok(None) };
        // Absence is found when a run ends: until then the feed may still come to it.
        let absent_since = image.is_absent.then(|| had.absent_since.or(always.then_some(now))).flatten();
        let record = encode(&TopicRecord::of(&image, absent_since));
        tables.topics.insert(key, record.as_slice())?;
        tables.rings(key, &image)?;
        tables.minutes(key, &image)?;
        Ok(Some(SavedTopic { mark: image.mark(), absent_since, ..had }))
    }

    /// A symbol that has come back as another feed's starts anew: what was kept of it goes.
    fn drop_orphans(
        &self,
        write: &WriteTransaction,
        saved: &[(u32, Symbol, SavedTopic)],
    ) -> Result<(), Fault> {
        for (_, symbol, _) in saved {
            if let Some(key) = self.orphaned.get(symbol) {
                drop_symbol(write, *key)?;
            }
        }
        Ok(())
    }
}

impl Tables<'_> {
    fn rings(&mut self, key: u32, image: &Image<Arc<Event>>) -> Result<(), Fault> {
        let bars = Interval::ALL.map(Channel::Bars).into_iter().zip(&image.bars);
        let fed = [(Channel::Trades, &image.trades), (Channel::Corrections, &image.corrections)];
        for (channel, run) in fed.into_iter().chain(bars) {
            let is_changed = channel == Channel::Trades && image.trades_changed;
            let channel = channel.id();
            let Some(first) = run.events.first() else { continue };
            if is_changed {
                // Trades that were written before are other ones now: the row has all of them.
                self.events.retain_in((key, channel, 0)..=(key, channel, u64::MAX), |_, _| false)?;
            }
            let row = packed::pack(run.events.iter().map(|event| (event.n, &event.body)));
            self.events.insert((key, channel, first.n), row.as_slice())?;
            // A row goes when the next one begins with what is remembered or before.
            let old = self.events.range((key, channel, 0)..=(key, channel, run.forgotten + 1))?;
            let starts: Vec<u64> =
                old.map(|row| Ok(row?.0.value().2)).collect::<Result<_, redb::StorageError>>()?;
            for start in starts.iter().rev().skip(1) {
                self.events.remove((key, channel, *start))?;
            }
        }
        Ok(())
    }

    fn minutes(&mut self, key: u32, image: &Image<Arc<Event>>) -> Result<(), Fault> {
        if image.trades_changed {
            // A correction has changed minutes that were written before, or emptied them: these are all that there are.
            self.minutes.retain_in((key, i64::MIN)..=(key, i64::MAX), |_, _| false)?;
        }
        for minute in &image.minutes {
            self.minutes.insert((key, minute.minute), encode(minute).as_slice())?;
        }
        let gone = image.mark().minute.saturating_sub(TICKER_MINUTES);
        self.minutes.retain_in((key, i64::MIN)..=(key, gone), |_, _| false)?;
        Ok(())
    }
}
