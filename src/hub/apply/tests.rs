//! A second hub that is fed what entered the numbering of a first one.

use std::{mem::take, sync::Arc};

use parking_lot::Mutex;
use proptest::prelude::*;

use super::*;
use crate::{
    clock::Clock,
    hub::{
        SourceClock,
        tests::{
            Happens, SECOND, SYMBOLS, World, config, enlist, feed, following, happens, remembered, says,
            symbol,
        },
    },
    market::{Source, UnixMicros},
    metrics::Metrics,
};

/// The hub with feeds, the one that hears what it recorded, and what was recorded since.
struct Pair {
    world: World,
    recorded: Arc<Mutex<Vec<Input>>>,
}

impl Pair {
    /// The first hub was started again after all that happened `before`, unless that is nothing.
    fn new(before: Vec<Happens>) -> Self {
        let mut earlier = Self::at(Clock::manual(UnixMicros(20_000 * 86_400 * SECOND)), 0);
        if before.is_empty() {
            return earlier;
        }
        before.into_iter().for_each(|one| earlier.world.happens(one));
        let World { clock, hub, trades, .. } = earlier.world;
        let images = hub.all_topics().iter().map(|topic| remembered(topic)).collect();
        let pair = Self::at(clock, trades);
        pair.world.hub.restore(images, hub.numbering(), &[feed(0)]).unwrap();
        pair
    }

    fn at(clock: Clock, trades: u64) -> Self {
        let recorded = Arc::new(Mutex::new(Vec::new()));
        let tap = Arc::clone(&recorded);
        let first = Hub::new(config(), "e".into(), clock.clone(), Arc::new(Metrics::new()));
        let first = first.tapped(move |input| tap.lock().push(input));
        enlist(&first);
        let world = World { clock, hub: Arc::new(first), others: vec![following()], trades };
        Self { world, recorded }
    }

    fn follow(&self) {
        let inputs = take(&mut *self.recorded.lock());
        self.world.others[0].apply(inputs).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn another_hub_with_other_listeners_gives_the_same_numbers(
        before in prop_oneof![Just(Vec::new()), prop::collection::vec(happens(), 1..120)],
        all in prop::collection::vec(happens(), 1..250),
        every in 1..40_usize,
    ) {
        let mut pair = Pair::new(before);
        for (i, one) in all.into_iter().enumerate() {
            pair.world.happens(one);
            if i % every == 0 {
                pair.follow();
            }
        }
        pair.follow();
        let (first, second) = (&pair.world.hub, &pair.world.others[0]);
        prop_assert_eq!(first.next_topic(), second.next_topic());
        prop_assert_eq!(first.numbering(), second.numbering());
        prop_assert_eq!(first.topic_count(), second.topic_count());
        for i in (0..SYMBOLS).filter(|i| first.topic(symbol(*i)).is_some()) {
            prop_assert_eq!(says(first, i), says(second, i), "S{}", i);
        }
    }
}

#[test]
fn the_source_of_another_hub_is_followed_and_a_ninth_feed_takes_the_place_of_the_last_source() {
    let hub = following();
    let name = |i: usize| Source::new(&format!("f{i}")).unwrap();
    hub.apply([Input::Symbol(symbol(0), name(0))]).unwrap();
    let topic = hub.topic(symbol(0)).unwrap();
    for i in [1, 0, 2, 3, 4, 5, 6, 7, 8, 0] {
        hub.apply([Input::Source(symbol(0), name(i), SourceClock::default())]).unwrap();
        assert_eq!(topic.feed(), name(i));
        assert!(topic.feeds().len() <= crate::limits::MAX_FEEDS_PER_SYMBOL);
    }
    assert_eq!(
        hub.apply([Input::Source(symbol(1), name(0), SourceClock::default())]),
        Ok(()),
        "it is not there"
    );
}
