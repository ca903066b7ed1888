//! What a shard knows of the topics that its sessions listen to.
//!
//! Who gets a channel's events in one form shares a list, so that a delivery asks for neither form nor mode.

use std::sync::Arc;

use super::subscription::{EventRef, LocalEvent, SubIndex, SubKey};
use crate::{
    dialect::{Encoding, Form},
    hub::{Event, Topic, TopicId},
    market::{Channel, Symbol},
};

/// One subscriber in a list. It says all that fan-out to a stream needs, so that the subscription itself, which is one
/// of very many, is not fetched from memory for each event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subscriber {
    pub(super) session: u32,
    pub(super) sub: SubIndex,
}

/// Who gets the events of one (topic, channel) in one form.
#[derive(Debug, Default)]
pub(super) struct Audience {
    /// Every event, by the stream queue.
    pub(super) streams: Vec<Subscriber>,
    /// Those that merge, or on channels of which every event must be delivered, get them by the control queue.
    pub(super) others: Vec<Subscriber>,
}

impl Audience {
    pub(super) const fn is_empty(&self) -> bool {
        self.streams.is_empty() && self.others.is_empty()
    }

    const fn list(&mut self, streams: bool) -> &mut Vec<Subscriber> {
        if streams { &mut self.streams } else { &mut self.others }
    }
}

/// The audience of a form that is not native.
#[derive(Debug)]
pub(super) struct Foreign {
    pub(super) form: Form,
    /// What the dialect calls the symbol.
    pub(super) name: Symbol,
    pub(super) newest: Option<EventRef>,
    pub(super) audience: Audience,
}

/// The audiences of one channel.
#[derive(Debug, Default)]
pub(super) struct Audiences {
    pub(super) native: [Audience; Encoding::COUNT],
    pub(super) foreign: Vec<Foreign>,
}

impl Audiences {
    fn is_empty(&self) -> bool {
        self.native.iter().all(Audience::is_empty) && self.foreign.is_empty()
    }

    fn get_mut(&mut self, form: Form) -> Option<&mut Audience> {
        match form.as_native() {
            Some(encoding) => Some(&mut self.native[encoding.index()]),
            None => self.foreign.iter_mut().find(|it| it.form == form).map(|it| &mut it.audience),
        }
    }
}

/// One topic as its shard sees it.
#[derive(Debug)]
pub(super) struct LocalTopic {
    /// The topic's: here, so that an event need not look into the topic to find that it is one's of its slot.
    id: TopicId,
    pub(super) topic: Arc<Topic>,
    /// Number of the newest event that the shard has handed out; means nothing without an audience.
    pub(super) seen: [u64; Channel::COUNT],
    /// The newest event that is not a loss, in every native form that has an audience.
    pub(super) newest: [[Option<EventRef>; Encoding::COUNT]; Channel::COUNT],
    /// Those of the channels that are listened to here.
    pub(super) audiences: [Option<Box<Audiences>>; Channel::COUNT],
}

impl LocalTopic {
    /// Whether a channel is listened to here.
    pub(super) const fn is_joined(&self, channel: Channel) -> bool {
        self.audiences[channel.index()].is_some()
    }

    fn has_audience(&self, channel: Channel, form: Form) -> bool {
        let audiences = self.audiences[channel.index()].as_ref();
        audiences.is_some_and(|it| match form.as_native() {
            Some(encoding) => !it.native[encoding.index()].is_empty(),
            None => it.foreign.iter().any(|foreign| foreign.form == form),
        })
    }

    /// The newest event that the shard has handed out.
    #[inline]
    pub(super) fn newest(&self, channel: Channel, form: Form) -> Option<&EventRef> {
        match form.as_native() {
            Some(encoding) => self.newest[channel.index()][encoding.index()].as_ref(),
            None => self.foreign(channel, form)?.newest.as_ref(),
        }
    }

