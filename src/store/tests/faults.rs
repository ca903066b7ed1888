//! Files that are not what they should be: refused at the start, survived while running.

use std::{fs, os::unix::fs::FileExt as _};

use parking_lot::Mutex;
use redb::{Database, TableDefinition};

use super::*;

#[test]
fn two_gateways_do_not_share_a_file() {
    let (folder, plan) = (folder(), Plan::new());
    let path = folder.path().join("x");
    let rig = plan.start(&path);
    let why = plan.refusal(&path);
    assert!(why.contains("in use by another gateway") && why.contains("store.path"), "{why}");
    rig.stop();
    assert!(plan.start(&path).is_continued, "the other one did no harm");
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let (folder, plan) = (folder(), Plan::new());
    let path = folder.path().join("x");
    let text = "not a store\n".repeat(1_000);
    fs::write(&path, &text).unwrap();
    let why = plan.refusal(&path);
    assert!(why.contains("is not a store of tickcast"), "{why}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    // Another program's database.
    let path = folder.path().join("y");
    let other = Database::create(&path).unwrap();
    let write = other.begin_write().unwrap();
    let table: TableDefinition<'_, u64, u64> = TableDefinition::new("theirs");
    write.open_table(table).unwrap().insert(1, 2).unwrap();
    write.commit().unwrap();
    drop(other);
    let why = plan.refusal(&path);
    assert!(why.contains("is not a store of tickcast"), "{why}");
}

#[test]
fn an_empty_file_becomes_a_store() {
    let folder = folder();
    let path = folder.path().join("x");
    fs::write(&path, "").unwrap();
    Plan::new().start(&path).stop();
}

#[test]
fn a_later_format_is_refused() {
    let (folder, plan) = (folder(), Plan::new());
    let path = folder.path().join("x");
    plan.start(&path).stop();
    let head: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("tickcast");
    let set = |format: &[u8]| {
        let file = Database::open(&path).unwrap();
        let write = file.begin_write().unwrap();
        write.open_table(head).unwrap().insert("format", format).unwrap();
        write.commit().unwrap();
    };
    set(&9_u32.to_le_bytes());
    let why = plan.refusal(&path);
    assert!(why.contains("has format 9") && why.contains("knows up to 3"), "{why}");
    set(b"x");
    let why = plan.refusal(&path);
    assert!(why.contains("is damaged"), "{why}");
    set(&0_u32.to_le_bytes());
    let why = plan.refusal(&path);
    assert!(why.contains("is damaged"), "{why}");
    set(&2_u32.to_le_bytes());
    assert_eq!(plan.open(&path).unwrap().symbols(), 0);
}

#[test]
fn damage_is_found_at_the_start_wherever_it_is() {
    let (folder, plan) = (folder(), Plan::new());
    let good = folder.path().join("good");
    let rig = plan.start(&good);
    rig.hub.publish(source(), minutes(0, 40));
    let said = rig.says("BTC-USD");
    rig.stop();
    let bytes = fs::metadata(&good).unwrap().len();
    let path = folder.path().join("x");
    let mut refused = 0;
    for place in (0..bytes).step_by(1_021) {
        fs::copy(&good, &path).unwrap();
        let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, place).unwrap();
        file.write_all_at(&[byte[0] ^ 0x55], place).unwrap();
        drop(file);
        // What is in no page in use means nothing; all else is found.
        match plan.open(&path) {
            Ok(mut opened) => {
                let hub = Arc::new(Hub::new(
                    plan.config,
                    opened.epoch.clone(),
                    plan.clock.clone(),
                    Arc::new(Metrics::new()),
                ));
                opened.restore(&hub, &[]).unwrap();
                let saver = Saver::new(opened, Arc::clone(&hub), StoreConfig::new(path.clone()));
                let rig = Rig { hub, saver, is_continued: false };
                let mut says = rig.says("BTC-USD");
                assert!(matches!(says.trades.pop(), Some((_, Body::Tick(Tick::Loss(_))))), "it is a copy");
                assert!(says == said, "byte {place}");
            }
            Err(why) => {
                let why = why.to_string();
                assert!(why.contains("damaged") || why.contains("has format"), "byte {place}: {why}");
                refused += 1;
            }
        }
    }
    assert!(refused > 3, "some damage was found: {refused}");
    // Half of it.
    fs::copy(&good, &path).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(bytes / 2).unwrap();
    let why = plan.refusal(&path);
    assert!(why.contains("damaged"), "{why}");
}

