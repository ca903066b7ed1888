#!/usr/bin/env bash
# Makes the recordings of feeds/recordings/ anew. The same program gives the same bytes.
set -euo pipefail
cd "$(dirname "$0")/recordings"

simulate() {
    if [ -n "${TICKCAST_BIN:-}" ]; then
        # The program takes every variable of this name as configuration.
        env -u TICKCAST_BIN "$TICKCAST_BIN" simulate --force --feed market.toml "$@"
    else
        cargo run --release --quiet -- simulate --force --feed market.toml "$@"
    fi
}

simulate --seconds 60 --format binance --symbols BTC-USD,ETH-USD --out binance.ns.gz
simulate --seconds 60 --format coinbase --symbols BTC-USD,ETH-USD --out coinbase.ns.gz
simulate --seconds 60 --format native --out native.ndjson.gz
simulate --seconds 60 --format csv-trades --symbols AAPL,MSFT --out trades.csv
simulate --seconds 60 --format dbn --symbols AAPL,MSFT --out trades.dbn.zst
