//! Where the server is, and the way to a connection that is logged in.

mod role;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde::Deserialize;
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::{
    Link, LinkError, ServerError,
    address::{self, Address, Place},
    link::Wire,
    password,
    tls::{self, TlsFiles},
};
use crate::limits::{REDIS_CONNECT_TIMEOUT, REDIS_SENTINELS};

/// The keys by which a Redis is named, as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerDefinition {
    /// `redis://`, `rediss://` or `unix://`, without a password.
    pub url: Option<String>,
    /// In its place: the sentinels that know the master.
    #[serde(default)]
    pub sentinels: Vec<String>,
    /// What they call the master.
    pub master: Option<String>,
    /// The ACL user. Without: Redis' `default`.
    pub username: Option<String>,
    /// The file with the password on one line.
    pub password_file: Option<PathBuf>,
    /// Certificate authorities in place of those that browsers trust.
    pub ca_file: Option<PathBuf>,
    /// A certificate that proves to Redis who we are.
    pub cert_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
}

/// A Redis that can be connected to.
pub struct Server {
    target: Target,
    username: Option<String>,
    password: Option<PathBuf>,
    tls: TlsFiles,
    /// The sentinel that is asked first: the last one whose word was true.
    sentinel: AtomicUsize,
}

#[derive(Debug)]
enum Target {
    Fixed(Address),
    Sentinels { sentinels: Vec<Place>, master: String },
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.name())
    }
}

