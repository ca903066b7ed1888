# The gateway in a small image without a shell's worth of extras: built here, run as nobody in particular.
#
#   docker build -t tickcast .
#   docker run --rm -p 127.0.0.1:8080:8080 tickcast

FROM rust:1-slim-bookworm AS build
WORKDIR /build
# First the dependencies alone, with an empty crate in place of the real one: this layer is built again only when they
# change. The manifest names the integration tests too; they are not built, but the file must be there.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src tests/it \
    && echo '//! Stand-in.' > src/lib.rs \
    && echo '//! Stand-in.' > tests/it/main.rs \
    && printf '//! Stand-in.\nfn main() {}\n' > src/main.rs \
    && cargo build --release --locked \
    # What was built of the stand-in is newer than the real sources and would be taken for up to date.
    && rm -rf src target/release/tickcast target/release/deps/tickcast-* target/release/deps/libtickcast-* \
        target/release/.fingerprint/tickcast-*
COPY feeds feeds
COPY web web
COPY src src
RUN cargo build --release --locked --bin tickcast

FROM debian:bookworm-slim
COPY --from=build /build/target/release/tickcast /usr/local/bin/tickcast
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/tickcast/
# A number, so that a platform can see that it is not root; nothing in the image belongs to it.
USER 65532:65532
WORKDIR /
# In a container the gateway must listen on the container's own address.
ENV TICKCAST_SERVER__BIND=0.0.0.0:8080
# An address other than loopback is refused unless it is written out that nobody is asked who they are. This is that
# word: publish the port on loopback or behind something that asks.
ENV TICKCAST_AUTH__MODE=none
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["tickcast", "healthcheck"]
# SIGTERM drains: every session is told where to go before the process ends.
STOPSIGNAL SIGTERM
ENTRYPOINT ["tickcast"]