    /// What the dialect of a form calls the symbol.
    pub(super) fn name(&self, channel: Channel, form: Form) -> Symbol {
        self.foreign(channel, form).map_or_else(|| self.topic.symbol(), |it| it.name)
    }

    fn foreign(&self, channel: Channel, form: Form) -> Option<&Foreign> {
        self.audiences[channel.index()].as_ref()?.foreign.iter().find(|it| it.form == form)
    }

    /// Every session that is subscribed here, and to what.
    pub(super) fn subscribers(&self) -> Vec<(usize, SubKey)> {
        let mut all = Vec::new();
        for channel in Channel::ALL {
            let Some(audiences) = &self.audiences[channel.index()] else { continue };
            let native =
                Encoding::ALL.into_iter().map(|it| (Form::native(it), &audiences.native[it.index()]));
            let foreign = audiences.foreign.iter().map(|it| (it.form, &it.audience));
            for (form, audience) in native.chain(foreign) {
                let both = audience.streams.iter().chain(&audience.others);
                all.extend(both.map(|one| (one.session as usize, (self.id, channel, form))));
            }
        }
        all
    }

    /// The newest event in any form.
    fn newest_in_any(&self, channel: Channel) -> Option<&Arc<Event>> {
        let native = self.newest[channel.index()].iter().flatten();
        let audiences = self.audiences[channel.index()].iter();
        let foreign = audiences.flat_map(|it| &it.foreign).filter_map(|it| it.newest.as_ref());
        native.chain(foreign).map(|event| event.shared()).next()
    }

    /// Makes sure that a form has an audience, with the newest event.
    fn begin(&mut self, channel: Channel, form: Form, name: Symbol, newest: Option<Arc<Event>>) {
        let i = channel.index();
        let audiences = self.audiences[i].get_or_insert_default();
        let newest = newest.map(|event| LocalEvent::new(event, form, name));
        match form.as_native() {
            Some(encoding) => self.newest[i][encoding.index()] = newest,
            None => {
                let audience = Audience::default();
                audiences.foreign.push(Foreign { form, name, newest, audience });
            }
        }
    }

    /// Ends the audience of a form, when it has become empty. Returns whether the channel is without any now.
    fn end(&mut self, channel: Channel, form: Form) -> bool {
        let i = channel.index();
        let Some(audiences) = &mut self.audiences[i] else { return true };
        match form.as_native() {
            Some(encoding) if audiences.native[encoding.index()].is_empty() => {
                audiences.native[encoding.index()] = Audience::default();
                self.newest[i][encoding.index()] = None;
            }
            Some(_) => {}
            None => audiences.foreign.retain(|it| it.form != form || !it.audience.is_empty()),
        }
        let is_empty = audiences.is_empty();
        if is_empty {
            self.audiences[i] = None;
        }
        is_empty
    }
}

/// The topics with at least one subscriber here, by their slots.
#[derive(Debug, Default)]
pub(super) struct LocalTopics(Vec<Option<Box<LocalTopic>>>);

impl LocalTopics {
    #[inline]
    pub(super) fn get_mut(&mut self, topic: TopicId) -> Option<&mut LocalTopic> {
        self.0.get_mut(topic.slot())?.as_deref_mut().filter(|local| local.id == topic)
    }

    #[inline]
    pub(super) fn get(&self, topic: TopicId) -> Option<&LocalTopic> {
        self.0.get(topic.slot())?.as_deref().filter(|local| local.id == topic)
    }

    /// The newest event that the shard has handed out.
    #[inline]
    pub(super) fn newest(&self, (topic, channel, form): SubKey) -> Option<&EventRef> {
        self.get(topic)?.newest(channel, form)
    }

