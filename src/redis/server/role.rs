//! What a master answers to `ROLE`: which replicas it has.

use ::redis::{FromRedisValue, Value};

/// Hosts and ports of the replicas that a master names; none where it is no master.
pub(super) fn replicas(role: Value) -> Vec<(String, u16)> {
    let Value::Array(parts) = role else { return Vec::new() };
    let mut parts = parts.into_iter();
    let is_master = matches!(parts.next(), Some(Value::BulkString(word)) if word == b"master");
    let Some(Value::Array(replicas)) = parts.nth(1).filter(|_| is_master) else { return Vec::new() };
    let place = |replica: Value| {
        let (host, port, _offset): (String, String, String) =
            FromRedisValue::from_redis_value(replica).ok()?;
        Some((host, port.parse().ok()?))
    };
    replicas.into_iter().filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_names_its_replicas() {
        let text = |text: &str| Value::BulkString(text.into());
        let replica = |host, port| Value::Array(vec![text(host), text(port), text("123")]);
        let named = Value::Array(vec![replica("10.0.0.2", "6379"), replica("10.0.0.3", "x"), Value::Nil]);
        let role = Value::Array(vec![text("master"), Value::Int(123), named.clone()]);
        assert_eq!(replicas(role), [("10.0.0.2".to_owned(), 6_379)]);
        let replica = Value::Array(vec![text("slave"), text("10.0.0.1"), named]);
        assert_eq!(replicas(replica), []);
        assert_eq!(replicas(Value::Nil), []);
    }
}
