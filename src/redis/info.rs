//! What a server says of itself.

use super::LinkError;

/// The answers to `INFO` and `TIME` as far as they matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// `redis` or `valkey`.
    pub engine: String,
    /// As it writes it. Valkey's own, not that of the Redis it is compatible with.
    pub version: String,
    /// The version of Redis whose commands it has, as numbers to compare.
    pub redis_version: (u32, u32, u32),
    /// `master` or `slave`.
    pub role: String,
    /// New at each start of the server.
    pub run_id: String,
    /// New when its history is another one.
    pub replid: String,
    /// Its `maxmemory-policy`.
    pub policy: String,
    /// Its `maxmemory` in bytes; 0 for no limit.
    pub maxmemory: u64,
    /// Memory in use, in bytes.
    pub used_memory: u64,
    /// Whether it writes an append-only file.
    pub has_aof: bool,
    /// Its clock, in microseconds since 1970.
    pub time: i64,
}

impl ServerInfo {
    pub(super) fn read(text: &str, (seconds, micros): (i64, i64)) -> Result<Self, LinkError> {
        let field = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim().to_owned())
        };
        let needed =
            |name: &str| field(name).ok_or_else(|| LinkError::Protocol(format!("INFO does not say {name}")));
        let compatible = needed("redis_version")?;
        let number = |name: &str| field(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Self {
            engine: field("server_name").unwrap_or_else(|| "redis".into()),
            version: field("valkey_version").unwrap_or_else(|| compatible.clone()),
            redis_version: version(&compatible),
            role: needed("role")?,
            run_id: needed("run_id")?,
            replid: needed("master_replid")?,
            policy: field("maxmemory_policy").unwrap_or_default(),
            maxmemory: number("maxmemory"),
            used_memory: number("used_memory"),
            has_aof: field("aof_enabled").as_deref() == Some("1"),
            time: seconds.saturating_mul(1_000_000).saturating_add(micros),
        })
    }
}

fn version(text: &str) -> (u32, u32, u32) {
    let mut numbers = text.split('.').map(|part| {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..end].parse().unwrap_or(0)
    });
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_and_valkey_are_told_apart_and_compared_by_what_they_can() {
        let redis = "# Server\r\nredis_version:7.0.15\r\nrun_id:a\r\n# Replication\r\nrole:master\r\n\
                     master_replid:b\r\n# Memory\r\nused_memory:10\r\nmaxmemory:20\r\n\
                     maxmemory_policy:noeviction\r\n# Persistence\r\naof_enabled:1\r\n";
        let info = ServerInfo::read(redis, (1, 2)).unwrap();
        assert_eq!((info.engine.as_str(), info.version.as_str()), ("redis", "7.0.15"));
        assert_eq!((info.redis_version, info.time), ((7, 0, 15), 1_000_002));
        assert_eq!((info.policy.as_str(), info.maxmemory, info.used_memory), ("noeviction", 20, 10));
        assert!(info.has_aof && info.role == "master" && info.run_id == "a" && info.replid == "b");
        let valkey = redis.replace("7.0.15\r\n", "7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\n");
        let info = ServerInfo::read(&valkey, (0, 0)).unwrap();
        assert_eq!((info.engine.as_str(), info.version.as_str()), ("valkey", "8.1.0"));
        assert_eq!(info.redis_version, (7, 2, 4));
        assert!(ServerInfo::read("", (0, 0)).is_err());
        assert_eq!(version("6.2-rc1.x"), (6, 2, 0));
    }
}
