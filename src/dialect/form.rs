//! The dialects that clients may speak, and their forms. A form is one way to write an event: native JSON, native
//! MessagePack, a venue's trade. A subscription has its form, so one session may get several.
//!
//! Refuses to write: it names, and `serve.rs` of each dialect writes.

use super::Encoding;

macro_rules! name_dialects {
    ($($(#[$attribute:meta])* $name:ident = $visibility:vis $module:ident,)*) => {
        /// A dialect that sessions speak.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Dialect {
            $(
                $(#[$attribute])*
                #[doc = concat!("`dialect/", stringify!($module), "`.")]
                $name,
            )*
        }
    };
}

dialects!(name_dialects);

/// One way of one dialect to write an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Form {
    dialect: Dialect,
    nth: u8,
}

impl Form {
    /// A form of a dialect, by its number there.
    #[must_use]
    pub const fn new(dialect: Dialect, nth: u8) -> Self {
        Self { dialect, nth }
    }

    /// A form of tickcast's own protocol.
    #[must_use]
    pub const fn native(encoding: Encoding) -> Self {
        Self::new(Dialect::Native, encoding as u8)
    }

    /// The form's dialect.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        self.dialect
    }

    /// Its number in the dialect; for native forms [`Encoding::index`].
    #[must_use]
    pub const fn nth(self) -> u8 {
        self.nth
    }

    /// The encoding of a native form.
    #[must_use]
    pub const fn as_native(self) -> Option<Encoding> {
        match (self.dialect, self.nth) {
            (Dialect::Native, 0) => Some(Encoding::Json),
            (Dialect::Native, _) => Some(Encoding::MsgPack),
            #[cfg(test)]
            _ => None,
        }
    }
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// An array of messages.
    Array,
    /// One message.
    One,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_forms_are_the_encodings() {
        for encoding in Encoding::ALL {
            let form = Form::native(encoding);
            assert_eq!((form.as_native(), usize::from(form.nth())), (Some(encoding), encoding.index()));
        }
        assert_eq!(Form::new(Dialect::Toy, 0).as_native(), None);
    }

    #[test]
    fn a_form_takes_two_bytes() {
        assert_eq!(size_of::<Form>(), 2);
    }
}
