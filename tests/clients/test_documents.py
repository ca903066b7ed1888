"""The clients of docs/protocol.md, run as they stand: over a line that is cut again and again they miss nothing.

The text of each fenced block is what runs; only the address in it is replaced by that of the line.
"""

import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager

from gateway import ROOT, Gateway, eventually, http_get

PUSH = '[[feed]]\nname = "desk"\nkind = "push"\n'
# Trades between two cuts, and how often the line is cut.
TRADES, CUTS = 40, 4


def blocks():
    """Every client of the document, by language, in its order."""
    text = (ROOT / "docs/protocol.md").read_text()
    found = {}
    for language, body in re.findall(r"^```(js|python)\n(.*?)^```$", text, re.M | re.S):
        found.setdefault(language, []).append(body)
    return found


class Line:
    """A way to the gateway that can be cut, with everything that is on it."""

    def __init__(self, host):
        name, port = host.rsplit(":", 1)
        self.target = (name, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.ends = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
                server = socket.create_connection(self.target)
            except OSError:
                return
            with self.lock:
                self.ends += [client, server]
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(4096):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """Ends every connection. Returns how many there were."""
        with self.lock:
            ends, self.ends = self.ends, []
        for end in ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
        return len(ends) // 2

    def close(self):
        self.listener.close()
        self.cut()


@contextmanager
def running(command, text, suffix):
    """A client in a process of its own, and the messages that it has printed so far."""
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / f"client{suffix}"
        program.write_text(text)
        errors = open(pathlib.Path(folder) / "errors", "w+")
        process = subprocess.Popen([*command, str(program)], stdout=subprocess.PIPE, stderr=errors, text=True)
        said = []

        def read():
            for line in process.stdout:
                if line.startswith("{"):
                    said.append(json.loads(line))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            yield said
            assert process.poll() is None, pathlib.Path(errors.name).read_text()
        finally:
            process.kill()
            process.wait()
            reader.join()
            process.stdout.close()
            errors.close()


def publish(gateway, first, count):
    """Trades of both symbols, whose ids count on; returns the next id."""
    body = "".join(
        json.dumps({"S": symbol, "p": "1.0", "s": "1", "id": str(i)}) + "\n"
        for i in range(first, first + count)
        for symbol in ("BTC-USD", "ETH-USD")
    )
    name, port = gateway.host.rsplit(":", 1)
    with socket.create_connection((name, int(port))) as connection:
        head = f"POST /v1/publish?feed=desk HTTP/1.1\r\nHost: {gateway.host}\r\nConnection: close\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert b'"rejected":0' in answer, answer
    return first + count


def seen(said, symbol):
    """Numbers of one symbol's trades as a client was told: events, and spans that it was told it has missed."""
    return [
        (message["n"], message["n"]) if message["T"] == "t" else (message["from"], message["to"])
        for message in list(said)
        if message.get("S") == symbol and (message["T"] == "t" or message.get("channel") == "trades")
        and message["T"] in ("t", "gap")
    ]


def desk(folder, **settings):
    """A gateway, not yet started, whose only prices are published here."""
    feed = pathlib.Path(folder) / "desk.toml"
    feed.write_text(PUSH)
    gateway = Gateway("--feed", str(feed), server__grace_ms=0, server__drain_ms=0, **settings)
    # In place of the demonstration.
    at = gateway.arguments.index("demo")
    del gateway.arguments[at - 1 : at + 1]
    return gateway


@contextmanager
def served(**settings):
    """A gateway with one trade of each symbol, and a line to it."""
    with tempfile.TemporaryDirectory() as folder, desk(folder, **settings) as gateway:
        publish(gateway, 1, 1)
        line = Line(gateway.host)
        try:
            yield gateway, line
        finally:
            line.close()


def misses_nothing(command, text, suffix):
    """Cuts the line while trades come: every one is there once, in order."""
    with served() as (gateway, line), running(command, over(line, text), suffix) as said:
        following = 2
        for _ in range(CUTS):
            eventually("the client is there", lambda: seen(said, "BTC-USD"))
            following = publish(gateway, following, TRADES)
            eventually("the client has a connection", line.cut)
            following = publish(gateway, following, TRADES)
            for symbol in ("BTC-USD", "ETH-USD"):
                eventually("the last trade", lambda: seen(said, symbol)[-1][1] == following - 1)
        for symbol in ("BTC-USD", "ETH-USD"):
            assert seen(said, symbol) == [(n, n) for n in range(1, following)], symbol


def is_told_what_was_forgotten(command, text, suffix):
    """What the gateway has forgotten is a gap: every number is an event or in a gap, and they never fall."""
    with served(history__trades_per_symbol=1) as (gateway, line), running(command, over(line, text), suffix) as said:
        eventually("the client is there", lambda: seen(said, "BTC-USD"))
        following = 2
        for _ in range(2):
            eventually("the client has a connection", line.cut)
            following = publish(gateway, following, TRADES)
            eventually("all is told", lambda: seen(said, "BTC-USD")[-1][1] == following - 1)
        # A gap that cannot be recovered ends with the number of the snapshot behind it.
        told = [n for first, last in seen(said, "BTC-USD") for n in range(first, last + 1)]
        assert set(told) == set(range(1, following)), told
        assert told == sorted(told), told
        assert any(message["T"] == "gap" for message in said)


def counts_a_loss_as_seen(command, text, suffix):
    """After a crash the newest thing is a gap. A client that comes back again is not told it again."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        keep = {"store__path": f"{folder}/store.redb", "store__interval_ms": 100}
        crashed = desk(folder, **keep).__enter__()
        try:
            publish(crashed, 1, 5)
            saved = b"tickcast_store_saves_total 0"
            eventually("a save", lambda: saved not in http_get(crashed.host, "/metrics")[1])
        finally:
            crashed.kill()
        gateway = stack.enter_context(desk(folder, **keep))
        line = Line(gateway.host)
        stack.callback(line.close)
        said = stack.enter_context(running(command, over(line, text), suffix))
        welcomes = lambda: sum(message["T"] == "welcome" for message in list(said))
        eventually("the client is there", lambda: seen(said, "BTC-USD"))
        # The value of before, and behind it what the crash may have lost.
        eventually("the gap", lambda: len(seen(said, "BTC-USD")) > 1)
        before = seen(said, "BTC-USD")
        for times in (2, 3):
            eventually("the client has a connection", line.cut)
            eventually("the client is back", lambda: welcomes() == times)
        publish(gateway, 6, 1)
        last = before[-1][1] + 1
        eventually("the next trade", lambda: seen(said, "BTC-USD")[-1][1] >= last)
        assert seen(said, "BTC-USD") == [*before, (last, last)], "nothing is told again"


def over(line, text):
    """The client's text, with the address of the line."""
    assert "127.0.0.1:8080" in text
    return text.replace("127.0.0.1:8080", line.address)


def node():
    """Node with the WebSocket that browsers have: behind a flag before 22."""
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return ["node"] if int(version.lstrip("v").split(".")[0]) >= 22 else ["node", "--experimental-websocket"]


PROMISES = [misses_nothing, is_told_what_was_forgotten, counts_a_loss_as_seen]


def test_the_document_has_a_client_of_each_kind():
    found = blocks()
    assert {language: len(texts) for language, texts in found.items()} == {"js": 1, "python": 2}
    for text in found["js"] + found["python"]:
        assert len([line for line in text.splitlines() if line.strip()]) <= 25, text


def test_the_javascript_client():
    assert shutil.which("node"), "make deps installs Node"
    for promise in PROMISES:
        promise(node(), blocks()["js"][0], ".mjs")


def test_the_python_client():
    for promise in PROMISES:
        promise([sys.executable], blocks()["python"][0], ".py")


def test_the_event_stream_client():
    for promise in PROMISES:
        promise([sys.executable], blocks()["python"][1], ".py")
