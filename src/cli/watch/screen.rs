//! How the model looks: drawn into any ratatui frame, so that tests can look at it.

use std::time::Duration;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Stylize as _,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{
    grid,
    model::{Connection, Model},
};
use crate::market::UnixMicros;

/// Where the table is scrolled to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct View {
    top: usize,
    page: usize,
}

impl View {
    /// Up by lines.
    pub(super) const fn up(&mut self, lines: usize) {
        self.top = self.top.saturating_sub(lines);
    }

    /// Down by lines; drawing stops at the end.
    pub(super) const fn down(&mut self, lines: usize) {
        self.top = self.top.saturating_add(lines);
    }

    /// Lines of one page, as last drawn.
    pub(super) const fn page(&self) -> usize {
        self.page
    }
}

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, view: &mut View, url: &str, now: UnixMicros) {
    let areas = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ]);
    let [header, notice, body, footer] = areas.areas(frame.area());
    frame.render_widget(header_line(model, url, now), header);
    frame.render_widget(notice_line(model), notice);
    draw_table(frame, model, view, body, now);
    let last = (view.top + view.page).min(model.rows.len());
    let place = format!("{}-{last} of {}", (view.top + 1).min(last), model.rows.len());
    let keys = "  ↑ ↓ PgUp PgDn Home End scroll   q quit";
    frame.render_widget(Paragraph::new(Line::from(vec![place.into(), keys.into()])).dim(), footer);
}

fn header_line(model: &Model, url: &str, now: UnixMicros) -> Paragraph<'static> {
    let state = match &model.connection {
        Connection::Connecting => "connecting".yellow(),
        Connection::Connected => match &model.source {
            Some(source) => source.clone().yellow(),
            None => "connected".green(),
        },
        Connection::Waiting(until) => {
            let left = Duration::from_micros(u64::try_from(until.0.saturating_sub(now.0)).unwrap_or(0));
            format!("again in {}", short(left)).yellow()
        }
        Connection::Ended(why) => format!("ended: {why}").red(),
    };
    let round_trip =
        model.round_trip.map_or_else(String::new, |time| format!("  round trip {}", short(time)));
    Paragraph::new(Line::from(vec![
        Span::from(url.to_owned()).bold(),
        "  ".into(),
        state,
        format!("  {} messages/s{round_trip}", model.rate).into(),
    ]))
}

fn notice_line(model: &Model) -> Paragraph<'static> {
    let mut spans = Vec::new();
    if model.gaps.0 > 0 {
        spans.push(format!("{} gaps, {} events lost  ", model.gaps.0, model.gaps.1).yellow());
    }
    if model.unshown > 0 {
        spans.push(format!("{} events of symbols without room  ", model.unshown).yellow());
    }
    spans.extend(model.notice.clone().map(Span::from));
    Paragraph::new(Line::from(spans))
}

fn draw_table(frame: &mut Frame<'_>, model: &Model, view: &mut View, area: Rect, now: UnixMicros) {
    view.page = usize::from(area.height.saturating_sub(1));
    view.top = view.top.min(model.rows.len().saturating_sub(view.page));
    let visible = model.rows.iter().skip(view.top).take(view.page);
    let rows: Vec<_> =
        visible.map(|(symbol, row)| grid::cells(symbol, row, model.age(row, now).map(short), now)).collect();
    frame.render_widget(grid::table(rows, area.width), area);
}

