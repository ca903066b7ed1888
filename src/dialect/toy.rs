//! A dialect for tests, as unlike the native one as venues' are: one message a frame, several forms in one session, several
//! requests in one message, names of its own, and no word for some things.

pub(crate) mod serve;

use super::{Dialect, Form};

/// `F BTCUSD 3 1.50 2`: all of a trade.
pub(crate) const FULL: Form = Form::new(Dialect::Toy, 0);

/// `b BTCUSD 1.50`: the price alone.
pub(crate) const BRIEF: Form = Form::new(Dialect::Toy, 1);

/// As [`BRIEF`], but without a word for what was lost.
pub(crate) const MUTE: Form = Form::new(Dialect::Toy, 2);
