FROM rust:1.95-slim-bookworm AS build
# librdkafka needs a C and a C++ compiler and make; the vendored OpenSSL needs perl.
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ gcc libc6-dev make perl pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The caches keep crates and compiled dependencies between builds. The binary
# is copied out, since a cache mount is not part of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,id=fleetstorm-target,sharing=locked \
    cargo build --release --locked --bin fleetstorm \
 && cp target/release/fleetstorm /usr/local/bin/fleetstorm

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --create-home --home-dir /data --shell /usr/sbin/nologin fleetstorm
COPY --from=build /usr/local/bin/fleetstorm /usr/local/bin/fleetstorm
USER fleetstorm
# Relative paths (--report run.json, --config fleet.yml) are read and written here.
WORKDIR /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["fleetstorm"]
CMD ["--help"]
