//! Sessions beside WebSocket: what they are to get is said when they open, and they can tell where they stand.

use std::{rc::Rc, sync::Arc};

use super::{
    SessionKey, Shard,
    tally::{OK, REFUSED},
};
use crate::{
    clock::Instant,
    dialect::native::{Fault, Resync, Since, Subscribe},
    hub::Topic,
    market::Channel,
    session::{
        Admission, Framing, Transport,
        position::{Position, Track},
    },
};

impl Shard {
    /// Opens a session on a road of one direction: with a welcome where there is somebody to read it.
    pub fn open_road(
        &mut self,
        framing: Framing,
        transport: Rc<dyn Transport>,
        admission: Admission,
        now: Instant,
    ) -> SessionKey {
        let key = self.enter(framing, transport, Some(admission), now);
        let track = Track { epoch: self.hub.epoch().to_owned(), known: 0 };
        self.sessions[key.index].track = Some(Box::new(track));
        if framing != Framing::Bare {
            self.welcome(key.index);
        }
        key
    }

    /// Subscribes such a session to everything that it is to get, from the client's last position on. A position that
    /// cannot be served is answered by a `resync` message, and everything starts with its newest event.
    ///
    /// # Errors
    /// When one of the subscriptions is refused as a whole; the session is to be left then.
    pub fn join(
        &mut self,
        key: SessionKey,
        wanted: Vec<Subscribe>,
        after: Option<&str>,
        now: Instant,
    ) -> Result<(), Fault> {
        if self.get(key).is_none() {
            return Ok(());
        }
        let position = match after.map(|text| Position::read(text, &self.hub)) {
            None => None,
            Some(Ok(position)) => Some(position),
            Some(Err(lapse)) => {
                let resync = Resync { epoch: self.hub.epoch(), why: lapse.as_str() };
                self.sessions[key.index].say(&resync);
                None
            }
        };
        for mut wanted in wanted {
            wanted.since = position.as_ref().map(|position| position.since(wanted.channel, &self.hub));
            let result = self.subscribe(key.index, None, &wanted, now);
            self.tally.command("subscribe", if result.is_ok() { OK } else { REFUSED });
            result?;
        }
        self.touch(key.index);
        self.wake_dirty();
        Ok(())
    }

    /// Where the client stands when it has taken everything that was fetched so far, in a form to
    /// [come back](Self::join) with. Empty when the session is gone.
    pub fn position_of(&mut self, key: SessionKey) -> String {
        self.get(key).and_then(|session| Position::of(session)).map_or_else(String::new, |it| it.text())
    }

    /// How many subscriptions a session has.
    pub fn subscriptions(&mut self, key: SessionKey) -> usize {
        self.get(key).map_or(0, |session| session.subs.len())
    }

    /// A client that comes from another shard may be ahead of this one: takes in what waits in the lane, in which
    /// everything is that any shard has handed out.
    pub(super) fn catch_up(&mut self, since: &Since, channel: Channel, topics: &[Arc<Topic>]) {
        let ahead = |topic: &Arc<Topic>| {
            let Some(view) = self.views.get(topic.id()) else { return false };
            let position = since.n.get(&topic.symbol()).copied().unwrap_or(0);
            view.joined[channel.index()] && position > view.seen[channel.index()]
        };
        if since.epoch == self.hub.epoch() && topics.iter().any(ahead) {
            while self.fan_out() {}
            self.drain_lane();
            while self.fan_out() {}
        }
    }
}
