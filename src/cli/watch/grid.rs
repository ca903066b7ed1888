//! The table's columns. One that does not fit is hidden whole: a price that lost a digit would still look like one.

use std::{borrow::Cow, cmp::Ordering};

use ratatui::{
    layout::{Alignment, Constraint},
    style::{Color, Modifier, Style},
    text::{Span, Text},
    widgets::{Row as TableRow, Table},
};

use super::model::{Figure, Row};
use crate::market::UnixMicros;

/// How long a change is marked, in microseconds.
pub(super) const FLASH: i64 = 600_000;

/// A price that rose, and a trade that a buyer started.
pub(super) const UP: Color = Color::Green;

/// A price that fell, and a trade that a seller started.
pub(super) const DOWN: Color = Color::Red;

const COLUMNS: usize = 9;

/// Heading and least width, so that a scrolled table does not jump.
const HEADINGS: [(&str, usize); COLUMNS] = [
    ("symbol", 10),
    ("bid", 10),
    ("size", 8),
    ("ask", 10),
    ("size", 8),
    ("last", 10),
    ("size", 8),
    ("age", 6),
    ("n", 8),
];

/// Which columns go first when there is no room for all: n, the trade's size, both quoted sizes, the age.
const HIDDEN_FIRST: [&[usize]; 4] = [&[8], &[6], &[2, 4], &[7]];

/// A text and how it looks.
pub(super) type Cell<'a> = (Cow<'a, str>, Style);

/// A row's texts, in the order of the columns.
pub(super) fn cells<'a>(
    symbol: &'a str,
    row: &'a Row,
    age: Option<String>,
    now: UnixMicros,
) -> [Cell<'a>; COLUMNS] {
    let plain = |text: &'a str| (Cow::from(text), Style::new());
    let name = match row.state.as_str() {
        "" | "live" => plain(symbol),
        state => (format!("{symbol} ({state})").into(), Style::new().add_modifier(Modifier::DIM)),
    };
    let side = match row.side.as_str() {
        "buy" => Style::new().fg(UP),
        "sell" => Style::new().fg(DOWN),
        _ => Style::new(),
    };
    [
        name,
        figure(&row.bid, now),
        plain(&row.bid_size),
        figure(&row.ask, now),
        plain(&row.ask_size),
        figure(&row.last, now),
        (row.last_size.as_str().into(), side),
        (age.unwrap_or_default().into(), Style::new()),
        (row.n.to_string().into(), Style::new()),
    ]
}

/// A price, marked while it is new.
fn figure(figure: &Figure, now: UnixMicros) -> Cell<'_> {
    let recent = figure.moved.filter(|(_, at)| now.0.saturating_sub(at.0) < FLASH);
    let style = match recent {
        Some((Ordering::Greater, _)) => Style::new().fg(Color::Black).bg(UP),
        Some((Ordering::Less, _)) => Style::new().fg(Color::Black).bg(DOWN),
        Some((Ordering::Equal, _)) | None => Style::new(),
    };
    (figure.text.as_str().into(), style)
}

/// The table of those rows, with as many columns as fit into `width`.
pub(super) fn table(rows: Vec<[Cell<'_>; COLUMNS]>, width: u16) -> Table<'_> {
    let widest = |column: usize| {
        let texts = rows.iter().filter_map(|row| row.get(column)).map(|(text, _)| text.chars().count());
        texts.max().unwrap_or(0)
    };
    let widths: Vec<usize> =
        HEADINGS.iter().enumerate().map(|(column, (_, least))| widest(column).max(*least)).collect();
    let shown = fitting(&widths, usize::from(width));
    let constraints = shown.iter().map(|column| {
        let width = widths.get(*column).copied().unwrap_or(0);
        Constraint::Length(u16::try_from(width).unwrap_or(u16::MAX))
    });
    let headings = shown.iter().filter_map(|column| HEADINGS.get(*column).map(|(text, _)| text));
    let headings = headings.enumerate().map(|(i, text)| aligned(i, (Cow::from(*text), Style::new())));
    let header = TableRow::new(headings).style(Style::new().add_modifier(Modifier::UNDERLINED));
    let body = rows.into_iter().map(|row| {
        let cells = row.into_iter().enumerate().filter(|(column, _)| shown.contains(column));
        TableRow::new(cells.map(|(column, cell)| aligned(column, cell)))
    });
    Table::new(body, constraints.collect::<Vec<_>>()).header(header)
}

/// Names to the left, numbers to the right.
fn aligned(column: usize, (text, style): Cell<'_>) -> Text<'_> {
    let alignment = if column == 0 { Alignment::Left } else { Alignment::Right };
    Text::from(Span::styled(text, style)).alignment(alignment)
}

/// The columns that fit, with a blank between two.
fn fitting(widths: &[usize], room: usize) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..widths.len()).collect();
    for columns in HIDDEN_FIRST {
        let used: usize = shown.iter().filter_map(|column| widths.get(*column)).map(|width| width + 1).sum();
        if used <= room + 1 {
            break;
        }
        shown.retain(|column| !columns.contains(column));
    }
    shown
}
