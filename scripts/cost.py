#!/usr/bin/env python3
"""What one client can cost the others of its worker: the worst of 100 pings of another session, with and without it.

    scripts/cost.py PATH/TO/tickcast [--symbols 2000 100000] [--attack NAME ...] [--leaving 2500]

A worst ping with an attack should be at most 20 ms more than alone at 2,000 symbols, and 100 ms at 100,000. The last lines
are the memory before and after clients have subscribed to 2,000 symbols with a small `max_rate` and left: it must come back.

Starts the gateway with one worker and a push feed of that many symbols, and runs each attack in processes of its own while
another session measures. Build with --release; the machine should have two idle cores. Not part of `make test`: it asserts
nothing, since times depend on the machine. The tests of `session/shard/tests/cost.rs` count the work instead.
"""

import argparse
import base64
import json
import math
import multiprocessing
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

PINGS = 100
CHANNELS = "trades,quotes,status,ticker,bars.1s,bars.1m,bars.5m,bars.15m,bars.1h,bars.1d"


class Session:
    """A WebSocket client that is as small as it can be."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        self.read = self.socket.makefile("rb", 1 << 20)
        while self.read.readline() not in (b"\r\n", b""):
            pass

    def send(self, text, opcode=1):
        data = text if isinstance(text, bytes) else text.encode()
        if len(data) < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | len(data))
        elif len(data) < 65536:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, len(data))
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, len(data))
        # A mask of zeros leaves the data as it is.
        self.socket.sendall(head + bytes(4) + data)

    def frame(self):
        """The next frame: opcode and payload."""
        head = self.read.read(2)
        if len(head) < 2:
            raise ConnectionError("closed")
        size = head[1] & 127
        if size == 126:
            size = struct.unpack("!H", self.read.read(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self.read.read(8))[0]
        payload = self.read.read(size)
        if head[0] & 15 == 9:
            self.send(payload, 10)
        return head[0] & 15, payload

    def until(self, *kinds):
        """Reads up to the last part of an answer of one of those kinds."""
        while True:
            opcode, payload = self.frame()
            if opcode == 8:
                raise ConnectionError("closed")
            if opcode != 1 or not any(b'"T":"%s"' % kind.encode() in payload for kind in kinds):
                continue
            if b'"more":true' not in payload:
                return


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as refused:
        return refused.read()


def post(port, body):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/publish?feed=desk", data=body)
    request.add_header("Content-Type", "application/x-ndjson")
    while True:
        try:
            return urllib.request.urlopen(request, timeout=60).read()
        except urllib.error.HTTPError as refused:
            if refused.code != 503:
                raise
            time.sleep(0.05)


def name(i):
    return f"S{i}"


def quote(i):
    return f'{{"S":"{name(i)}","bp":"1.5","bs":"2","ap":"1.6","as":"2"}}\n'


def subscribe(symbols, channel="quotes", more=""):
    listed = ",".join(f'"{symbol}"' for symbol in symbols)
    return f'{{"op":"subscribe","channel":"{channel}","symbols":[{listed}]{more}}}'


# ---- attacks: each runs once, and again until the measurement is over --------------------------------------


def stars(port, symbols):
    """One command that names `*` as often as a frame has room for."""
    session = Session(port)
    session.send(subscribe(["*"] * 32_000))
    session.until("subscribed", "error")


def star(port, symbols):
    """Everything of three channels with snapshots, and back."""
    session = Session(port)
    for channel in ("quotes", "ticker", "bars.1m"):
        session.send(subscribe(["*"], channel))
        session.until("subscribed", "error")
        session.send(json.dumps({"op": "unsubscribe", "channel": channel, "symbols": ["*"]}))
        session.until("unsubscribed", "error")


def names(port, symbols):
    """Commands of thousands of unknown names."""
    session = Session(port)
    session.send(subscribe([f"NO{i}" for i in range(9_000)]))
    session.until("subscribed", "error")


def lists(port, symbols):
    """A burst of commands, each of which lists everything."""
    session = Session(port)
    session.send(subscribe(["*"]))
    session.until("subscribed", "error")
    for _ in range(20):
        session.send('{"op":"list"}')
    for _ in range(20):
        session.until("list", "error")


def recovery(port, symbols):
    """Comes back to everything there is."""
    known = ",".join(f'"{name(i)}":0' for i in range(min(symbols, 9_000)))
    epoch = json.loads(get(port, "/v1/symbols"))["epoch"]
    session = Session(port)
    session.send(subscribe(["*"], "quotes", f',"since":{{"epoch":"{epoch}","n":{{{known}}}}}'))
    session.until("subscribed", "error")


def leave(port, symbols):
    """Subscribes to everything with a slow rate, and is gone."""
    session = Session(port)
    session.send(subscribe(["*"], "quotes", ',"max_rate":0.001'))
    session.until("subscribed", "error")
    session.socket.close()


def snapshot(port, symbols):
    """A snapshot of as much as one answer has."""
    get(port, f"/v1/snapshot?symbols={'*' if symbols <= 5000 else 'S1*'}&channels={CHANNELS}")


def snapshots(port, symbols):
    """A snapshot that names `*` three thousand times."""
    get(port, "/v1/snapshot?symbols=" + ",".join(["*"] * 3_000))


def listing(port, symbols):
    """The list of all symbols."""
    get(port, "/v1/symbols")


def poll(port, symbols):
    """Polls of everything."""
    get(port, f"/v1/poll?symbols=*&channels={CHANNELS}&wait=0")


def sse(port, symbols):
    """Event streams of everything that end with their first block."""
    stream = socket.create_connection(("127.0.0.1", port))
    stream.sendall(f"GET /v1/sse?symbols=*&channels={CHANNELS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    stream.settimeout(5)
    try:
        stream.recv(1 << 16)
        stream.recv(1 << 16)
    except TimeoutError:
        pass
    stream.close()


def publish(port, symbols):
    """Bodies as large as they may be."""
    post(port, "".join(quote(i % symbols) for i in range(15_000)).encode())


ATTACKS = [stars, star, names, lists, recovery, leave, snapshot, snapshots, listing, poll, sse, publish]

# ---- measuring ---------------------------------------------------------------------------------------------


def repeat(attack, port, symbols):
    while True:
        try:
            attack(port, symbols)
        except OSError:
            time.sleep(0.05)


def pings(port):
    """The longest of the round trips in milliseconds; infinite when the session was closed meanwhile."""
    times = []
    try:
        session = Session(port)
        for _ in range(PINGS):
            start = time.perf_counter()
            session.send('{"op":"ping"}')
            session.until("pong")
            times.append((time.perf_counter() - start) * 1_000)
            time.sleep(0.01)
    except OSError:
        return math.inf
    return max(times)


def memory(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) // 1024


def start(binary, symbols, folder):
    config = os.path.join(folder, "tickcast.toml")
    listed = ",".join(f'"{name(i)}"' for i in range(symbols))
    with open(config, "w") as out:
        out.write(
            f'[server]\nbind = "127.0.0.1:0"\nworkers = 1\n[limits]\nsymbols_per_session = 1000000\n'
            f'[[feed]]\nname = "desk"\nkind = "push"\nmax_symbols = 100000\nsymbols = [{listed}]\n'
        )
    log = open(os.path.join(folder, "log"), "w")
    process = subprocess.Popen([binary, "serve", "--config", config], stdout=log, stderr=log)
    for _ in range(300):
        with open(log.name) as text:
            found = re.search(r"127\.0\.0\.1:(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", text.read()))
        if found and int(found.group(1)):
            return process, int(found.group(1))
        time.sleep(0.1)
    sys.exit(f"the gateway did not start: see {log.name}")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("binary")
    options.add_argument("--symbols", type=int, nargs="+", default=[2_000, 100_000])
    options.add_argument("--attack", nargs="+", choices=[attack.__name__ for attack in ATTACKS])
    options.add_argument("--leaving", type=int, default=0, metavar="N", help="first measure memory with N leaving clients")
    options = options.parse_args()
    if options.leaving:
        leaving(options.binary, options.leaving)
    print("| symbols | attack | worst ping alone, ms | worst ping with it, ms | more, ms | RSS before, MB | after, MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for symbols in options.symbols:
        with tempfile.TemporaryDirectory() as folder:
            process, port = start(options.binary, symbols, folder)
            try:
                for first in range(0, symbols, 10_000):
                    post(port, "".join(quote(i) for i in range(first, min(first + 10_000, symbols))).encode())
                for attack in ATTACKS:
                    if options.attack and attack.__name__ not in options.attack:
                        continue
                    measure(process, port, symbols, attack)
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()


def leaving(binary, clients, symbols=2_000):
    """Memory before, while and after that many clients subscribe to everything with a slow rate and leave."""
    with tempfile.TemporaryDirectory() as folder:
        process, port = start(binary, symbols, folder)
        try:
            for first in range(0, symbols, 10_000):
                post(port, "".join(quote(i) for i in range(first, min(first + 10_000, symbols))).encode())
            before = peak = memory(process.pid)
            for i in range(clients):
                leave(port, symbols)
                if i % 100 == 99:
                    # Ticks, so that merges and their timers are made.
                    post(port, "".join(quote(i) for i in range(symbols)).encode())
                    peak = max(peak, memory(process.pid))
            time.sleep(2)
            print(f"{clients:,} leaving clients: RSS {before} MB before, {peak} MB at most, {memory(process.pid)} MB after\n")
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def measure(process, port, symbols, attack):
    before = memory(process.pid)
    alone = pings(port)
    attacker = multiprocessing.Process(target=repeat, args=(attack, port, symbols), daemon=True)
    attacker.start()
    time.sleep(0.2)
    try:
        worst = pings(port)
    finally:
        attacker.kill()
        attacker.join()
    time.sleep(2)
    after = memory(process.pid)
    print(
        f"| {symbols:,} | {attack.__name__} | {alone:.1f} | {worst:.1f} | {worst - alone:.1f} | {before} | {after} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
