//! What an operator may set: one TOML file, then environment variables, then flags; each layer replaces values of
//! the one before. What comes out is checked as a whole and ready to run, with its feeds built.
//!
//! A mistake is never passed over: an unknown key or variable, a value out of range or a feed that cannot be built
//! refuses the configuration, and every mistake is told at once with the place it was written. This is the only
//! reader of the environment.

mod cluster;
mod document;
mod error;
mod feeds;
mod injected;
mod layers;
mod sections;
mod settings;

pub use error::{ConfigError, ConfigErrors, Origin};

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use document::Document;
use feeds::Feeds;
use layers::Layers;
use settings::Settings;

use crate::{
    cluster::{ClusterConfig, Role},
    feed::{
        push::Push,
        redis::Redis,
        replay::Replay,
        simulator::Simulator,
        upstream::{Credentials, Secret, Surroundings, Upstream, network},
    },
    hub::{FreshnessLimits, HubConfig},
    market::Source,
    server::ServerConfig,
    session::SessionConfig,
    store::StoreConfig,
};

/// A whole gateway, checked.
#[derive(Debug)]
pub struct Config {
    /// Listeners, workers and connection limits.
    pub server: ServerConfig,
    /// Limits and times of one session.
    pub session: SessionConfig,
    /// Sizes of the hub's memories.
    pub hub: HubConfig,
    /// What outlives a restart; nothing by default.
    pub store: Option<StoreConfig>,
    /// The cluster that it belongs to; none by default.
    pub cluster: Option<ClusterConfig>,
    /// Who may come in.
    pub auth: Auth,
    /// What is logged and how.
    pub log: Log,
    /// Where ticks come from; at least one, with different names. An edge of a cluster may have none, and starts none.
    pub feeds: Vec<FeedConfig>,
    /// Whether no feed is configured: then the feed is the demonstration.
    pub is_demonstration: bool,
}

/// Who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Anyone: on loopback, or because it is written out.
    None,
}

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// A filter that was checked, like `info,tickcast::feed=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Human, level: "info".into() }
    }
}

/// For people or for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One short line an event.
    Human,
    /// One JSON object an event.
    Json,
}

/// One source of ticks.
#[derive(Debug)]
pub struct FeedConfig {
    /// Its name, different from every other's.
    pub name: Source,
    /// The source itself, not yet running.
    pub feed: AnyFeed,
    /// What its symbols are held to.
    pub fresh: FreshnessLimits,
    /// Its place among the feeds that carry a symbol; the lowest is preferred, and among equals the first one.
    pub preference: u32,
    /// How many symbols its definition names; 0 when the source alone knows them.
    pub symbols: usize,
}

/// A source of any kind.
#[derive(Debug)]
pub enum AnyFeed {
    /// Made up.
    Simulator(Box<Simulator>),
    /// Recorded.
    Replay(Box<Replay>),
    /// Sent by producers.
    Push(Push),
    /// Live, from a venue.
    Upstream(Box<Upstream>),
    /// Written to Redis by other programs.
    Redis(Box<Redis>),
}

impl AnyFeed {
    /// Whether it starts from its beginning when the gateway does, its times with it.
    #[must_use]
    pub const fn starts_over(&self) -> bool {
        matches!(self, Self::Replay(_))
    }

    /// Whether its source goes on while the gateway is away, and it cannot tell afterwards whether anything was missed. A
    /// venue's feed can: it goes on from what was published.
    #[must_use]
    pub const fn goes_on_alone(&self) -> bool {
        match self {
            Self::Redis(_) => true,
            Self::Simulator(_) | Self::Replay(_) | Self::Push(_) | Self::Upstream(_) => false,
        }
    }

    /// How long a symbol that came with a tick stays without another one; for ever, when it is not said.
    #[must_use]
    pub fn expires(&self) -> Option<Duration> {
        match self {
            Self::Push(push) => Some(push.expires()),
            Self::Redis(redis) => Some(redis.expires()),
            Self::Simulator(_) | Self::Replay(_) | Self::Upstream(_) => None,
        }
    }

    /// Names of the sources that it reads on after a restart where it left them, when the store knows where that was.
    #[must_use]
    pub fn resumes(&self) -> Vec<String> {
        match self {
            Self::Redis(redis) => redis.streams().map(ToOwned::to_owned).collect(),
            Self::Simulator(_) | Self::Replay(_) | Self::Push(_) | Self::Upstream(_) => Vec::new(),
        }
    }

    /// What moves its quotes: `book` or `trades`; none where that is not known.
    #[must_use]
    pub fn quotes_from(&self) -> Option<&'static str> {
        match self {
            Self::Simulator(_) => Some("book"),
            Self::Replay(replay) => replay.quotes_from(),
            Self::Push(_) | Self::Redis(_) => None,
            Self::Upstream(feed) => Some(feed.venue().quotes_from()),
        }
    }

    /// The word that `kind` has in a definition.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Simulator(_) => "simulator",
            Self::Replay(_) => "replay",
            Self::Push(_) => "push",
            Self::Redis(_) => "redis",
            Self::Upstream(feed) => feed.venue().as_str(),
        }
    }
}

/// The command line as text, checked like every other layer.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`: the file.
    pub config: Option<PathBuf>,
    /// `--bind`: `server.bind`.
    pub bind: Option<String>,
    /// `--workers`: `server.workers`.
    pub workers: Option<String>,
    /// `--feed`: the feeds to run instead of the configured ones.
    pub feeds: Vec<String>,
    /// `--log-format`: `log.format`.
    pub log_format: Option<String>,
    /// `--log-level`: `log.level`.
    pub log_level: Option<String>,
}