impl Server {
    /// Checks a definition; a relative path in it is relative to `base`. Reads the files once, so that a mistake in them
    /// is found at the start. Connects to nothing.
    ///
    /// # Errors
    /// Names the key, and what was expected of it.
    pub fn new(definition: &ServerDefinition, base: &Path) -> Result<Self, ServerError> {
        let target = target(definition)?;
        let file = |path: &Option<PathBuf>| path.as_ref().map(|path| base.join(path));
        let own = match (file(&definition.cert_file), file(&definition.key_file)) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => return Err(ServerError::new("cert_file", "expected key_file beside it")),
            (None, Some(_)) => return Err(ServerError::new("key_file", "expected cert_file beside it")),
        };
        let tls = TlsFiles { ca: file(&definition.ca_file), own };
        if target.is_encrypted() {
            let _works = tls.read()?;
        } else if tls != TlsFiles::default() {
            let key = if tls.ca.is_some() { "ca_file" } else { "cert_file" };
            return Err(ServerError::new(key, "is for TLS only: expected rediss:// in the address"));
        }
        let password = file(&definition.password_file);
        if let Some(path) = &password {
            let _secret = password::read(path).map_err(|why| ServerError::new("password_file", why))?;
        }
        let username = definition.username.clone();
        match &username {
            Some(name) if name.is_empty() || name.chars().any(char::is_whitespace) => {
                return Err(ServerError::new("username", "expected a name without spaces"));
            }
            Some(_) if password.is_none() => {
                return Err(ServerError::new("username", "expected password_file beside it"));
            }
            _ => {}
        }
        Ok(Self { target, username, password, tls, sentinel: AtomicUsize::new(0) })
    }

    /// Where it is, for logs: no secret is in it.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.target {
            Target::Fixed(address) => address.to_string(),
            Target::Sentinels { sentinels, master } => {
                let shown: Vec<_> = sentinels.iter().map(ToString::to_string).collect();
                format!("{master} of the sentinels {}", shown.join(", "))
            }
        }
    }

    /// Connects, logs in, selects the database and asks for a sign of life. Sentinels are asked anew each time; files are
    /// read anew each time.
    ///
    /// # Cancel safety
    /// Nothing stays open when the future is dropped.
    ///
    /// # Errors
    /// The step that failed. Each of them has [`REDIS_CONNECT_TIMEOUT`].
    pub async fn connect(&self) -> Result<Link, LinkError> {
        match &self.target {
            Target::Fixed(address) => self.open(&address.place, address.database).await,
            Target::Sentinels { sentinels, master } => self.find(sentinels, master).await,
        }
    }

    /// Connects to the replica at that place in the list of those that the master names, counted around; nothing if it has none.
    ///
    /// # Cancel safety
    /// Nothing stays open when the future is dropped.
    ///
    /// # Errors
    /// As [`Server::connect`], of the master or the replica.
    pub async fn connect_to_replica(&self, which: usize) -> Result<Option<Link>, LinkError> {
        let mut master = self.connect().await?;
        let role: ::redis::Value = master.ask(&::redis::cmd("ROLE"), REDIS_CONNECT_TIMEOUT).await?;
        let replicas = role::replicas(role);
        let Some((host, port)) = which.checked_rem(replicas.len()).and_then(|at| replicas.get(at)) else {
            return Ok(None);
        };
        let is_encrypted = self.target.is_encrypted();
        let place = Place::Tcp { host: host.clone(), port: *port, is_encrypted };
        self.open(&place, self.target.database()).await.map(Some)
    }

    async fn find(&self, sentinels: &[Place], master: &str) -> Result<Link, LinkError> {
        let first = self.sentinel.load(Ordering::Relaxed);
        let mut told = Vec::with_capacity(sentinels.len());
        for step in 0..sentinels.len() {
            let at = (first + step) % sentinels.len();
            let Some(sentinel) = sentinels.get(at) else { continue };
            let found = match self.ask_sentinel(sentinel, master).await {
                Ok(found) => found,
                Err(why) => {
                    told.push(format!("{sentinel}: {why}"));
                    continue;
                }
            };
            // What one of them says may be old: another one is asked when it was not true.
            match self.open_master(&found).await {
                Ok(link) => {
                    self.sentinel.store(at, Ordering::Relaxed);
                    return Ok(link);
                }
                Err(why @ LinkError::Refused { .. }) if why.kind() == "auth" => return Err(why),
                Err(why) => told.push(format!("{sentinel} names {found}: {why}")),
            }
        }
        Err(LinkError::NoMaster(format!("no sentinel knows the master {master:?}: {}", told.join("; "))))
    }

    async fn ask_sentinel(&self, sentinel: &Place, master: &str) -> Result<Place, LinkError> {
        let mut question = ::redis::cmd("SENTINEL");
        question.arg("get-master-addr-by-name").arg(master);
        let within = REDIS_CONNECT_TIMEOUT;
        // Most sentinels have no password; those that have one are taken to have the master's.
        let mut link = self.reach(sentinel).await?;
        let answer = match link.ask::<Option<(String, u16)>>(&question, within).await {
            Err(why) if why.kind() == "auth" && self.password.is_some() => {
                self.log_in(&mut link).await?;
                link.ask(&question, within).await?
            }
            answer => answer?,
        };
        let (host, port) = answer.ok_or_else(|| LinkError::NoMaster("it knows no such master".into()))?;
        let is_encrypted = matches!(sentinel, Place::Tcp { is_encrypted: true, .. });
        Ok(Place::Tcp { host, port, is_encrypted })
    }

    async fn open_master(&self, place: &Place) -> Result<Link, LinkError> {
        let mut link = self.open(place, 0).await?;
        let role: Vec<::redis::Value> = link.ask(&::redis::cmd("ROLE"), REDIS_CONNECT_TIMEOUT).await?;
        match role.first() {
            Some(::redis::Value::BulkString(word)) if word == b"master" => Ok(link),
            _ => Err(LinkError::NoMaster("it is no master (any more)".into())),
        }
    }

    async fn open(&self, place: &Place, database: u32) -> Result<Link, LinkError> {
        let steps = async {
            let mut link = self.reach(place).await?;
            if self.password.is_some() {
                self.log_in(&mut link).await?;
            }
            if database != 0 {
                let mut select = ::redis::cmd("SELECT");
                select.arg(database);
                let () = link.ask(&select, REDIS_CONNECT_TIMEOUT).await?;
            }
            // A connection that the system accepted for a server that stands still is none.
            match link.ask::<::redis::Value>(&::redis::cmd("PING"), REDIS_CONNECT_TIMEOUT).await {
                Err(why) if !why.is_refused("NOPERM") => Err(why),
                _ => Ok(link),
            }
        };
        within(place, steps).await
    }

    /// A connection with TLS where it is due, and nothing said yet.
    async fn reach(&self, place: &Place) -> Result<Link, LinkError> {
        within(place, async {
            let failed =
                |why: std::io::Error| LinkError::Connect { to: place.to_string(), why: why.to_string() };
            let wire: Box<dyn Wire> = match place {
                Place::Unix(path) => Box::new(UnixStream::connect(path).await.map_err(failed)?),
                Place::Tcp { host, port, is_encrypted } => {
                    let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?;
                    stream.set_nodelay(true).map_err(failed)?;
                    if *is_encrypted {
                        Box::new(self.encrypt(place, host, stream).await?)
                    } else {
                        Box::new(stream)
                    }
                }
            };
            Ok(Link::new(wire))
        })
        .await
    }

    async fn encrypt(
        &self,
        place: &Place,
        host: &str,
        stream: TcpStream,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, LinkError> {
        let failed = |why: String| LinkError::Tls { to: place.to_string(), why };
        let config = self.tls.read().map_err(|error| failed(error.to_string()))?;
        tls::encrypt(config, host, stream).await.map_err(failed)
    }

    async fn log_in(&self, link: &mut Link) -> Result<(), LinkError> {
        let Some(path) = &self.password else { return Ok(()) };
        let secret = password::read(path).map_err(LinkError::Password)?;
        let mut auth = ::redis::cmd("AUTH");
        if let Some(name) = &self.username {
            auth.arg(name);
        }
        auth.arg(secret);
        link.ask(&auth, REDIS_CONNECT_TIMEOUT).await
    }
}

