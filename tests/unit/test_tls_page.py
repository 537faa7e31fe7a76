"""The commands of the page on TLS make certificates with which both sides agree."""

import subprocess
from pathlib import Path

from gateway.base.tls import TlsFiles, _server_context, client_context
from tests.guides import ROOT, console

NAME = "bus.example.go.id"


def test_its_certificates_are_what_the_gateway_takes(tmp_path: Path) -> None:
    commands = console(ROOT / "docs/operations/tls.md")
    script = "\n".join(command for command, _ in commands)
    done = subprocess.run(
        ["bash", "-eu"], input=script, cwd=tmp_path, text=True, capture_output=True, check=True
    )
    assert done.stdout == "".join(output for _, output in commands).strip() + "\n"

    def files(name: str) -> TlsFiles:
        pair = (str(tmp_path / f"{name}.pem"), str(tmp_path / f"{name}.key"))
        return TlsFiles(*pair, str(tmp_path / "ca.pem"))

    assert client_context(files("gateway")).get_ca_certs()
    assert _server_context(files("bus"))
