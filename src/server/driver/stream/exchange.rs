//! Which request the bytes of a connection belong to, and what it is in the middle of.
//!
//! actix reads ahead: a request that came together with the one before is parsed while that one is still answered, and
//! half a head lies in a buffer that nothing else sees. So the counted stream hands it one request at a time. No byte of the next
//! one goes up before this one, its body and its answer are whole; what comes earlier waits here. Then the time that a
//! head takes can be told exactly: from its first byte, or from the end of the request before it if that came later, to
//! the call of the application.

use bytes::{Buf as _, BytesMut};

use super::message::{Body, Chunk, Framing, Head};

/// What the next bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A head.
    Head(Head),
    /// Those of a later request: a whole head went up, and the application is about to be called.
    Handed,
    /// The body of the request that the application has.
    Body(Body),
    /// Those of a later request: this one is whole and is answered.
    Answer,
    /// Nothing that the line knows of: all of them go up, until the end.
    Open,
}

/// How far the answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Not whole.
    Due,
    /// All of it is with actix.
    Made,
    /// The socket has taken it.
    Written,
}

/// The requests of a connection, one after the other.
#[derive(Debug)]
pub(super) struct Exchange {
    phase: Phase,
    answer: Answer,
    /// The client has sent nothing yet that was answered.
    first: bool,
    /// Bytes that came before their time.
    ahead: BytesMut,
}

impl Exchange {
    pub(super) fn new() -> Self {
        Self { phase: Phase::Head(Head::default()), answer: Answer::Due, first: true, ahead: BytesMut::new() }
    }

    /// Whether it is an empty connection between two requests.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Head(head) if !head.has_begun()) && !self.first
    }

    /// Whether a head is under way. The first one is from the start: a connection without a request is of no use.
    pub(super) fn is_in_head(&self) -> bool {
        match self.phase {
            Phase::Head(head) => self.first || head.has_begun(),
            Phase::Handed => true,
            Phase::Body(_) | Phase::Answer | Phase::Open => false,
        }
    }

    /// Whether the next bytes are of a head.
    pub(super) const fn reads_head(&self) -> bool {
        matches!(self.phase, Phase::Head(_))
    }

    pub(super) const fn is_in_body(&self) -> bool {
        matches!(self.phase, Phase::Body(_))
    }

    /// Whether bytes may go up now.
    pub(super) const fn takes_bytes(&self) -> bool {
        !matches!(self.phase, Phase::Handed | Phase::Answer)
    }

    /// How many bytes at the start are line ends between two requests, which mean nothing: as bytes of a head they would
    /// start its time.
    pub(super) fn blank(&self, bytes: &[u8]) -> usize {
        if self.phase != Phase::Head(Head::Empty) {
            return 0;
        }
        bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
    }

    /// Counts bytes that may go up. Returns how many of them do; the others are of a later request.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> usize {
        match &mut self.phase {
            Phase::Open => bytes.len(),
            Phase::Handed | Phase::Answer => 0,
            Phase::Head(head) => {
                let (taken, whole) = head.take(bytes);
                if whole {
                    self.phase = Phase::Handed;
                }
                taken
            }
            Phase::Body(body) => {
                let (taken, whole) = body.take(bytes);
                if whole {
                    self.phase = Phase::Answer;
                    self.turn();
                }
                taken
            }
        }
    }

    /// Keeps bytes of a later request.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.ahead.extend_from_slice(bytes);
    }

    /// Bytes that came before their time.
    pub(super) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// That many of them went up.
    pub(super) fn advance(&mut self, taken: usize) {
        self.ahead.advance(taken);
        if self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
    }

    /// All of them, for who reads the socket from now on.
    pub(super) fn into_ahead(self) -> BytesMut {
        self.ahead
    }

    /// The application has the head.
    pub(super) fn called(&mut self, framing: Framing) {
        self.answer = Answer::Due;
        self.phase = match framing {
            Framing::None | Framing::Length(0) => Phase::Answer,
            Framing::Length(bytes) => Phase::Body(Body::Length(bytes)),
            Framing::Chunked => Phase::Body(Body::Chunked(Chunk::Size(0))),
            Framing::Stream => Phase::Open,
        };
    }

    /// All of the answer is with actix.
    pub(super) fn answered(&mut self) {
        self.answer = Answer::Made;
    }

    /// The socket has taken all that actix had. Returns whether that was the end of a request.
    pub(super) fn flushed(&mut self) -> bool {
        if self.answer == Answer::Made {
            self.answer = Answer::Written;
            return self.turn();
        }
        false
    }

    /// Goes on to the next request if this one is whole and answered.
    fn turn(&mut self) -> bool {
        let over = self.phase == Phase::Answer && self.answer == Answer::Written;
        if over {
            self.phase = Phase::Head(Head::default());
            self.first = false;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

    #[test]
    fn nothing_of_a_request_goes_up_before_the_one_before_it_is_whole_and_answered() {
        let mut exchange = Exchange::new();
        assert!(exchange.is_in_head(), "the first head is under way from the start");
        assert_eq!(exchange.pass(&[GET, GET].concat()), GET.len());
        exchange.keep(GET);
        assert!(!exchange.takes_bytes() && exchange.is_in_head(), "until the application is called");
        exchange.called(Framing::Length(3));
        assert!(exchange.takes_bytes() && exchange.is_in_body() && !exchange.is_in_head());
        exchange.answered();
        assert!(!exchange.flushed(), "answered before the body is whole");
        assert_eq!(exchange.pass(b"abcGET"), 3);
        assert!(exchange.is_idle() && exchange.takes_bytes());
        exchange.advance(GET.len());
        assert_eq!(exchange.pass(GET), GET.len());
        exchange.called(Framing::None);
        assert!(!exchange.flushed(), "a flush in the middle of an answer is no end");
        assert!(!exchange.is_idle() && !exchange.is_in_head() && !exchange.takes_bytes());
        exchange.answered();
        assert!(exchange.flushed());
        assert!(exchange.is_idle());
        assert_eq!((exchange.blank(b"\r\n\nG"), exchange.blank(b"G\n")), (3, 0));
        assert_eq!(exchange.pass(b"G"), 1);
        assert_eq!(exchange.blank(b"\r\n"), 0, "within a head line ends count");
        assert!(exchange.is_in_head());
    }

    #[test]
    fn after_an_upgrade_all_bytes_go_up() {
        let mut exchange = Exchange::new();
        assert_eq!(exchange.pass(GET), GET.len());
        exchange.called(Framing::Stream);
        assert_eq!(exchange.pass(&[0; 100]), 100);
        exchange.answered();
        assert!(!exchange.flushed());
        assert!(!exchange.is_in_head() && !exchange.is_idle());
    }
}