    /// The topic with an audience for that channel and form, whose dialect calls the symbol `name`; made, and the hub
    /// told, when there is none yet.
    pub(super) fn join(
        &mut self,
        topic: &Arc<Topic>,
        (channel, form, name): (Channel, Form, Symbol),
        shard: usize,
    ) -> &mut LocalTopic {
        let index = topic.id().slot();
        if self.0.len() <= index {
            self.0.resize_with(index + 1, || None);
        }
        let local = self.0[index].get_or_insert_with(|| {
            Box::new(LocalTopic {
                id: topic.id(),
                topic: Arc::clone(topic),
                seen: [0; Channel::COUNT],
                newest: [const { [const { None }; Encoding::COUNT] }; Channel::COUNT],
                audiences: [const { None }; Channel::COUNT],
            })
        });
        if !local.is_joined(channel) {
            let (head, last) = topic.join(shard, channel);
            local.seen[channel.index()] = head;
            local.begin(channel, form, name, last);
        } else if !local.has_audience(channel, form) {
            let newest = local.newest_in_any(channel).cloned();
            local.begin(channel, form, name, newest);
        }
        local
    }

    /// Begins anew where a topic stands now. Returns the place behind the first one from `place` on, and how many channels
    /// that were; `None` when there is none.
    pub(super) fn begin_anew(&mut self, place: usize, shard: usize) -> Option<(usize, usize)> {
        let (at, local) =
            self.0.iter_mut().enumerate().skip(place).find_map(|(at, it)| Some((at, it.as_mut()?)))?;
        let mut count = 0;
        for channel in Channel::ALL {
            let i = channel.index();
            let Some(audiences) = &mut local.audiences[i] else { continue };
            let (head, last) = local.topic.join(shard, channel);
            local.seen[i] = head;
            for encoding in Encoding::ALL {
                let is_heard = !audiences.native[encoding.index()].is_empty();
                let last = last.as_ref().filter(|_| is_heard);
                local.newest[i][encoding.index()] =
                    last.map(|event| LocalEvent::native(Arc::clone(event), encoding));
            }
            for foreign in &mut audiences.foreign {
                let newest =
                    last.as_ref().map(|it| LocalEvent::new(Arc::clone(it), foreign.form, foreign.name));
                foreign.newest = newest.filter(|event| !event.bytes().is_empty());
            }
            count += 1;
        }
        Some((at + 1, count))
    }

    /// Adds a subscriber to the list of those who stream, or to the other one. Returns its place there.
    pub(super) fn add(&mut self, (topic, channel, form): SubKey, streams: bool, who: Subscriber) -> u32 {
        let audiences = self.get_mut(topic).and_then(|local| local.audiences[channel.index()].as_mut());
        let Some(audience) = audiences.and_then(|audiences| audiences.get_mut(form)) else { return u32::MAX };
        let list = audience.list(streams);
        list.push(who);
        u32::try_from(list.len() - 1).unwrap_or(u32::MAX)
    }

    /// Takes a subscriber out of its list. Returns the one that took its place there, if any. The audience stays until it
    /// is [left](Self::leave).
    pub(super) fn take(
        &mut self,
        (topic, channel, form): SubKey,
        streams: bool,
        place: u32,
    ) -> Option<Subscriber> {
        let audiences = self.get_mut(topic)?.audiences[channel.index()].as_mut()?;
        let list = audiences.get_mut(form)?.list(streams);
        list.swap_remove(place as usize);
        list.get(place as usize).copied()
    }

    /// Forgets what has no audience any more, once a subscriber was taken out.
    pub(super) fn leave(&mut self, (topic, channel, form): SubKey, shard: usize) {
        let Some(local) = self.get_mut(topic) else { return };
        if local.end(channel, form) {
            // What is in the lane already is passed over when it comes: the channel is not joined, or its numbers
            // start later.
            local.topic.part(shard, channel);
            if local.audiences.iter().all(Option::is_none) {
                self.0[topic.slot()] = None;
            }
        }
    }

    /// The first topic listened to in that slot or behind it.
    pub(super) fn behind(&self, place: usize) -> Option<&LocalTopic> {
        self.0.get(place..)?.iter().flatten().map(|local| &**local).next()
    }
}
