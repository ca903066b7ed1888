//! The steps in which an instrument is priced and traded.

use super::{Price, Size};

/// What a venue says of an instrument's steps, with the venue's digits. What it does not say is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Increments {
    /// Every price is a multiple of it.
    pub tick: Option<Price>,
    /// Every size is a multiple of it.
    pub lot: Option<Size>,
}
