"""A channel to the apiserver with the files that `coracle credentials --out DIR` writes."""

import pathlib
import sys

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "generated"))


def connect(credentials: str, server: str) -> grpc.Channel:
    read = lambda name: (pathlib.Path(credentials) / name).read_bytes()  # noqa: E731
    identity = grpc.ssl_channel_credentials(read("ca.crt"), read("client.key"), read("client.crt"))
    return grpc.secure_channel(server, identity, [("grpc.max_receive_message_length", 64 << 20)])
