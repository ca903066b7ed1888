//! Messages as JSON lines on stdout, for other programs.

use std::io::{self, BufWriter, Write};

use anyhow::bail;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{link::Update, protocol};
use crate::cli::logging;

/// Prints messages until `count` of them, the reader has gone, or `stop`. What happens to the connection goes to stderr.
///
/// # Errors
/// When the gateway says not to come back, or stdout fails.
pub(super) async fn run(
    mut inbox: mpsc::Receiver<Update>,
    count: Option<u64>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut left = count.unwrap_or(u64::MAX);
    while let Some(Some(update)) = stop.run_until_cancelled(inbox.recv()).await {
        match update {
            Update::Frame(frame) => {
                match print(&mut BufWriter::new(io::stdout().lock()), &frame, &mut left) {
                    Ok(()) if left == 0 => return Ok(()),
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                    Err(error) => return Err(error.into()),
                }
            }
            Update::Waiting { why, pause } => {
                note(&format!("{why}; trying again in {} ms", pause.as_millis()));
            }
            Update::Ended(why) => bail!("{why}"),
            Update::Connecting | Update::Connected | Update::RoundTrip(_) => {}
        }
    }
    Ok(())
}

/// Prints the messages of a frame, at most `left`. A frame that is no list of messages is noted and passed over.
fn print(out: &mut impl Write, frame: &str, left: &mut u64) -> io::Result<()> {
    let messages = match protocol::split(frame) {
        Ok(messages) => messages,
        Err(why) => {
            note(&format!("a frame that is no list of messages: {why}"));
            return Ok(());
        }
    };
    for message in messages {
        if *left == 0 {
            break;
        }
        *left -= 1;
        // Line breaks inside of JSON can only be between its parts: in texts they are escaped.
        writeln!(out, "{}", message.get().replace(['\n', '\r'], " "))?;
    }
    out.flush()
}

fn note(text: &str) {
    logging::last_words(&format!("tickcast watch: {text}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(frame: &str, left: &mut u64) -> String {
        let mut out = Vec::new();
        print(&mut out, frame, left).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_message_is_one_line_as_it_came() {
        let mut left = 3;
        assert_eq!(
            printed(r#"[{"T":"hb","time":1},{"T":"x","p":1.50}]"#, &mut left),
            "{\"T\":\"hb\",\"time\":1}\n{\"T\":\"x\",\"p\":1.50}\n"
        );
        assert_eq!(printed("[{\"T\":\n\"hb\"},{}]", &mut left), "{\"T\": \"hb\"}\n");
        assert_eq!(left, 0);
        assert_eq!(printed("[{}]", &mut left), "");
        assert_eq!(printed("no list", &mut 5), "");
    }

    #[tokio::test]
    async fn an_end_for_good_is_an_error() {
        let (updates, inbox) = mpsc::channel(1);
        updates.send(Update::Ended("closed by the gateway (4005): too many".into())).await.unwrap();
        let error = run(inbox, None, CancellationToken::new()).await.unwrap_err();
        assert!(error.to_string().contains("4005"));
    }
}