#[test]
fn a_place_where_no_file_can_be_is_told() {
    let (folder, plan) = (folder(), Plan::new());
    let none = folder.path().join("none/x");
    assert!(plan.refusal(&none).contains("a folder that exists"));
    assert!(plan.refusal(folder.path()).contains("cannot be opened"));
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(plan.refusal(&file.join("x")).contains("cannot be opened"));
}

#[test]
fn a_file_that_was_removed_is_written_anew_and_whole() {
    let (folder, plan) = (folder(), Plan::new());
    let path = folder.path().join("x");
    let mut rig = plan.start(&path);
    rig.hub.publish(source(), minutes(0, 10));
    rig.save();
    fs::remove_file(&path).unwrap();
    rig.hub.publish(source(), minutes(600, 1));
    assert!(!rig.saver.save(), "told once");
    assert_eq!(rig.metric("tickcast_store_failures_total"), 1);
    rig.save();
    let said = rig.says("BTC-USD");
    rig.stop();
    let rig = plan.start(&path);
    assert!(rig.is_continued);
    assert_eq!(rig.says("BTC-USD"), said);
}

#[test]
fn another_file_in_its_place_is_left_alone() {
    let (folder, plan) = (folder(), Plan::new());
    let (path, theirs) = (folder.path().join("x"), folder.path().join("theirs"));
    let other = plan.start(&theirs);
    other.hub.publish(source(), minutes(0, 3));
    let said = other.says("BTC-USD");
    other.stop();
    let mut rig = plan.start(&path);
    rig.hub.publish(source(), minutes(0, 1));
    fs::rename(&theirs, &path).unwrap();
    for _ in 0..3 {
        assert!(!rig.saver.save());
    }
    assert_eq!(rig.metric("tickcast_store_failures_total"), 3);
    drop(rig);
    let rig = plan.start(&path);
    assert!(rig.is_continued);
    assert_eq!(rig.says("BTC-USD"), said);
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_at_longer_and_longer_times() {
    let (folder, plan) = (folder(), Plan::new());
    let path = folder.path().join("x");
    let rig = plan.start(&path);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let hub = Arc::clone(&rig.hub);
    hub.publish(source(), minutes(0, 1));
    let saver = Arc::new(Mutex::new(rig.saver));
    let saves = tokio::spawn(Saver::run(Arc::clone(&saver), stop.clone()));
    let failures = |hub: &Hub| {
        let text = String::from_utf8(hub.metrics().render().unwrap()).unwrap();
        let line = text.lines().find(|line| line.starts_with("tickcast_store_failures_total ")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    // 5, 10, 20, 40 seconds, then every minute.
    let start = tokio::time::Instant::now();
    for (count, least) in [(1, 5), (2, 15), (3, 35), (4, 75), (5, 135), (6, 195)] {
        while failures(&hub) < count {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        let passed = start.elapsed().as_secs();
        assert!((least..least + 3).contains(&passed), "failure {count} after {passed} s");
    }
    fs::remove_dir(&path).unwrap();
    stop.cancel();
    saves.await.unwrap().unwrap();
    assert!(saver.lock().finish(), "and the last save succeeds when it can");
    assert!(saver.lock().save(), "nothing is written behind it");
    drop(saver);
    assert_eq!(plan.start(&path).says("BTC-USD").trades.len(), 6);
}
