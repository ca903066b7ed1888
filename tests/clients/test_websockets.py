"""The protocol as the PyPI client `websockets` sees it, in both encodings."""

import re

import pytest
from websockets.exceptions import ConnectionClosed

from gateway import Gateway
from session import SUBPROTOCOLS, Session

DECIMAL = re.compile(r"-?\d+(\.\d+)?")
ENOUGH = 300
MICROS = range(1_600_000_000_000_000, 10_000_000_000_000_000)


@pytest.fixture(params=["json", "msgpack"])
def session(request, gateway):
    with Session(gateway.ws(), request.param) as opened:
        assert opened.connection.subprotocol == SUBPROTOCOLS[request.param]
        opened.welcome = opened.frame()[0]
        yield opened


def subscribe(session, channel, symbols=("*",), **parameters):
    """Subscribes, checks the ack and its snapshots, and returns the acked numbers and the messages after them."""
    session.send(op="subscribe", id=7, channel=channel, symbols=list(symbols), **parameters)
    frame = session.frame()
    while frame[0]["T"] != "subscribed":
        frame = session.frame()
    ack, rest = frame[0], frame[1:]
    assert ack["id"] == 7 and ack["channel"] == channel
    assert ack["epoch"] == session.welcome["epoch"]
    assert not ack.get("err"), ack
    acked = {ok["S"]: ok["n"] for ok in ack["ok"]}
    assert len(acked) == len(ack["ok"]), "one result a symbol"
    snapshots = {m["S"]: m["n"] for m in rest if m["T"] in "tq" and m["n"] == acked[m["S"]]}
    assert snapshots == {symbol: n for symbol, n in acked.items() if n > 0}, "the ack's frame has its snapshots"
    # What a busy symbol adds to the same frame counts as live.
    return ack, acked, [m for m in rest if m["T"] in "tq" and m["n"] > acked[m["S"]]]


def live(session, kind, first):
    yield from (message for message in first if message["T"] == kind)
    yield from (message for message in session.messages() if message["T"] in (kind, "gap"))


def test_a_bare_client_is_welcomed_in_json(gateway):
    with Session(gateway.ws()) as session:
        (welcome,) = session.frame()
        assert session.connection.subprotocol is None
        assert welcome["T"] == "welcome" and welcome["proto"] == 1 and welcome["auth"] == "none"
        for key in ("session", "node", "epoch"):
            assert isinstance(welcome[key], str) and welcome[key]
        assert welcome["time"] in MICROS and welcome["ping_s"] > 0
        assert {"symbols", "commands_per_s", "frame_bytes"} <= welcome["limits"].keys()


def test_trades_come_without_a_hole(session):
    ack, numbers, first = subscribe(session, "trades")
    assert {ok["mode"] for ok in ack["ok"]} == {"stream"}
    assert len(numbers) >= 10
    seen = 0
    for message in live(session, "t", first):
        symbol = message["S"]
        if message["T"] == "gap":
            assert message["channel"] == "trades" and message["from"] == numbers[symbol] + 1, message
            numbers[symbol] = message["to"]
            continue
        assert message["n"] == numbers[symbol] + 1, f"{message} after {numbers[symbol]}"
        numbers[symbol] = message["n"]
        assert DECIMAL.fullmatch(message["p"]) and DECIMAL.fullmatch(message["s"]), message
        assert message["tr"] in MICROS and message["x"], message
        assert message.get("side", "buy") in ("buy", "sell")
        seen += 1
        if seen == ENOUGH:
            return


def test_numbers_of_quotes_only_rise(session):
    ack, numbers, first = subscribe(session, "quotes")
    assert {ok["mode"] for ok in ack["ok"]} == {"merge"}
    seen = 0
    for message in live(session, "q", first):
        assert message["T"] == "q", f"a merged channel has no gaps: {message}"
        assert message["n"] > numbers[message["S"]], f"{message} after {numbers[message['S']]}"
        numbers[message["S"]] = message["n"]
        for key in ("bp", "bs", "ap", "as"):
            assert key not in message or DECIMAL.fullmatch(message[key]), message
        assert "bp" in message or "ap" in message
        seen += 1
        if seen == ENOUGH:
            return


def test_every_symbol_has_a_status(session):
    session.send(op="subscribe", id="s", channel="status", symbols=["*"])
    ack = session.until("subscribed", id="s")
    waiting = {ok["S"] for ok in ack["ok"]}
    for message in session.messages():
        if message["T"] == "status":
            assert message["n"] >= 1
            assert message["state"] in ("pending", "live", "stale", "halted", "closed")
            waiting.discard(message["S"])
        if not waiting:
            return


def test_an_unknown_symbol_is_an_error_beside_the_good_ones(session, gateway):
    session.send(op="subscribe", id=1, channel="quotes", symbols=["*"])
    known = session.until("subscribed")["ok"][0]["S"]
    session.send(op="subscribe", id=2, channel="trades", symbols=[known, "NO-SUCH"])
    ack = session.until("subscribed", id=2)
    assert [ok["S"] for ok in ack["ok"]] == [known]
    assert [(err["S"], err["code"]) for err in ack["err"]] == [("NO-SUCH", 414)]


def test_nothing_comes_after_the_ack_of_an_unsubscribe(session):
    subscribe(session, "trades")
    session.send(op="unsubscribe", id=8, channel="trades", symbols=["*"])
    session.until("unsubscribed", id=8)
    session.send(op="subscribe", id=9, channel="quotes", symbols=["*"])
    quotes = 0
    for message in session.messages():
        assert message["T"] != "t", f"a trade after the fence: {message}"
        quotes += message["T"] == "q"
        if quotes == ENOUGH:
            return


def test_a_mistake_is_told_and_the_session_lives(session):
    session.send(op="frobnicate", id=3)
    error = session.until("error", id=3)
    assert error["code"] == 400 and error["retry"] is False and error["msg"]
    session.connection.send(b"\xc1" if session.packed else "{")
    assert session.until("error")["code"] == 400
    session.send(op="subscribe", id=4, channel="nonsense", symbols=["*"])
    assert session.until("error", id=4)["code"] == 415
    session.send(op="ping", id="still there")
    assert session.until("pong", id="still there")["time"] in MICROS


def test_sigterm_says_bye_and_ends_with_code_0():
    with Gateway(server__grace_ms=0, server__drain_ms=100) as gateway, Session(gateway.ws()) as session:
        session.frame()
        gateway.ask_to_stop()
        bye = session.until("bye")
        assert bye["code"] == 4201 and bye["reconnect"] is True and bye["after_ms"] >= 0
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                session.frame()
        assert closed.value.rcvd.code == 4201
        assert gateway.stop() == 0, gateway.logged()
