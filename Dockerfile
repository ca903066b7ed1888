# The gateway alone in a small image, without `watch`, `bench` and `venue`: built here, run as a user that owns nothing.
#
#   docker build -t tickcast .
#   docker run --rm --stop-timeout 30 -p 127.0.0.1:8080:8080 tickcast
#
# With what outlives a restart:
#
#   docker run --stop-timeout 30 -p 127.0.0.1:8080:8080 -v tickcast:/var/lib/tickcast \
#       -e TICKCAST_STORE__PATH=/var/lib/tickcast/tickcast.redb tickcast

# Exact versions, so that the same sources give the same image. A publisher of images adds the digests.
FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /build
# First the dependencies alone, with an empty crate in place of the real one: this layer is built again only when they
# change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo '//! Stand-in.' > src/lib.rs \
    && printf '//! Stand-in.\nfn main() {}\n' > src/main.rs \
    && cargo build --profile dist --locked --no-default-features \
    # What was built of the stand-in is newer than the real sources and would be taken for up to date.
    && rm -rf src target/dist/tickcast target/dist/deps/tickcast-* target/dist/deps/libtickcast-* \
        target/dist/.fingerprint/tickcast-*
# Everything that the program includes; a test compares these lines with the sources.
COPY feeds feeds
COPY web web
COPY docs/openapi.json docs/asyncapi.json docs/
COPY src src
RUN cargo build --profile dist --locked --no-default-features --bin tickcast

FROM debian:12.12-slim
COPY --from=build /build/target/dist/tickcast /usr/local/bin/tickcast
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/tickcast/
# The one place where the program may write; a volume that is mounted here for the first time belongs to it as well.
RUN install -d -o 65532 -g 65532 -m 0750 /var/lib/tickcast
# A number, so that a platform can see that it is not root; nothing else in the image belongs to it.
USER 65532:65532
WORKDIR /
# In a container the gateway must listen on the container's own address. The health check reads the same.
ENV TICKCAST_SERVER__BIND=0.0.0.0:8080
# An address other than loopback is refused unless it is written out that clients are not asked who they are. This is
# that word: publish the port on loopback or behind something that asks.
ENV TICKCAST_AUTH__MODE=none
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["tickcast", "healthcheck"]
# SIGTERM drains: every session is told where to go before the process ends. That takes longer than the ten seconds
# after which Docker kills: see --stop-timeout above.
STOPSIGNAL SIGTERM
ENTRYPOINT ["tickcast"]
