//! Limits of a node of a cluster: its pauses, and what waits in it.

use std::time::Duration;

/// The first pause after the log was not reached; each further one is twice as long.
pub const LOG_BACKOFF: Duration = Duration::from_millis(50);

/// The longest pause between two attempts to reach the log. It is tried for ever.
pub const LOG_BACKOFF_LONGEST: Duration = Duration::from_secs(1);

/// How long one read waits for the next batch.
pub const LOG_BLOCK: Duration = Duration::from_secs(1);

/// How long a node that is not in step waits between two looks at the log.
pub const LOG_LOOK: Duration = Duration::from_millis(200);

/// A node whose log is lost waits this long for a beginning that follows from what it has, before it asks for an image.
pub const ASTRAY_GRACE: Duration = Duration::from_secs(1);

/// Longest wait for shards to empty their lanes before the next batch is applied. Later: a lane that is full is lapped.
pub const APPLY_PATIENCE: Duration = Duration::from_millis(200);

/// Time between two looks at the lanes meanwhile.
pub const APPLY_PAUSE: Duration = Duration::from_millis(1);

/// The log has a batch at least so often: less than half of the least `silence_ms`.
pub const LIFE_SIGN: Duration = Duration::from_millis(200);

/// Bytes of what is pending that go into one batch: few enough that the lanes of shards hold its events.
pub const BATCH_BYTES_AT_ONCE: usize = 64 * 1024;

/// How often a candidate looks whether it should try to lead.
pub const LEAD_LOOK: Duration = Duration::from_millis(100);

/// How long a new leader has to apply what the log has. Later: it lets go of the lead.
pub const CATCH_UP_TIME: Duration = Duration::from_secs(5);

/// How often the leader tells how its feeds are doing.
pub const FEED_WORDS_EVERY: Duration = Duration::from_secs(1);

/// How often a node shows that it lives.
pub const BEAT_EVERY: Duration = Duration::from_secs(1);

/// How long a node counts as alive after its last sign of life.
pub const BEAT_TTL: Duration = Duration::from_secs(5);

/// How often a node looks whether the log is silent.
pub const SILENCE_LOOK: Duration = Duration::from_millis(100);

/// How often a node looks whether its clients want something else: the most often that it tells the others.
pub const WANT_LOOK: Duration = Duration::from_millis(250);

/// How often a node tells what its clients want, though it has not changed.
pub const WANT_REFRESH: Duration = Duration::from_secs(5);

/// How long that counts: the demand of a node that died is forgotten after it.
pub const WANT_TTL: Duration = Duration::from_secs(15);

/// Bytes of the bits that tell what a node's clients want. Topics with higher numbers count as wanted.
pub const MAX_WANT_BYTES: usize = 128 * 1024;

/// Ticks of a request that go into one entry of the inbox, so that each fits into one batch of the log.
pub const INBOX_PART_TICKS: usize = 512;

/// The leader takes from the inbox only while less than this is pending, so that pushed ticks and their id go out together.
pub const PUSHED_BEHIND_BYTES: usize = 256 * 1024;

/// Batches that pushed ticks and what was pending before them go into at the most.
pub const PUSHED_BATCHES: usize = 16;

/// Entries of the inbox that wait in the leader; it reads on when there is room.
pub const INBOX_WAITING: usize = 16;

/// How long one read of the inbox waits.
pub const INBOX_BLOCK: Duration = Duration::from_secs(1);

/// A push that the log does not have after this long is answered with 503: it may be published yet.
pub const INBOX_CONFIRM: Duration = Duration::from_secs(2);

/// Requests for an image that wait in a node. One more is dropped: who needs it asks again.
pub const IMAGES_WAITING: usize = 8;

/// Bytes of a slice of an image that go into one piece: with few pieces that wait, Redis holds little of it.
pub const IMAGE_CHUNK_BYTES: usize = 256 * 1024;

/// How long a node waits for the first piece of an image before it asks again.
pub const IMAGE_FIRST: Duration = Duration::from_secs(2);

/// How long a node waits for the next piece of an image. Later: it asks for another one.
pub const IMAGE_NEXT: Duration = Duration::from_secs(5);

/// How long a node that makes an image waits for the other side to take pieces. Later: it gives up.
pub const IMAGE_TAKEN: Duration = Duration::from_secs(10);

/// Pause before the next look whether there is room for another piece.
pub const IMAGE_PAUSE: Duration = Duration::from_millis(5);

/// The leader waits this long before it makes an image, so that another node does.
pub const IMAGE_LEADER_WAITS: Duration = Duration::from_millis(200);

/// Most pieces that one slice of an image takes. More: the image is refused.
pub const MAX_SLICE_PIECES: usize = 512;

/// How long a node that starts waits for what the cluster is made of. Later: it compares when it joins.
pub const META_WAIT: Duration = Duration::from_secs(3);

/// How long a leader that stops has to write what is left and to let go. Later: its lead runs out by itself.
pub const RESIGN_TIMEOUT: Duration = Duration::from_secs(10);
