//! Whom a certificate is for, who gave it, and when it is valid: enough of X.509 (RFC 5280) to tell people.
//!
//! Refuses to judge: whether it is believed is the TLS library's decision.

use std::fmt;

use jiff::{civil, tz::TimeZone};

use crate::{limits::DOCTOR_CERTIFICATE_BYTES, market::UnixMicros};

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Common name, or organisation; empty when its names are elsewhere.
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) from: UnixMicros,
    pub(super) until: UnixMicros,
}

/// Tags of DER.
const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;

/// 2.5.4.3 and 2.5.4.10.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];

impl Certificate {
    /// Reads one; nothing if it is none.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        if der.len() > DOCTOR_CERTIFICATE_BYTES {
            return None;
        }
        let mut to_be_signed = Der(Der(Der(der).take(SEQUENCE)?).take(SEQUENCE)?);
        if to_be_signed.0.first() == Some(&VERSION) {
            to_be_signed.take(VERSION)?;
        }
        to_be_signed.take(INTEGER)?;
        to_be_signed.take(SEQUENCE)?;
        let issuer = name(to_be_signed.take(SEQUENCE)?);
        let mut validity = Der(to_be_signed.take(SEQUENCE)?);
        let (from, until) = (validity.time()?, validity.time()?);
        let subject = name(to_be_signed.take(SEQUENCE)?);
        Some(Self { subject, issuer, from, until })
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown =
            |name: &str| if name.is_empty() { "an unnamed one".to_owned() } else { format!("{name:?}") };
        let (subject, issuer) = (shown(&self.subject), shown(&self.issuer));
        write!(f, "certificate of {subject} by {issuer}, from {} to {}", Time(self.from), Time(self.until))
    }
}

/// A time of day as people read it, to the second.
pub(super) struct Time(pub(super) UnixMicros);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0.0.div_euclid(1_000_000)) {
            Ok(time) => time.fmt(f),
            Err(_outside) => f.write_str("an impossible time"),
        }
    }
}

/// What is left of a list of DER values.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The contents of the next value, which has that tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, contents) = self.next()?;
        (found == tag).then_some(contents)
    }

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&short, mut rest) = rest.split_first()?;
        let mut len = usize::from(short);
        if short >= 0x80 {
            let bytes =
                rest.get(..usize::from(short & 0x7f)).filter(|bytes| (1..=3).contains(&bytes.len()))?;
            len = bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
            rest = &rest[bytes.len()..];
        }
        let contents = rest.get(..len)?;
        self.0 = &rest[len..];
        Some((tag, contents))
    }

    fn time(&mut self) -> Option<UnixMicros> {
        let (tag, text) = self.next()?;
        let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
        let text = match tag {
            // Two digits of the year: up to 49 they are of this century.
            UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
            GENERALIZED_TIME => text.to_owned(),
            _ => return None,
        };
        let time = civil::DateTime::strptime("%Y%m%d%H%M%S", &text).ok()?;
        Some(UnixMicros(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond()))
    }
}

/// The common name in a list of attributes, or else the organisation.
fn name(attributes: &[u8]) -> String {
    let (mut sets, mut organisation) = (Der(attributes), String::new());
    while let Some(set) = sets.take(SET) {
        let Some(mut attribute) = Der(set).take(SEQUENCE).map(Der) else { continue };
        let (Some(kind), Some((_, text))) = (attribute.take(OID), attribute.next()) else { continue };
        let text = || String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).take(100).collect();
        if kind == COMMON_NAME {
            return text();
        }
        if kind == ORGANISATION {
            organisation = text();
        }
    }
    organisation
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(days: (i32, i32)) -> Vec<u8> {
        let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(rcgen::DnType::OrganizationName, "Venue Ltd");
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "venue.example");
        parameters.not_before = rcgen::date_time_ymd(days.0, 1, 2);
        parameters.not_after = rcgen::date_time_ymd(days.1, 1, 2);
        parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_says_whose_it_is_and_until_when() {
        let read = Certificate::read(&made((2024, 2031))).unwrap();
        assert_eq!((read.subject.as_str(), read.issuer.as_str()), ("venue.example", "venue.example"));
        let shown = read.to_string();
        assert!(shown.ends_with("from 2024-01-02T00:00:00Z to 2031-01-02T00:00:00Z"), "{shown}");
        // From 2050 on years have four digits.
        let late = Certificate::read(&made((1999, 2060))).unwrap().to_string();
        assert!(late.ends_with("from 1999-01-02T00:00:00Z to 2060-01-02T00:00:00Z"), "{late}");
    }

    #[test]
    fn what_is_cut_or_no_certificate_is_nothing() {
        let whole = made((2024, 2031));
        for len in 0..whole.len() {
            assert_eq!(Certificate::read(&whole[..len]), None, "{len}");
        }
        for (at, byte) in (0..whole.len()).flat_map(|at| [0x00, 0x30, 0x82, 0xff].map(|byte| (at, byte))) {
            let mut wrong = whole.clone();
            wrong[at] = byte;
            // Any answer will do, as long as there is one.
            let _read = Certificate::read(&wrong);
        }
        assert_eq!(Certificate::read(&vec![0x30; DOCTOR_CERTIFICATE_BYTES + 1]), None);
    }
}
