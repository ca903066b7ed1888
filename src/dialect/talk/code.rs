//! Why a request is refused.

/// Kinds of errors, with the numbers of tickcast's own protocol and of refusals over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Not a command.
    Syntax,
    /// Authentication is off, so everybody is authenticated.
    AlreadyAuthenticated,
    /// More subscriptions than a session may have.
    SymbolLimit,
    /// More sessions than the gateway, or one address, may have.
    ConnectionLimit,
    /// No such symbol.
    UnknownSymbol,
    /// No such channel.
    UnknownChannel,
    /// A parameter that cannot be.
    BadParameter,
    /// Too many commands a second.
    TooManyCommands,
}

impl Code {
    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Syntax => 400,
            Self::AlreadyAuthenticated => 403,
            Self::SymbolLimit => 405,
            Self::ConnectionLimit => 406,
            Self::UnknownSymbol => 414,
            Self::UnknownChannel => 415,
            Self::BadParameter => 416,
            Self::TooManyCommands => 429,
        }
    }

    /// Whether the same command may succeed later.
    #[must_use]
    pub const fn retry(self) -> bool {
        matches!(self, Self::ConnectionLimit | Self::UnknownSymbol | Self::TooManyCommands)
    }
}
