"""A session over the `websockets` client: commands out, messages in, in either encoding. It checks no numbers."""

import json
import time

import msgpack
from websockets.sync.client import connect

SUBPROTOCOLS = {"json": "tickcast.v1.json", "msgpack": "tickcast.v1.msgpack"}


class Session:
    """One connection. Messages are handed out in order, frame by frame or one by one."""

    def __init__(self, url, encoding=None):
        """Without an encoding none is asked for, as by a bare terminal client."""
        self.packed = encoding == "msgpack"
        subprotocols = [SUBPROTOCOLS[encoding]] if encoding else None
        self.opening = connect(url, subprotocols=subprotocols, proxy=None, max_size=None)
        self.connection = None
        self.waiting = []

    def __enter__(self):
        self.connection = self.opening.__enter__()
        return self

    def __exit__(self, *error):
        self.opening.__exit__(*error)

    def send(self, **command):
        self.connection.send(msgpack.packb(command) if self.packed else json.dumps(command))

    def frame(self, seconds=10):
        """The messages of the next frame."""
        raw = self.connection.recv(timeout=seconds)
        assert isinstance(raw, bytes) == self.packed, f"JSON is text and MessagePack is binary: {raw[:80]!r}"
        messages = msgpack.unpackb(raw) if self.packed else json.loads(raw)
        assert isinstance(messages, list) and messages, f"a frame is an array of messages: {messages!r}"
        for message in messages:
            assert next(iter(message)) == "T", f"T is the first key: {message!r}"
        return messages

    def messages(self, seconds=20):
        """Message after message, until the deadline of all of them."""
        deadline = time.monotonic() + seconds
        while True:
            while self.waiting:
                yield self.waiting.pop(0)
            left = deadline - time.monotonic()
            assert left > 0, f"nothing of what was waited for within {seconds} s"
            self.waiting = self.frame(left)

    def until(self, kind, **wanted):
        """The next message of that type with those values; what comes before it is passed over."""
        for message in self.messages():
            if message["T"] == kind and all(message.get(key) == value for key, value in wanted.items()):
                return message
