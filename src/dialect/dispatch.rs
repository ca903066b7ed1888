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
            /// The content of its frames.
            #[must_use]
            pub const fn packing(self) -> Packing {
                match self { $($(#[$attribute])* Self::$name => super::$module::serve::PACKING,)* }
            }

            /// Its name of a hub symbol, by rule; `None` if it uses the same names.
            #[must_use]
            pub const fn naming(self) -> Option<fn(&Symbol) -> Option<Symbol>> {
                match self { $($(#[$attribute])* Self::$name => super::$module::serve::NAMING,)* }
            }

            /// Reads one message of a client, which may hold several requests.
            ///
            /// # Errors
            /// A [`Fault`] to answer with. Then no part of the message is carried out.
            pub fn read(self, message: &[u8], encoding: Encoding) -> Result<Vec<Request>, Fault> {
                match self { $($(#[$attribute])* Self::$name => super::$module::serve::read(message, encoding),)* }
            }

            /// Writes a reply as none, one or several messages.
            pub fn write(self, reply: &Reply<'_>, out: &mut Messages) {
                match self { $($(#[$attribute])* Self::$name => super::$module::serve::write(reply, out),)* }
            }
        }

        impl Form {
            /// Writes an event as one message; `name` is the dialect's name of its symbol. `None` if the form cannot express
            /// it.
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
