"""Compiles the .proto files of this checkout into ./generated."""

import pathlib
import sys

import grpc_tools
from grpc_tools import protoc

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto"
OUT = HERE / "generated"


def main() -> int:
    OUT.mkdir(exist_ok=True)
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    import google.rpc

    common = pathlib.Path(list(google.rpc.__path__)[0]).parent.parent
    files = sorted(str(path.relative_to(PROTO)) for path in PROTO.glob("coracle/v1/*.proto"))
    return protoc.main(
        ["protoc", f"-I{PROTO}", f"-I{well_known}", f"-I{common}", f"--python_out={OUT}", f"--grpc_python_out={OUT}", *files]
    )


if __name__ == "__main__":
    sys.exit(main())
