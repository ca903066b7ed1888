"""Tickers and bars from trades and quotes, by the rules of docs/protocol.md and none of the gateway's code.

Reads a file with a line a tick: `t SYMBOL PRICE SIZE TE TR` or `q SYMBOL BID ASK`, `-` for what is absent. Prints a
line `k …` for each change of a ticker and, at the end, a line `b …` for each bar. Sums and quotients are those of the
standard library's decimal arithmetic, with more digits than any of them needs.
"""

import sys
from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Decimal, getcontext

getcontext().prec = 90

INTERVALS = {"1s": 1, "1m": 60, "5m": 300, "15m": 900, "1h": 3600, "1d": 86400}
SECOND = 1_000_000
MINUTE = 60 * SECOND
WINDOW = 24 * 60


def rounded(value, scale):
    return value.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_EVEN)


def scale(value):
    return -value.as_tuple().exponent


def show(value):
    # A zero has no sign.
    return "-" if value is None else format(value if value else abs(value), "f")


class Ticker:
    def __init__(self, symbol):
        self.symbol = symbol
        self.last = self.last_at = self.bid = self.ask = None
        self.minutes = {}  # minute -> [open, high, low, volume, trades]
        self.newest = None
        self.finest = 0

    def trade(self, at, price, size):
        minute = at // MINUTE
        if self.newest is not None and minute <= self.newest - WINDOW:
            return None
        if self.newest is None or minute > self.newest:
            self.newest = minute
            self.minutes = {m: v for m, v in self.minutes.items() if m > minute - WINDOW}
            older = list(self.minutes.values())
            # What the older minutes come to, from the beginning, once a minute.
            self.older = None
            for o, h, l, v, n in older:
                if self.older is None:
                    self.older = [o, h, l, v, n]
                else:
                    self.older[1] = h if h > self.older[1] else self.older[1]
                    self.older[2] = l if l < self.older[2] else self.older[2]
                    self.older[3] += v
                    self.older[4] += n
            self.minutes[minute] = None
        now = self.minutes[self.newest]
        if now is None:
            now = self.minutes[self.newest] = [price, price, price, size, 1]
        else:
            now[1] = price if price > now[1] else now[1]
            now[2] = price if price < now[2] else now[2]
            now[3] += size
            now[4] += 1
        self.finest = max(self.finest, scale(size))
        if self.last is None or at >= self.last_at:
            self.last, self.last_at = price, at
        return self.line()

    def quote(self, bid, ask):
        # As texts: 1.0 and 1.00 are different quotes.
        if (show(bid), show(ask)) == (show(self.bid), show(self.ask)):
            return None
        self.bid, self.ask = bid, ask
        return self.line()

    def line(self):
        window = None
        if self.newest is not None:
            now = self.minutes[self.newest]
            window = now
            if self.older:
                old = self.older
                window = [
                    old[0],
                    now[1] if now[1] > old[1] else old[1],
                    now[2] if now[2] < old[2] else old[2],
                    old[3] + now[3],
                    old[4] + now[4],
                ]
        if window is None:
            return f"k {self.symbol} {show(self.last)} {show(self.bid)} {show(self.ask)} - - - 0 - - 0"
        opened, high, low, volume, trades = window
        change = self.last - opened
        percent = rounded(change * 100 / opened, 4) if opened > 0 else None
        return (
            f"k {self.symbol} {show(self.last)} {show(self.bid)} {show(self.ask)} {show(opened)} {show(high)} "
            f"{show(low)} {show(rounded(volume, self.finest))} {show(change)} {show(percent)} {trades}"
        )


class Bars:
    def __init__(self):
        self.trades = defaultdict(list)
        self.newest = None

    def trade(self, length, at, price, size):
        start = at // (length * SECOND) * length * SECOND
        if self.newest is None or start >= self.newest:
            self.newest = start
            self.trades[start].append((at, price, size))

    def lines(self, symbol, name):
        for start in sorted(self.trades):
            trades = self.trades[start]
            # A stable sort: trades of one time stay in the order in which they came.
            by_time = sorted(trades, key=lambda trade: trade[0])
            high = low = trades[0][1]
            volume, notional = Decimal(0), Decimal(0)
            for _, price, size in trades:
                high = price if price > high else high
                low = price if price < low else low
                volume += size
                notional += price * size
            finest = max(scale(price) for _, price, _ in trades)
            average = rounded(notional / volume, finest + 4) if volume else None
            state = "forming" if start == self.newest else "final"
            yield (
                f"b {symbol} {name} {start} {show(by_time[0][1])} {show(high)} {show(low)} {show(by_time[-1][1])} "
                f"{show(volume)} {show(average)} {len(trades)} {state}"
            )


def main(path):
    tickers, bars = {}, defaultdict(Bars)
    out = []
    with open(path, encoding="ascii") as ticks:
        for line in ticks:
            kind, symbol, *fields = line.split()
            ticker = tickers.setdefault(symbol, Ticker(symbol))
            if kind == "q":
                bid, ask = (None if text == "-" else Decimal(text) for text in fields)
                out.append(ticker.quote(bid, ask))
                continue
            price, size = Decimal(fields[0]), Decimal(fields[1])
            te, tr = fields[2], int(fields[3])
            at = tr if te == "-" or int(te) > tr + MINUTE else int(te)
            out.append(ticker.trade(at, price, size))
            for name, length in INTERVALS.items():
                bars[symbol, name].trade(length, at, price, size)
    for symbol in sorted(tickers):
        for name in INTERVALS:
            out.extend(bars[symbol, name].lines(symbol, name))
    sys.stdout.write("".join(f"{line}\n" for line in out if line))


main(sys.argv[1])
