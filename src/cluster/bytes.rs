//! Numbers, decimals and texts as bytes and back. Whole numbers take seven bits a byte, so that small ones are short; whole
//! numbers with a sign and decimals keep every digit, and decimals their scale.
//!
//! What is read may be anything: every read is bounded by the bytes that are there, and nothing is reserved that the bytes
//! merely promise.

use rust_decimal::Decimal;

use crate::limits::MAX_DECIMAL_SCALE;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Another version wrote it.
    #[error("is of version {0}, which this gateway does not read")]
    Version(u8),
    /// It ends too early.
    #[error("ends in the middle")]
    Ends,
    /// More than the format takes.
    #[error("is larger than it may be: {0}")]
    Large(&'static str),
    /// Something else stands there.
    #[error("is damaged: {0}")]
    Damaged(&'static str),
}

impl WireError {
    /// The name as a metric label.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Version(_) => "version",
            Self::Ends | Self::Large(_) | Self::Damaged(_) => "damaged",
        }
    }
}

/// Collects bytes.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn uint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(low_bits(value) | 0x80);
            value >>= 7;
        }
        self.byte(low_bits(value));
    }

    fn wide(&mut self, mut value: u128) {
        while value > u128::from(u64::MAX) {
            self.byte(low_bits(u64::try_from(value & 0x7f).unwrap_or(0)) | 0x80);
            value >>= 7;
        }
        self.uint(u64::try_from(value).unwrap_or(u64::MAX));
    }

    /// The sign goes into the lowest bit, so that small numbers are short on both sides of zero.
    pub(super) fn int(&mut self, value: i64) {
        self.uint((value << 1 ^ value >> 63).cast_unsigned());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.uint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn decimal(&mut self, value: Decimal) {
        let mantissa = value.mantissa();
        let sign = u8::from(mantissa < 0) << 5;
        self.byte(sign | low_bits(u64::from(value.scale())));
        self.wide(mantissa.unsigned_abs());
    }
}

/// The lowest seven bits.
fn low_bits(value: u64) -> u8 {
    u8::try_from(value & 0x7f).unwrap_or(0)
}

/// Takes bytes from the front.
#[derive(Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> Result<u8, WireError> {
        let (first, rest) = self.0.split_first().ok_or(WireError::Ends)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn uint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let fits = shift < 63 || byte <= 1;
                return if fits {
                    Ok(value)
                } else {
                    Err(WireError::Damaged("a number of more than 64 bits"))
                };
            }
        }
        Err(WireError::Damaged("a number without an end"))
    }

    /// Of at most 98 bits.
    fn wide(&mut self) -> Result<u128, WireError> {
        let mut value = 0;
        for shift in (0..98).step_by(7) {
            let byte = self.byte()?;
            value |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::Damaged("a number without an end"))
    }

    pub(super) fn small(&mut self) -> Result<u32, WireError> {
        u32::try_from(self.uint()?).map_err(|_wide| WireError::Damaged("a number of more than 32 bits"))
    }

    pub(super) fn int(&mut self) -> Result<i64, WireError> {
        let value = self.uint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(super) fn bytes(&mut self, most: usize) -> Result<&'a [u8], WireError> {
        let len = usize::try_from(self.uint()?).map_err(|_wide| WireError::Ends)?;
        if len > most {
            return Err(WireError::Large("a text or a part"));
        }
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(WireError::Ends)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn text(&mut self, most: usize) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes(most)?).map_err(|_why| WireError::Damaged("a text that is none"))
    }

    pub(super) fn decimal(&mut self) -> Result<Decimal, WireError> {
        let head = self.byte()?;
        let scale = u32::from(head & 0x1f);
        let mantissa = self.wide()?;
        if head > 0x3f || scale > MAX_DECIMAL_SCALE || mantissa >> 96 != 0 {
            return Err(WireError::Damaged("a decimal"));
        }
        let part = |shift: u32| u32::try_from(mantissa >> shift & u128::from(u32::MAX)).unwrap_or(0);
        Ok(Decimal::from_parts(part(0), part(32), part(64), head & 0x20 != 0, scale))
    }

    /// A mark of yes or no.
    pub(super) fn flag(&mut self) -> Result<bool, WireError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(WireError::Damaged("neither yes nor no")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            uints in prop::collection::vec(any::<(u64, u32)>(), 0..20),
            ints in prop::collection::vec(any::<i64>(), 0..20),
            decimals in prop::collection::vec((any::<(u32, u32, u32)>(), any::<bool>(), 0..=28_u32, 0..4_u32), 0..20),
            text in ".*",
        ) {
            let decimals: Vec<_> = decimals.into_iter().map(|((low, middle, high), negative, scale, parts)| {
                let part = |n: u32, bits: u32| if parts > n { bits } else { 0 };
                Decimal::from_parts(part(0, low), part(1, middle), part(2, high), negative, scale)
            }).collect();
            let mut writer = Writer::default();
            for (value, shift) in &uints {
                writer.uint(value >> (shift % 64));
            }
            ints.iter().for_each(|value| writer.int(*value));
            decimals.iter().for_each(|value| writer.decimal(*value));
            writer.text(&text);
            let mut reader = Reader(&writer.0);
            for (value, shift) in &uints {
                prop_assert_eq!(reader.uint(), Ok(value >> (shift % 64)));
            }
            for value in &ints {
                prop_assert_eq!(reader.int(), Ok(*value));
            }
            for value in &decimals {
                let read = reader.decimal().unwrap();
                prop_assert_eq!((read, read.to_string()), (*value, value.to_string()));
            }
            prop_assert_eq!(reader.text(text.len()), Ok(&*text));
            prop_assert!(reader.is_empty());
        }
    }

    #[test]
    fn what_is_no_number_or_text_is_refused() {
        assert_eq!(Reader(&[]).byte(), Err(WireError::Ends));
        assert_eq!(Reader(&[0x80]).uint(), Err(WireError::Ends));
        assert_eq!(Reader(&[0xff; 30]).uint(), Err(WireError::Damaged("a number without an end")));
        assert_eq!(Reader(&[0xff; 9]).uint(), Err(WireError::Ends));
        assert!(matches!(Reader(&[29, 1]).decimal(), Err(WireError::Damaged(_))), "a scale of 29");
        assert!(matches!(Reader(&[0x40, 1]).decimal(), Err(WireError::Damaged(_))));
        assert_eq!(Reader(&[5, b'a']).text(9), Err(WireError::Ends));
        assert!(matches!(Reader(&[5, b'a']).text(4), Err(WireError::Large(_))));
        assert!(matches!(Reader(&[1, 0xff]).text(4), Err(WireError::Damaged(_))));
        assert!(matches!(Reader(&[2]).flag(), Err(WireError::Damaged(_))));
    }
}
