# Everything a developer types. The gateway itself needs none of it: `cargo run --release`.

# Where cargo puts what it builds; the client and browser tests run the gateway from there.
TARGET := $(or $(CARGO_TARGET_DIR),target)
BIN := $(abspath $(TARGET)/debug/tickcast)
PYTHON := .deps/python/bin/python

define heading
@printf '\n== %s\n' "$(1)"
endef

# The steps of a test run must come one after the other, with -j too.
.NOTPARALLEL:
.PHONY: help run test test-rust test-clients test-browser test-server deps lint audit bench campaign soak cluster-campaign cluster-measures fuzz doc recordings clean-deps

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## the gateway with the demonstration feed, optimised
	cargo run --release

test: deps test-rust test-clients test-browser ## everything: Rust, third-party clients, browser
	@printf '\nall tests passed\n'

# All features, so that the built gateway has the echo endpoint that the conformance suite drives.
test-rust: ## unit and integration tests; builds the gateway that the next two drive
	$(call heading,cargo test --all-features)
	cargo test --all-features

test-clients: ## third-party clients, a real Prometheus and the Autobahn cases against a running gateway
	$(call heading,tests/clients)
	TICKCAST_BIN='$(BIN)' $(PYTHON) -m pytest -c tests/clients/pytest.ini tests/clients

test-browser: ## the page, its chart, an EventSource and pages of other origins in a real Chromium
	$(call heading,tests/browser)
	TICKCAST_BIN='$(BIN)' node --test tests/browser/page.test.mjs tests/browser/chart.test.mjs tests/browser/sse.test.mjs tests/browser/web.test.mjs

deps: ## installs what the tests need; quick when it is there already
	$(call heading,test dependencies)
	@scripts/deps

# cargo fmt does not see the modules that the table of dialects declares. The fuzz targets are a package of their own; running them needs nightly, compiling them does not. In the target folder of
# the gateway they find its dependencies as the check before has left them.
lint: ## formatting and lints, warnings are errors; also of the server alone, and whether the fuzz targets compile
	cargo fmt --check
	rustfmt --check --edition 2024 src/dialect/*.rs
	cargo clippy --all-targets --all-features -- -D warnings
	cargo clippy --test campaign --all-features -- -D warnings
	cargo clippy --no-default-features --lib --bins -- -D warnings
	cargo check --manifest-path fuzz/Cargo.toml --target-dir '$(TARGET)' --locked

test-server: ## what is different in a build without watch, bench and venue, as the image has it
	cargo test --no-default-features --lib -- cli::

audit: deps ## licences, sources and known vulnerabilities of all dependencies
	@scripts/audit

bench: ## tickcast and its peers under the same load; prints ratios and writes benches/README.md (20 minutes)
	@scripts/bench-deps
	cargo bench --bench load -- --write

# More than the longest frame of a seed; what bounds memory is explained in fuzz/README.md.
FUZZ := kraken
SECONDS := 300
fuzz: ## any bytes to one reader of foreign bytes: FUZZ=kraken SECONDS=300 (needs cargo-fuzz and a nightly toolchain)
	mkdir -p fuzz/corpus/$(FUZZ)
	cargo +nightly fuzz run $(FUZZ) fuzz/corpus/$(FUZZ) fuzz/seeds/$(FUZZ) -- -dict=fuzz/words.dict -max_len=4096 \
		-malloc_limit_mb=16 -rss_limit_mb=512 -timeout=5 -max_total_time=$(SECONDS)

# With the endpoint that orders a session or a feed to panic.
campaign: SECONDS = 600
campaign: DRIVER = socket
campaign: ## 300 verifying clients while everything goes wrong at once; ends with 1 if one saw a fault: SECONDS=600 SEED= DRIVER=socket
	cargo build --release --features test-endpoints
	cargo test --release --features test-endpoints --test campaign -- --seconds $(SECONDS) --driver $(DRIVER) $(if $(SEED),--seed $(SEED))

soak: ## what takes longer than a change can wait for: the campaign over both session drivers (25 minutes)
	$(MAKE) campaign DRIVER=socket
	$(MAKE) campaign DRIVER=actix

# Three release gateways over one redis-server, or over what REDIS_SERVER names.
cluster-campaign: SECONDS = 1800
cluster-campaign: ## a cluster with 300 verifying clients under random faults of nodes, lines and Redis: SECONDS=1800 SEED=
	CAMPAIGN_SECONDS=$(SECONDS) CAMPAIGN_SEED=$(SEED) cargo test --release --test cluster -- --ignored --exact --nocapture campaign::campaign

cluster-measures: ## what a cluster costs beside a single gateway, as ratios of one run (10 minutes; leave the machine alone)
	cargo test --release --test cluster -- --ignored --nocapture --test-threads 1 measures::

doc: ## API documentation; broken links are errors
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps

recordings: ## makes the small recordings that the feed definitions play
	feeds/make-recordings.sh

clean-deps: ## forgets what `make deps` put into the tree
	rm -rf .deps tests/browser/node_modules
