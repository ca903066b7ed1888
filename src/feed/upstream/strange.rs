//! Detects a connection on which no frame is understood, as at the wrong address or behind a proxy that answers itself.

use crate::{
    dialect::{Message, Venue, looks_like},
    limits::UPSTREAM_STRANGE_FRAMES,
};

/// Counts one connection's frames until the first one is understood.
#[derive(Debug, Default)]
pub(super) struct Strange {
    is_understood: bool,
    frames: u64,
    looks: Option<&'static str>,
}

impl Strange {
    /// Takes a frame and what it said. Returns what to tell, once: how many were strange.
    pub(super) fn take(&mut self, venue: Venue, frame: &[u8], said: &[Message]) -> Option<String> {
        if self.is_understood {
            return None;
        }
        let strange = |said: &Message| matches!(said, Message::Unknown | Message::Ignored("list" | "empty"));
        if !said.iter().all(strange) {
            self.is_understood = true;
            return None;
        }
        self.frames += 1;
        if self.frames > UPSTREAM_STRANGE_FRAMES {
            return None;
        }
        self.looks = self.looks.or_else(|| looks_like(frame));
        (self.frames == UPSTREAM_STRANGE_FRAMES).then(|| self.words(venue))
    }

    /// What to tell at the end of the connection, if it was not told before.
    pub(super) fn end(&self, venue: Venue) -> Option<String> {
        let is_news = !self.is_understood && (1..UPSTREAM_STRANGE_FRAMES).contains(&self.frames);
        is_news.then(|| self.words(venue))
    }

    fn words(&self, venue: Venue) -> String {
        let looks = self.looks.filter(|whose| *whose != venue.as_str());
        let looks = looks.map(|whose| format!("; they look like those of {whose}")).unwrap_or_default();
        let (frames, venue) = (self.frames, venue.as_str());
        format!("none of {frames} frames was understood as those of {venue}{looks}: is the url right?")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::UnixMicros;

    /// What is told of a connection with these frames, on the way and at its end.
    fn told(venue: Venue, frames: &[&str]) -> Vec<String> {
        let (mut strange, mut told) = (Strange::default(), Vec::new());
        for frame in frames {
            let mut said = Vec::new();
            let _unreadable = venue.parse(frame.as_bytes(), UnixMicros(1), &mut said);
            told.extend(strange.take(venue, frame.as_bytes(), &said));
        }
        told.extend(strange.end(venue));
        told
    }

    #[test]
    fn a_connection_on_which_nothing_is_understood_is_told_once() {
        let okx = r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"px":"1"}]}"#;
        let html = "<html>";
        for venue in Venue::ALL {
            for count in [1, 20, 500] {
                let found = told(venue, &vec![okx; count]);
                assert_eq!(found.len(), 1, "{venue:?}: {found:?}");
                let (frames, name) = (count.min(20), venue.as_str());
                let start =
                    format!("none of {frames} frames was understood as those of {name}; they look like");
                assert!(found[0].starts_with(&start) && found[0].contains("okx"), "{}", found[0]);
            }
            assert!(told(venue, &[html])[0].contains("frames was understood"));
            assert_eq!(told(venue, &[]), Vec::<String>::new());
        }
        let kraken = [okx, r#"{"channel":"heartbeat"}"#, okx];
        assert_eq!(told(Venue::Kraken, &kraken.repeat(50)), Vec::<String>::new());
    }
}
