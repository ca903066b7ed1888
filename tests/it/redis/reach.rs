//! Users, passwords, certificates and sentinels.

use std::{fs, time::Duration};

use tickcast::redis::{LinkError, ServerDefinition, Value, cmd};
use tokio::time::Instant;

use super::{ANSWER, at, server};
use crate::util::{PATIENCE, redis_server::RedisServer};

#[tokio::test]
async fn a_user_logs_in_with_the_password_that_is_in_the_file_at_that_time() {
    let redis = RedisServer::start();
    let () = redis.ask(&["ACL", "SETUSER", "tickcast", "on", ">first", "~ticks*", "+@read", "+ping"]);
    let () = redis.ask(&["SET", "ticks", "1"]);
    let path = redis.file("password");
    fs::write(&path, "first\n").unwrap();
    let definition = ServerDefinition {
        username: Some("tickcast".into()),
        password_file: Some(path.clone()),
        ..at(redis.url())
    };
    let server = server(&definition);
    let mut link = server.connect().await.unwrap();
    assert_eq!(link.ask::<i64>(cmd("GET").arg("ticks"), ANSWER).await.unwrap(), 1);
    for refused in [cmd("SET").arg("ticks").arg(2), cmd("GET").arg("other")] {
        assert_eq!(link.ask::<Value>(refused, ANSWER).await.unwrap_err().kind(), "noperm");
    }
    let () = redis.ask(&["ACL", "SETUSER", "tickcast", "resetpass", ">second"]);
    let wrong = server.connect().await.unwrap_err();
    assert!(wrong.kind() == "auth" && wrong.wants_peace() && !wrong.to_string().contains("first"), "{wrong}");
    fs::write(&path, "second").unwrap();
    assert!(server.connect().await.is_ok(), "without a restart");
    fs::remove_file(&path).unwrap();
    assert_eq!(server.connect().await.unwrap_err().kind(), "password");
    let shown = format!("{server:?} {}", server.name());
    assert!(!shown.contains("second") && shown.contains(&redis.url()), "{shown}");
}

#[tokio::test]
async fn a_server_with_a_password_refuses_who_has_none() {
    let redis = RedisServer::with(&["--requirepass", "hush"]);
    assert_eq!(server(&at(redis.url())).connect().await.unwrap_err().kind(), "auth");
    fs::write(redis.file("password"), "hush").unwrap();
    let definition =
        ServerDefinition { password_file: Some(redis.file("password")), ..at(format!("{}/1", redis.url())) };
    assert!(server(&definition).connect().await.is_ok());
}

#[tokio::test]
async fn only_the_named_authority_is_believed_and_files_are_read_anew() {
    let mut redis = RedisServer::with_tls(false);
    let stranger = server(&at(redis.url())).connect().await.unwrap_err();
    assert_eq!(stranger.kind(), "tls", "{stranger}");
    let server = server(&ServerDefinition { ca_file: Some(redis.file("ca.pem")), ..at(redis.url()) });
    let mut link = server.connect().await.unwrap();
    let () = link.ask(cmd("SET").arg("a").arg(vec![b'x'; 1_000_000]), ANSWER).await.unwrap();
    assert_eq!(link.ask::<Vec<u8>>(cmd("GET").arg("a"), ANSWER).await.unwrap().len(), 1_000_000);
    redis.renew_certificates("elsewhere");
    redis.stop();
    redis.start_again();
    let other = server.connect().await.unwrap_err();
    assert!(other.kind() == "tls" && other.to_string().contains("localhost"), "{other}");
    redis.renew_certificates("localhost");
    redis.stop();
    redis.start_again();
    assert!(server.connect().await.is_ok(), "another authority, without a restart");
}

#[tokio::test]
async fn a_certificate_proves_who_we_are() {
    let redis = RedisServer::with_tls(true);
    let without = ServerDefinition { ca_file: Some(redis.file("ca.pem")), ..at(redis.url()) };
    let refused = server(&without).connect().await.unwrap_err();
    assert_ne!(refused.kind(), "connect_timeout", "{refused}");
    let with = ServerDefinition {
        cert_file: Some(redis.file("client.pem")),
        key_file: Some(redis.file("client.key")),
        ..without
    };
    let _proved = server(&with).connect().await.unwrap();
}

#[tokio::test]
async fn sentinels_are_asked_anew_for_the_master_and_a_wrong_one_is_passed_over() {
    let (mut first, second) = (RedisServer::start(), RedisServer::start());
    let () = second.ask(&["REPLICAOF", "127.0.0.1", &first.port().to_string()]);
    let deadline = Instant::now() + PATIENCE;
    while !second.ask::<String>(&["INFO", "replication"]).contains("master_link_status:up") {
        assert!(Instant::now() < deadline, "{}", second.log());
    }
    let sentinel = RedisServer::sentinel(&first);
    let unknown = ServerDefinition {
        sentinels: vec![format!("127.0.0.1:{}", sentinel.port())],
        master: Some("other".into()),
        ..ServerDefinition::default()
    };
    let error = server(&unknown).connect().await.unwrap_err();
    assert!(error.kind() == "no_master" && error.to_string().contains("no such master"), "{error}");
    // The first of the two is no sentinel at all, and the other is.
    let definition = ServerDefinition {
        sentinels: vec![format!("127.0.0.1:{}", second.port()), format!("127.0.0.1:{}", sentinel.port())],
        master: Some("m".into()),
        ..ServerDefinition::default()
    };
    let server = server(&definition);
    let mut link = server.connect().await.unwrap();
    let () = link.ask(cmd("SET").arg("a").arg(1), ANSWER).await.unwrap();
    // What the replica does not have yet would be gone with the master.
    assert_eq!(link.ask::<i64>(cmd("WAIT").arg(1).arg(5_000), ANSWER).await.unwrap(), 1);
    while !sentinel.ask::<String>(&["INFO", "sentinel"]).contains("slaves=1") {
        assert!(Instant::now() < deadline, "{}", sentinel.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    first.kill();
    assert_eq!(link.ask::<Value>(&cmd("PING"), ANSWER).await.unwrap_err(), LinkError::Closed);
    let deadline = Instant::now() + PATIENCE;
    let mut link = loop {
        match server.connect().await {
            Ok(link) => break link,
            Err(why) => assert!(Instant::now() < deadline, "{why}: {}", sentinel.log()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(link.ask::<i64>(cmd("GET").arg("a"), ANSWER).await.unwrap(), 1);
    let () = link.ask(cmd("SET").arg("a").arg(2), ANSWER).await.unwrap();
    assert_eq!(second.ask::<i64>(&["GET", "a"]), 2, "the replica is the master now");
}