/// The process's environment.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
pub fn environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

impl Config {
    /// Reads all layers. Relative names of files are relative to `directory` when a flag or variable has them, else
    /// to the file that has them.
    ///
    /// # Errors
    /// Every mistake that was found.
    pub fn load(
        flags: &Flags,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        directory: &Path,
    ) -> Result<Self, ConfigErrors> {
        let environment: Vec<_> = environment.into_iter().collect();
        let mut feeds = Feeds::default();
        feeds.surroundings = surroundings(&environment);
        let Layers { mut settings, base, replaced } =
            layers::read(flags, environment, directory, Some(&mut feeds));
        let cluster = cluster::cluster(&mut settings, &base, directory);
        let is_edge = cluster.as_ref().is_some_and(|cluster| cluster.role == Role::Edge);
        open_feeds(flags, &mut settings, &mut feeds, if replaced { directory } else { &base });
        if is_edge {
            feeds.leave_to_others();
        } else {
            feeds.or_demonstration(&base);
        }
        Self::validated(settings, feeds, cluster, (&base, directory))
    }

    /// Reads where a gateway with these layers listens, and nothing else of them.
    ///
    /// # Errors
    /// What is wrong with that value, or keeps a layer from being read. Other mistakes are for those who start it.
    pub fn load_bind(
        flags: &Flags,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        directory: &Path,
    ) -> Result<SocketAddr, ConfigErrors> {
        let mut settings = layers::read(flags, environment, directory, None).settings;
        let bind = sections::bind(&mut settings);
        let errors = settings.into_errors();
        let concerns = |error: &ConfigError| match error {
            ConfigError::Unreadable { .. } | ConfigError::Syntax { .. } => true,
            ConfigError::Invalid { key, .. } | ConfigError::Refused { key, .. } => key == sections::BIND,
            ConfigError::Unknown { .. } => false,
        };
        let errors: Vec<_> = errors.into_iter().filter(concerns).collect();
        if errors.is_empty() { Ok(bind) } else { Err(ConfigErrors(errors)) }
    }

    /// Reads one feed definition file, as `--feed` would, with the credentials of the environment.
    ///
    /// # Errors
    /// Every mistake that was found.
    pub fn load_definition(
        path: &Path,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Vec<FeedConfig>, ConfigErrors> {
        let environment: Vec<_> = environment.into_iter().collect();
        let mut feeds = Feeds::default();
        feeds.surroundings = surroundings(&environment);
        feeds.open(&path.display().to_string(), Path::new(""), None);
        if feeds.errors.is_empty() { Ok(feeds.built) } else { Err(ConfigErrors(feeds.errors)) }
    }

    fn validated(
        mut settings: Settings,
        mut feeds: Feeds,
        cluster: Option<ClusterConfig>,
        (base, directory): (&Path, &Path),
    ) -> Result<Self, ConfigErrors> {
        let server = sections::server(&mut settings);
        let mut session = sections::session(&mut settings);
        let simulated = feeds.built.iter().filter(|feed| matches!(feed.feed, AnyFeed::Simulator(_)));
        session.simulated = simulated.map(|feed| feed.name).collect();
        let hub = sections::history(&mut settings);
        let store = sections::store(&mut settings, base, directory);
        let auth = sections::auth(&mut settings, &server);
        let log = sections::log(&mut settings);
        settings.errors(std::mem::take(&mut feeds.errors));
        settings.finish()?;
        let Feeds { built: feeds, is_demonstration, .. } = feeds;
        Ok(Self { server, session, hub, store, cluster, auth, log, feeds, is_demonstration })
    }
}

fn surroundings(environment: &[(OsString, OsString)]) -> Surroundings {
    Surroundings { credentials: credentials(environment), proxies: network::Environment::read(environment) }
}

/// What Alpaca's own clients read, by the same names.
fn credentials(environment: &[(OsString, OsString)]) -> Option<Credentials> {
    let named = |wanted: &str| {
        let (_, value) = environment.iter().find(|(name, _)| name == wanted)?;
        value.to_str().filter(|text| !text.is_empty()).map(|text| Secret::new(text.to_owned()))
    };
    Some(Credentials { key: named("APCA_API_KEY_ID")?, secret: named("APCA_API_SECRET_KEY")? })
}

/// Whether a file has `[[feed]]` tables and nothing else, so that it is a feed definition.
#[must_use]
pub fn is_definition(path: &Path) -> bool {
    let Ok(text) = document::read(path) else { return false };
    let keys = Document::parse("", &text).map(|document| {
        let mut keys = document.table().keys();
        keys.len() > 0 && keys.all(|key| key.get_ref() == "feed")
    });
    keys.unwrap_or(false)
}

/// Opens the definitions that are named.
fn open_feeds(flags: &Flags, settings: &mut Settings, feeds: &mut Feeds, base: &Path) {
    let expected = "the name of a definition file, or \"demo\"";
    let named = settings.list("feeds", expected, |text| (!text.is_empty()).then(|| text.to_owned()));
    if flags.feeds.is_empty() {
        let origin = settings.origin("feeds");
        for reference in named.unwrap_or_default() {
            feeds.open(&reference, base, origin.clone());
        }
    } else {
        for reference in &flags.feeds {
            feeds.open(reference, base, Some(Origin::Flag("--feed")));
        }
    }
}
