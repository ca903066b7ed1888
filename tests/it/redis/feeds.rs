//! A feed of `kind = "redis"` in a gateway of its own.

use std::{collections::BTreeMap, fs, sync::Arc};

use tickcast::{
    config::{AnyFeed, Config},
    feed::{Feed as _, Publisher, redis::Redis, supervise_lent},
    hub::{Body, FeedTerms},
    market::{Channel, Loss, Source, State, Tick, TradeId},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::util::{TestGateway, eventually, redis_server::RedisServer, symbol};

/// A feed that runs until it is stopped.
pub(crate) struct RunningFeed {
    stop: CancellationToken,
    run: JoinHandle<Redis>,
}

/// What became of one symbol's trades: their ids, and the losses in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Id(u64),
    Lost(&'static str),
}

impl RunningFeed {
    /// Runs the feed `desk` of that server, with these keys.
    pub(crate) fn start(gateway: &TestGateway, redis: &RedisServer, keys: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("feed.toml");
        let text = format!("[[feed]]\nname = \"desk\"\nkind = \"redis\"\nurl = \"{}\"\n{keys}", redis.url());
        fs::write(&file, text).unwrap();
        let config = Config::load_definition(&file, []).unwrap().pop().unwrap();
        let AnyFeed::Redis(feed) = config.feed else { panic!("it reads Redis") };
        Self::of(gateway, *feed)
    }

    pub(crate) async fn stop(self) {
        drop(self.handed_back().await);
    }

    /// Stops it and gives it back, as a leader of a cluster does that is one no longer.
    pub(crate) async fn handed_back(self) -> Redis {
        self.stop.cancel();
        self.run.await.unwrap()
    }

    /// Runs a feed that was handed back for another gateway, whose symbols others have brought until now.
    pub(crate) fn anew(gateway: &TestGateway, mut feed: Redis) -> Self {
        feed.begin_anew();
        Self::of(gateway, feed)
    }

    fn of(gateway: &TestGateway, feed: Redis) -> Self {
        let (hub, name) = (Arc::clone(&gateway.gateway.hub), Source::new("desk").unwrap());
        hub.enlist(name, FeedTerms::default());
        let stop = CancellationToken::new();
        let run = tokio::spawn(supervise_lent(feed, Publisher::new(name, hub, stop.clone())));
        Self { stop, run }
    }
}

/// The remembered trades of a symbol.
pub(crate) fn seen(gateway: &TestGateway, name: &str) -> Vec<Seen> {
    let Some(topic) = gateway.gateway.hub.topic(symbol(name)) else { return Vec::new() };
    let events = topic.since(Channel::Trades, 0).events;
    let one = |body: &Body| {
        if let Body::Tick(Tick::Loss(Loss { why, .. })) = body {
            return Seen::Lost(why.as_str());
        }
        let Body::Tick(Tick::Trade(trade)) = body else { panic!("{body:?}") };
        let Some(TradeId::Number(id)) = trade.id else { panic!("{trade:?}") };
        Seen::Id(id)
    };
    events.iter().map(|event| one(&event.body)).collect()
}

/// Waits until a symbol's trades are these.
pub(crate) async fn sees(gateway: &TestGateway, name: &str, wanted: &[Seen]) {
    eventually(&format!("{name} is {wanted:?}"), || seen(gateway, name) == wanted).await;
}

pub(crate) fn ids(ids: impl IntoIterator<Item = u64>) -> Vec<Seen> {
    ids.into_iter().map(Seen::Id).collect()
}

pub(crate) async fn has_state(gateway: &TestGateway, name: &str, state: State) {
    let shown = || gateway.gateway.hub.topic(symbol(name)).map(|topic| topic.state());
    eventually(&format!("{name} is {state:?}"), || shown() == Some(state)).await;
}

/// A trade in our words.
pub(crate) fn json(name: &str, id: u64) -> String {
    format!(r#"{{"S":"{name}","p":"1.50","s":"2","id":"{id}"}}"#)
}

/// Likewise in MessagePack.
pub(crate) fn packed(name: &str, ids: &[u64]) -> Vec<u8> {
    let one = |id: &u64| {
        let id = id.to_string();
        BTreeMap::from([("S", name.to_owned()), ("p", "1.50".into()), ("s", "2".into()), ("id", id)])
    };
    match ids {
        [id] => rmp_serde::to_vec_named(&one(id)).unwrap(),
        ids => rmp_serde::to_vec_named(&ids.iter().map(one).collect::<Vec<_>>()).unwrap(),
    }
}
