"""Generates the Python code of the .proto files, for the gateway and for the client library.

`python -m deploy.local.protobuf` writes it; `--image` also writes the image of the released
interface, with which `buf breaking` compares. Both packages get the same code, because neither may
import the other.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "gateway/grpc/proto"
IMAGE = PROTO / "bus.v1.binpb"
PACKAGES = ("gateway.grpc.wire", "adapters.client.wire")
_FILES = ("cloudevents/v1/cloudevents.proto", "nusabus/bus/v1/bus.proto")
_MAPPING = re.compile(r"\b_Mapping\]")  # without its types
_IMPORT = re.compile(r"^from (?:cloudevents|nusabus\.bus)\.v1 import ", re.MULTILINE)


def generated(package: str) -> Iterator[tuple[Path, str]]:
    """Each file of a package, and what it must hold."""
    with tempfile.TemporaryDirectory() as folder:
        command = [f"-I{PROTO}", f"--python_out={folder}", f"--pyi_out={folder}", *_FILES]
        subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *command], check=True)
        for made in sorted(Path(folder).rglob("*.py*")):
            # It imports by the path of the .proto file, where others have a package as well.
            text = _IMPORT.sub(f"from {package} import ", made.read_text())
            text = _MAPPING.sub("_Mapping[str, object]]", text)
            yield ROOT / package.replace(".", "/") / made.name, text


def main() -> None:
    """Write the code, and the image if asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", action="store_true", help="Release the interface as it is now.")
    for package in PACKAGES:
        for file, text in generated(package):
            file.write_text(text)
    if parser.parse_args().image:
        buf = Path(sys.executable).with_name("buf")
        subprocess.run([buf, "build", PROTO, "--output", IMAGE], check=True)


if __name__ == "__main__":
    main()
