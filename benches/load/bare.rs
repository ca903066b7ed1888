//! The bare limit: one thread that appends each tick to a buffer for each subscriber and writes each buffer once in a
//! millisecond. No protocol beyond what the generator needs, no limits, no second thread: nothing can be cheaper on
//! ordinary sockets.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    time::Duration,
};

use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};

use crate::{market::Market, run::asked};

const LISTENER: Token = Token(usize::MAX);

struct Client {
    stream: TcpStream,
    /// What came before the subscription was whole.
    asking: Vec<u8>,
    waiting: Vec<u8>,
    dirty: bool,
}

pub(crate) fn serve(mut market: Market) -> anyhow::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1_024);
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    crate::process::ready(listener.local_addr()?.port());
    let mut clients: Vec<Client> = Vec::new();
    let mut subscribers: Vec<Vec<usize>> = vec![Vec::new(); market.symbols()];
    let mut dirty = Vec::new();
    loop {
        poll.poll(&mut events, Some(Duration::from_millis(1)))?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    poll.registry().register(&mut stream, Token(clients.len()), Interest::READABLE)?;
                    clients.push(Client { stream, asking: Vec::new(), waiting: Vec::new(), dirty: false });
                }
            } else {
                let index = event.token().0;
                for symbol in clients[index].read() {
                    subscribers[symbol].push(index);
                }
            }
        }
        market.release(|symbol, text| {
            for &index in &subscribers[symbol] {
                let client = &mut clients[index];
                client.waiting.extend_from_slice(&[0x81, 126]);
                client.waiting.extend_from_slice(&(text.len() as u16).to_be_bytes());
                client.waiting.extend_from_slice(text.as_bytes());
                if !client.dirty {
                    client.dirty = true;
                    dirty.push(index);
                }
            }
        });
        for index in dirty.drain(..) {
            let client = &mut clients[index];
            client.dirty = false;
            if let Ok(n) = client.stream.write(&client.waiting) {
                client.waiting.drain(..n);
            }
        }
    }
}

impl Client {
    /// Answers the upgrade and returns what is subscribed to, once it is there.
    fn read(&mut self) -> Vec<usize> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => self.asking.extend_from_slice(&buffer[..n]),
                Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                Err(_) => break,
            }
        }
        let Some(head) = self.asking.windows(4).position(|end| end == b"\r\n\r\n") else { return Vec::new() };
        let Some(end) = self.asking.iter().rposition(|byte| *byte == b'}') else { return Vec::new() };
        let start = head + 4;
        let Some(open) = self.asking[start..=end].iter().position(|byte| *byte == b'{') else {
            return Vec::new();
        };
        let symbols = asked(&self.asking[start + open..=end]);
        if !symbols.is_empty() {
            let answer =
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
            let _gone = self.stream.write(answer);
            self.asking = Vec::new();
        }
        symbols
    }
}
