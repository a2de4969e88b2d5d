# Builds the one binary, static, into an image that holds nothing else.
FROM rust:1.95-slim AS build
WORKDIR /src
COPY . .
# A static glibc binary; the explicit target keeps the flag away from build scripts and procedural macros.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
 && RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --package coracle --target "$target" \
 && mkdir -p /out/data /out/node \
 && cp "target/$target/release/coracle" /out/coracle

FROM scratch
COPY --from=build --chown=10001:10001 /out/data /data
COPY --from=build --chown=0:0 /out/node /node
COPY --from=build /out/coracle /coracle
USER 10001:10001
ENTRYPOINT ["/coracle"]
