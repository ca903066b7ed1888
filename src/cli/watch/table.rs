//! The table on a real terminal: keys in, redraws out. Whatever happens, the terminal is given back as it was.

use anyhow::{Context as _, bail};
use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::StreamExt as _;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use super::{
    link::Update,
    model::{Connection, Model},
    screen::{self, View},
};
use crate::{cli::signals::Signals, clock::Clock, limits::WATCH_REDRAW};

/// Updates taken at once before keys are looked at again.
const BURST: usize = 64;

/// Gives the terminal back when dropped, on every way out; a panic's hook does it before its message.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Shows the table until the user quits.
///
/// # Errors
/// When the terminal fails, or when the gateway had said not to come back.
pub(super) async fn run(url: String, mut inbox: mpsc::Receiver<Update>) -> anyhow::Result<()> {
    let clock = Clock::system();
    let mut model = Model::new(clock.now());
    let mut view = View::default();
    let mut signals = Signals::catch()?;
    let mut terminal = ratatui::try_init().context("the terminal cannot be used; --json needs none")?;
    let restore = Restore;
    let mut keys = EventStream::new();
    let mut redraw = interval(WATCH_REDRAW);
    redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut burst = Vec::with_capacity(BURST);
    loop {
        tokio::select! {
            // The link's last word leaves the channel closed; the table stays until the user has read it.
            taken = inbox.recv_many(&mut burst, BURST), if !inbox.is_closed() || !inbox.is_empty() => {
                let now = clock.now();
                for update in burst.drain(..taken) {
                    model.update(update, now);
                }
            }
            key = keys.next() => match key {
                Some(Ok(event)) => if is_quit(&event, &mut view) { break },
                Some(Err(why)) => return Err(why).context("the keyboard cannot be read"),
                None => break,
            },
            _ = redraw.tick() => {
                let now = clock.now();
                model.tick(now);
                terminal.draw(|frame| screen::draw(frame, &model, &mut view, &url, now))?;
            }
            _ = signals.next() => break,
        }
    }
    drop(restore);
    match model.connection {
        Connection::Ended(why) => bail!("{why}"),
        Connection::Connecting | Connection::Connected | Connection::Waiting(_) => Ok(()),
    }
}

/// Does what a key asks for; true when it is to quit.
fn is_quit(event: &Event, view: &mut View) -> bool {
    let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press | KeyEventKind::Repeat, .. }) =
        event
    else {
        return false;
    };
    let page = view.page().max(1);
    if let KeyCode::Char('c' | 'd') = code
        && modifiers.contains(KeyModifiers::CONTROL)
    {
        return true;
    }
    if let KeyCode::Char('q') | KeyCode::Esc = code {
        return true;
    }
    if let KeyCode::Up | KeyCode::Char('k') = code {
        view.up(1);
    } else if let KeyCode::Down | KeyCode::Char('j') = code {
        view.down(1);
    } else if *code == KeyCode::PageUp {
        view.up(page);
    } else if let KeyCode::PageDown | KeyCode::Char(' ') = code {
        view.down(page);
    } else if *code == KeyCode::Home {
        view.up(usize::MAX);
    } else if *code == KeyCode::End {
        view.down(usize::MAX);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers, view: &mut View) -> bool {
        is_quit(&Event::Key(KeyEvent::new(code, modifiers)), view)
    }

    #[test]
    fn keys_scroll_and_quit() {
        let mut view = View::default();
        for (code, modifiers, quits) in [
            (KeyCode::Char('q'), KeyModifiers::NONE, true),
            (KeyCode::Esc, KeyModifiers::NONE, true),
            (KeyCode::Char('c'), KeyModifiers::CONTROL, true),
            (KeyCode::Char('c'), KeyModifiers::NONE, false),
            (KeyCode::Char('x'), KeyModifiers::NONE, false),
        ] {
            assert_eq!(press(code, modifiers, &mut view), quits, "{code:?}");
        }
        assert_eq!(view, View::default());
        assert!(!press(KeyCode::Down, KeyModifiers::NONE, &mut view));
        let moved = view;
        assert_ne!(moved, View::default());
        press(KeyCode::PageDown, KeyModifiers::NONE, &mut view);
        press(KeyCode::Home, KeyModifiers::NONE, &mut view);
        assert_eq!(view, View::default());
        assert!(!is_quit(&Event::Resize(1, 1), &mut view));
    }
}
