# The service in a container:  docker build -t proxy-checker .
# How it is run (seccomp profile, limits, read-only root): docs/operations.md, "In a container".
#
# BUILDER has cargo, a C compiler and the root certificates; BASE has the same glibc or a newer one.
ARG BUILDER=rust:1-slim-trixie
ARG BASE=debian:trixie-slim

FROM ${BUILDER} AS build
WORKDIR /build
# Dependencies first, from the manifests alone: this layer stays until one of them changes.
COPY Cargo.toml Cargo.lock ./
COPY shards/Cargo.toml shards/
COPY bench/Cargo.toml bench/
# (glommio's build script calls `git submodule update` and does not look at what comes of it: its crate
# is whole. Slim images have no git.)
RUN command -v git >/dev/null || ln -s /bin/true /usr/local/bin/git; \
    mkdir -p src shards/src bench/src \
    && touch src/lib.rs shards/src/lib.rs bench/src/lib.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked -p proxy-checker
COPY build.rs config.example.json ./
# The program holds this page: `config schema` is made of it.
COPY docs/configuration.md docs/
COPY shards/src shards/src
COPY src src
# What `--version` names; there is no checkout here to ask: --build-arg COMMIT=$(git rev-parse --short=12 HEAD)
ARG COMMIT=
# What was copied is older than what was built of the empty files, and cargo goes by the time.
RUN touch src/lib.rs src/main.rs shards/src/lib.rs \
    && PROXY_CHECKER_COMMIT="$COMMIT" cargo build --release --locked -p proxy-checker \
    && mkdir -p /image/usr/bin /image/usr/share/doc/proxy-checker /image/etc/ssl/certs \
    && cp target/release/proxy-checker /image/usr/bin/ \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM ${BASE}
LABEL org.opencontainers.image.title="proxy-checker" \
      org.opencontainers.image.description="Finds the proxies that work now and serves them over HTTP" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /image /
COPY LICENSE /usr/share/doc/proxy-checker/copyright
COPY deploy/container.json /etc/proxy-checker/config.json
# Nobody of this number is in /etc/passwd, and nobody needs to be. A new volume takes over owner and mode.
RUN install -d -o 65532 -g 65532 -m 0700 /var/lib/proxy-checker
USER 65532:65532
# A relative storage.path begins here, and nothing is written anywhere else.
WORKDIR /var/lib/proxy-checker
VOLUME /var/lib/proxy-checker
EXPOSE 8083
STOPSIGNAL SIGTERM
# A store of a million candidates is read before the API listens.
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["/usr/bin/proxy-checker", "health", "--config", "/etc/proxy-checker/config.json"]
ENTRYPOINT ["/usr/bin/proxy-checker"]
CMD ["serve", "--config", "/etc/proxy-checker/config.json"]