impl Target {
    fn database(&self) -> u32 {
        match self {
            Self::Fixed(address) => address.database,
            Self::Sentinels { .. } => 0,
        }
    }

    fn is_encrypted(&self) -> bool {
        let encrypted = |place: &Place| matches!(place, Place::Tcp { is_encrypted: true, .. });
        match self {
            Self::Fixed(address) => encrypted(&address.place),
            Self::Sentinels { sentinels, .. } => sentinels.iter().any(encrypted),
        }
    }
}

fn target(definition: &ServerDefinition) -> Result<Target, ServerError> {
    let ServerDefinition { url, sentinels, master, .. } = definition;
    match (url, master) {
        (Some(url), None) if sentinels.is_empty() => {
            address::parse(url).map(Target::Fixed).map_err(|why| ServerError::new("url", why))
        }
        (Some(_), _) => {
            let key = if sentinels.is_empty() { "master" } else { "sentinels" };
            Err(ServerError::new(key, "expected either url, or sentinels and master"))
        }
        (None, _) if sentinels.is_empty() => {
            Err(ServerError::new("url", "found nothing, expected url, or sentinels and master"))
        }
        (None, None) => {
            Err(ServerError::new("master", "found nothing, expected the name that the sentinels know"))
        }
        (None, Some(master)) if master.is_empty() => {
            Err(ServerError::new("master", "expected the name that the sentinels know"))
        }
        (None, Some(master)) => {
            if sentinels.len() > REDIS_SENTINELS {
                let why = format!("found {} sentinels, expected at most {REDIS_SENTINELS}", sentinels.len());
                return Err(ServerError::new("sentinels", why));
            }
            let read = |(i, text): (usize, &String)| {
                address::parse_sentinel(text).map_err(|why| ServerError::new(format!("sentinels[{i}]"), why))
            };
            let sentinels = sentinels.iter().enumerate().map(read).collect::<Result<_, _>>()?;
            Ok(Target::Sentinels { sentinels, master: master.clone() })
        }
    }
}

async fn within<T>(place: &Place, steps: impl Future<Output = Result<T, LinkError>>) -> Result<T, LinkError> {
    let after: Duration = REDIS_CONNECT_TIMEOUT;
    let late = |_late| LinkError::ConnectTimeout { to: place.to_string(), after };
    match timeout(after, steps).await.map_err(late)? {
        Err(LinkError::Timeout(after)) => Err(LinkError::ConnectTimeout { to: place.to_string(), after }),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<String, String> {
        let definition: ServerDefinition = toml::from_str(text).map_err(|why| why.to_string())?;
        Server::new(&definition, Path::new("/nowhere"))
            .map(|server| server.name())
            .map_err(|why| why.to_string())
    }

    #[test]
    fn a_definition_names_one_server_or_its_sentinels() {
        assert_eq!(check("url = \"redis://a\""), Ok("redis://a:6379/0".into()));
        assert_eq!(check("url = \"rediss://a:1/2\""), Ok("rediss://a:1/2".into()));
        let sentinels = "sentinels = [\"a\", \"b:1\"]\nmaster = \"m\"";
        let name = "m of the sentinels redis://a:26379, redis://b:1";
        assert_eq!(check(sentinels), Ok(name.into()));
        for (bad, start) in [
            ("", "url: found nothing"),
            ("url = \"a\"", "url: expected redis://host:6379/0"),
            ("url = \"redis://:hush@a\"", "url: expected no name and no password"),
            ("url = \"redis://a\"\nmaster = \"m\"", "master: expected either url"),
            ("url = \"redis://a\"\nsentinels = [\"b\"]", "sentinels: expected either url"),
            ("sentinels = [\"b\"]", "master: found nothing"),
            ("sentinels = [\"b\", \"http://c\"]\nmaster = \"m\"", "sentinels[1]: expected host:26379"),
            ("url = \"redis://a\"\nca_file = \"x\"", "ca_file: is for TLS only"),
            ("url = \"rediss://a\"\nca_file = \"x\"", "ca_file: /nowhere/x: "),
            ("url = \"rediss://a\"\ncert_file = \"x\"", "cert_file: expected key_file beside it"),
            ("url = \"rediss://a\"\nkey_file = \"x\"", "key_file: expected cert_file beside it"),
            ("url = \"redis://a\"\npassword_file = \"x\"", "password_file: /nowhere/x: "),
            ("url = \"redis://a\"\nusername = \"u\"", "username: expected password_file beside it"),
        ] {
            let error = check(bad).unwrap_err();
            assert!(error.starts_with(start), "{bad}: {error}");
        }
        let many = format!("sentinels = [{}]\nmaster = \"m\"", "\"a\",".repeat(REDIS_SENTINELS + 1));
        assert!(check(&many).unwrap_err().starts_with("sentinels: found 17 sentinels, expected at most 16"));
    }
}
