# The same image from a binary that was built outside: for machines that reach no image registry.
# The context is a folder that holds the static binary `coracle`.
FROM scratch AS build
WORKDIR /out/data
WORKDIR /out/node
COPY coracle /out/coracle

FROM scratch
COPY --from=build --chown=10001:10001 /out/data /data
COPY --from=build --chown=0:0 /out/node /node
COPY --from=build /out/coracle /coracle
USER 10001:10001
ENTRYPOINT ["/coracle"]