/// A time in one unit and at most six characters.
fn short(time: Duration) -> String {
    let (micros, millis, seconds) = (time.as_micros(), time.as_millis(), time.as_secs());
    match seconds {
        0 if millis < 10 => format!("{millis}.{:02}ms", micros % 1_000 / 10),
        0 => format!("{millis}ms"),
        1..60 => format!("{seconds}.{}s", millis % 1_000 / 100),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend, buffer::Buffer, style::Color};

    use super::*;
    use crate::cli::watch::{
        grid::{DOWN, FLASH, UP},
        link::Update,
    };

    const NOW: UnixMicros = UnixMicros(1_000_000_000);

    fn drawn(model: &Model, view: &mut View, (width, height): (u16, u16), now: UnixMicros) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, model, view, "ws://host/v1/ws", now)).unwrap();
        terminal.backend().buffer().clone()
    }

    fn lines(buffer: &Buffer) -> Vec<String> {
        let width = usize::from(buffer.area.width);
        let row =
            |cells: &[ratatui::buffer::Cell]| cells.iter().map(|cell| cell.symbol()).collect::<String>();
        buffer.content.chunks(width).map(|cells| row(cells).trim_end().to_owned()).collect()
    }

    fn model(frame: &str) -> Model {
        let mut model = Model::new(NOW);
        model.update(Update::Connected, NOW);
        model.update(Update::Frame(frame.into()), NOW);
        model
    }

    #[test]
    fn a_row_shows_both_sides_the_last_trade_and_its_age() {
        let mut model = model(
            r#"[{"T":"welcome","time":1000000000},
                {"T":"q","S":"BTC-USD","n":7,"bp":"67210.10","bs":"1.5","ap":"67210.20","as":"2","tr":1},
                {"T":"t","S":"BTC-USD","n":9001,"p":"67210.20","s":"0.015","side":"sell","tr":999400000},
                {"T":"gap","S":"BTC-USD","channel":"trades","from":1,"to":3,"why":"slow_client"}]"#,
        );
        model.update(Update::RoundTrip(Duration::from_micros(420)), NOW);
        let buffer = drawn(&model, &mut View::default(), (120, 8), NOW);
        let lines = lines(&buffer);
        assert_eq!(lines[0], "ws://host/v1/ws  connected  0 messages/s  round trip 0.42ms");
        assert_eq!(lines[1], "1 gaps, 3 events lost  gap in trades of BTC-USD: 1 to 3");
        let words: Vec<_> = lines[3].split_whitespace().collect();
        assert_eq!(
            words,
            ["BTC-USD", "67210.10", "1.5", "67210.20", "2", "67210.20", "0.015", "600ms", "9001"]
        );
        assert!(lines[7].starts_with("1-1 of 1 "), "{}", lines[7]);
        let sold = lines[3].find("0.015").unwrap();
        assert_eq!(buffer[(u16::try_from(sold).unwrap(), 3)].fg, DOWN);
    }

    #[test]
    fn a_change_is_marked_for_a_moment() {
        let frame =
            r#"[{"T":"t","S":"A","n":1,"p":"1.0","s":"1"},{"T":"t","S":"A","n":2,"p":"1.5","s":"1"}]"#;
        let model = model(frame);
        let background = |now| {
            let buffer = drawn(&model, &mut View::default(), (120, 6), now);
            let x = lines(&buffer)[3].find("1.5").unwrap();
            buffer[(u16::try_from(x).unwrap(), 3)].bg
        };
        assert_eq!(background(NOW), UP);
        assert_eq!(background(UnixMicros(NOW.0 + FLASH)), Color::Reset);
    }

    #[test]
    fn scrolling_stops_at_both_ends() {
        let mut all = Model::new(NOW);
        for i in 0..50 {
            let frame = format!(r#"[{{"T":"t","S":"S{i:02}","n":1,"p":"1","s":"1"}}]"#);
            all.update(Update::Frame(frame.into()), NOW);
        }
        let mut view = View::default();
        let first = |view: &mut View| {
            lines(&drawn(&all, view, (120, 14), NOW))[3].split(' ').next().unwrap().to_owned()
        };
        view.up(5);
        assert_eq!((first(&mut view).as_str(), view.page()), ("S00", 10));
        view.down(7);
        assert_eq!(first(&mut view), "S07");
        view.down(usize::MAX);
        assert_eq!(first(&mut view), "S40", "the last page is full");
        view.up(view.page());
        assert_eq!(first(&mut view), "S30");
    }

    #[test]
    fn no_terminal_is_too_small() {
        let model = model(r#"[{"T":"t","S":"A","n":1,"p":"1.0","s":"1"}]"#);
        for (width, height) in [(1, 1), (1, 2), (5, 3), (30, 4), (200, 5)] {
            drawn(&model, &mut View::default(), (width, height), NOW);
        }
    }

    #[test]
    fn a_narrow_terminal_hides_columns_but_never_cuts_a_price() {
        let quote = r#"[{"T":"q","S":"BTC-USD","n":123456789,"bp":"67210.10000001","bs":"1.50000000","ap":"67210.20000002","as":"2.50000000","tr":1},
            {"T":"t","S":"BTC-USD","n":9,"p":"67210.20000003","s":"0.015","side":"sell","tr":1}]"#;
        let model = model(quote);
        for (width, headings) in [
            (120, "symbol bid size ask size last size age n"),
            (90, "symbol bid size ask size last age"),
            (80, "symbol bid ask last age"),
            (60, "symbol bid ask last"),
        ] {
            let lines = lines(&drawn(&model, &mut View::default(), (width, 8), NOW));
            assert_eq!(lines[2].split_whitespace().collect::<Vec<_>>().join(" "), headings, "{width}");
            for price in ["67210.10000001", "67210.20000002", "67210.20000003"] {
                assert!(lines[3].contains(price), "{width}: {}", lines[3]);
            }
        }
    }

    #[test]
    fn times_are_short() {
        for (micros, text) in [
            (0, "0.00ms"),
            (9_990, "9.99ms"),
            (10_000, "10ms"),
            (999_999, "999ms"),
            (1_500_000, "1.5s"),
            (59_900_000, "59.9s"),
            (60_000_000, "1m"),
            (7_200_000_000, "2h"),
            (200_000_000_000, "2d"),
        ] {
            assert_eq!(short(Duration::from_micros(micros)), text);
        }
    }
}
