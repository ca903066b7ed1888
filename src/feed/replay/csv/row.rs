//! One row, split into fields that are read with errors that name the column.

use rust_decimal::Decimal;

use super::super::decoded::Skipped;
use crate::{
    dialect::field,
    limits::{CSV_QUOTED_LINES, MAX_CSV_COLUMNS},
    market::{Level, Price, Size},
};

/// The line end that is added to every line.
const LINE_END: u8 = b'\n';

/// A column that was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// The key of the mapping.
    pub(super) key: &'static str,
    /// Position from 0.
    pub(super) index: usize,
}

/// One line, split into fields.
pub(super) struct Row {
    reader: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    fields: usize,
    /// Consecutive lines that ended inside a quoted field.
    open_lines: usize,
}

impl Row {
    pub(super) fn new(delimiter: u8) -> Self {
        let reader = csv_core::ReaderBuilder::new()
            .delimiter(delimiter)
            .terminator(csv_core::Terminator::Any(LINE_END))
            .build();
        Self { reader, text: Vec::new(), ends: vec![0; MAX_CSV_COLUMNS], fields: 0, open_lines: 0 }
    }

    /// Takes this line.
    ///
    /// # Errors
    /// When it has too many columns, or ends inside a quoted field. The following lines are then inside that field, until it
    /// is closed, or for [`CSV_QUOTED_LINES`].
    pub(super) fn split(&mut self, line: &[u8]) -> Result<(), Skipped> {
        self.fields = 0;
        let was_open = std::mem::take(&mut self.open_lines);
        if was_open == 0 {
            self.reader.reset();
        }
        self.text.resize(self.text.len().max(line.len() + 1), 0);
        let (mut written, mut fields) = (0, 0);
        for mut input in [line, &[LINE_END]] {
            while !input.is_empty() {
                let (result, taken, more_text, more_fields) = self.reader.read_record(
                    input,
                    self.text.get_mut(written..).unwrap_or_default(),
                    self.ends.get_mut(fields..).unwrap_or_default(),
                );
                input = input.get(taken..).unwrap_or_default();
                written += more_text;
                fields += more_fields;
                match result {
                    csv_core::ReadRecordResult::InputEmpty => {}
                    csv_core::ReadRecordResult::Record | csv_core::ReadRecordResult::End if was_open > 0 => {
                        return Err(Skipped::new("cut_off", "ends a quoted field that was left open before"));
                    }
                    csv_core::ReadRecordResult::Record | csv_core::ReadRecordResult::End => {
                        self.fields = fields;
                        return Ok(());
                    }
                    csv_core::ReadRecordResult::OutputFull | csv_core::ReadRecordResult::OutputEndsFull => {
                        let why = format!("the row has more than {MAX_CSV_COLUMNS} columns");
                        return Err(Skipped::new("columns", why));
                    }
                }
            }
        }
        // The line end is inside a quoted field.
        self.open_lines = if was_open < CSV_QUOTED_LINES { was_open + 1 } else { 0 };
        Err(Skipped::new("cut_off", "a quoted field is not closed on this line"))
    }

    /// How many fields it has.
    pub(super) const fn len(&self) -> usize {
        self.fields
    }

    /// A field, if it is there and UTF-8.
    pub(super) fn text(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(..self.fields)?.get(index)?;
        let start = if index == 0 { 0 } else { *self.ends.get(index - 1)? };
        str::from_utf8(self.text.get(start..end)?).ok()
    }

    /// Reads one field; errors name the column.
    pub(super) fn read<T>(
        &self,
        cell: Cell,
        read: impl FnOnce(&str) -> Result<T, Skipped>,
    ) -> Result<T, Skipped> {
        let Cell { key, index } = cell;
        let Some(text) = self.text(index) else {
            let why = format!(
                "column {index} ({key}): not there, or not UTF-8; the row has {} columns",
                self.fields
            );
            return Err(Skipped::new("columns", why));
        };
        read(text).map_err(|error| Skipped { why: format!("column {index} ({key}): {}", error.why), ..error })
    }

    /// Reads a price with its size, which may be empty.
    pub(super) fn level(
        &self,
        (price, size): (Cell, Option<Cell>),
        scale: Option<u32>,
    ) -> Result<Option<Level>, Skipped> {
        // Most files write a missing side as an empty field.
        if self.text(price.index).is_some_and(str::is_empty) {
            return Ok(None);
        }
        let read_size = |text: &str| -> Result<Option<Size>, Skipped> {
            if text.is_empty() { Ok(None) } else { Ok(Some(field::size("size", text)?)) }
        };
        let size = size.map(|cell| self.read(cell, read_size)).transpose()?.flatten();
        Ok(field::level(self.read(price, |text| scaled(text, scale))?, size))
    }
}

/// The price in that text; with a scale the text is an integer with that number of decimals.
pub(in crate::feed) fn scaled(text: &str, scale: Option<u32>) -> Result<Price, Skipped> {
    let Some(scale) = scale else { return Ok(field::price("price", text)?) };
    let integer = text.parse::<i64>().map_err(|_why| not_integer(text))?;
    let value = Decimal::try_new(integer, scale).map_err(|_why| not_integer(text))?;
    Ok(Price::new(value))
}

fn not_integer(text: &str) -> Skipped {
    Skipped::new("number", format!("{text:?} is not an integer, as price_scale needs"))
}
