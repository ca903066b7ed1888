//! What every dialect does for clients, dispatched by enum: read their messages, write replies and events. Each is pure,
//! bytes to values and back, in the dialect's own `serve.rs`.

use super::{
    Dialect, Encoding, Form, Packing,
    talk::{Fault, Messages, Reply, Request},
};
use crate::market::{Body, Symbol};

macro_rules! dispatch {
    ($($(#[$attribute:meta])* $name:ident = $visibility:vis $module:ident,)*) => {
        impl Dialect {
            /// What its frames hold.
            #[must_use]
            pub const fn packing(self) -> Packing {
                match self { $($(#[$attribute])* Self::$name => super::$module::serve::PACKING,)* }
            }

            /// How it calls one of the hub's symbols by rule; nothing where it has the same names.
            #[must_use]
            pub const fn naming(self) -> Option<fn(&Symbol) -> Option<Symbol>> {
                match self { $($(#[$attribute])* Self::$name => super::$module::serve::NAMING,)* }
            }

            /// Reads one message of a client: several requests where the dialect's message holds several.
            ///
            /// # Errors
            /// A [`Fault`] ready to be answered; nothing of the message is carried out then.
            pub fn read(self, message: &[u8], encoding: Encoding) -> Result<Vec<Request>, Fault> {
                match self { $($(#[$attribute])* Self::$name => super::$module::serve::read(message, encoding),)* }
            }

            /// Writes a reply: as no message, where the dialect has none for it, as one or as several.
            pub fn write(self, reply: &Reply<'_>, out: &mut Messages) {
                match self { $($(#[$attribute])* Self::$name => super::$module::serve::write(reply, out),)* }
            }
        }

        impl Form {
            /// Writes an event as one message; `name` is what the dialect calls its symbol. Nothing where the form has
            /// no word for it.
            #[must_use]
            pub fn event(self, n: u64, body: &Body, name: Symbol) -> Option<Box<[u8]>> {
                match self.dialect() {
                    $($(#[$attribute])* Dialect::$name => super::$module::serve::event(self, n, body, name),)*
                }
            }
        }
    };
}

dialects!(dispatch);
