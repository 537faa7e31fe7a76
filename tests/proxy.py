"""nginx with the files of `deploy/proxy`, on a loopback port, in front of a gateway."""

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Self

from cryptography import x509

from deploy.local.ports import LOOPBACK, free_port, listening
from tests.authority import Authority
from tests.waiting import eventually
from tests.wire import Wire

NAME = "bus.example.go.id"  # that of the files
SHIPPED = Path(__file__).parents[1] / "deploy" / "proxy"
# What a test has in place of the places of a machine; each must be in the file.
PLACES = {"/run/nginx.pid": "nginx.pid", "/var/log/nginx/": "", "/var/lib/nginx/": "",
          "worker_processes auto": "worker_processes 1", "user www-data;": ""}  # fmt: skip


class Proxy:
    """Serves a gateway's port by TLS. `shorter` are further changes of the file: shorter waits."""

    def __init__(self, program: Path, folder: Path, gateway: int, **shorter: str) -> None:
        self.folder, self.port = folder, free_port()
        self._program = program
        authority = Authority(folder)
        pair = authority.issue(NAME, x509.DNSName(NAME))
        self.authority = authority.file
        shutil.copytree(SHIPPED, folder, dirs_exist_ok=True)
        self._write("nginx.conf", {**PLACES, **shorter})
        listen = {"listen [::]:443": "#", "443": f"{LOOPBACK}:{self.port}"}
        files = {"/etc/nginx/site/bus.pem": str(pair), "/etc/nginx/site/bus.key": str(pair)}
        self._write("site/listen.conf", {**listen, **files})
        self._write("site/listen-default.conf", listen)
        gateways = {"10.0.0.11:8080": f"{LOOPBACK}:{gateway}", "server 10.0.0.12": "#"}
        self._write("site/gateways.conf", gateways)

    def __enter__(self) -> Self:
        command = (str(self._program), "-p", str(self.folder), "-c", "nginx.conf")
        with (self.folder / "nginx.out").open("wb") as output:
            self._process = subprocess.Popen(
                (*command, "-g", "daemon off;"), stdin=subprocess.DEVNULL, stdout=output,
                stderr=output,
            )  # fmt: skip
        eventually(lambda: self._process.poll() is not None or listening(self.port))
        assert self._process.poll() is None, (self.folder / "nginx.out").read_text()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    @property
    def logs(self) -> str:
        """All that nginx has written."""
        return "".join(path.read_text() for path in self.folder.glob("*.log"))

    def context(self) -> ssl.SSLContext:
        """A client's that trusts it."""
        return ssl.create_default_context(cafile=str(self.authority))

    def connect(self, *, source: str = LOOPBACK, name: str = NAME) -> Wire:
        """A connection by TLS. Raises ssl.SSLError."""
        wire = Wire(self.port, source=source)
        wire.socket = self.context().wrap_socket(wire.socket, server_hostname=name)
        return wire

    def _write(self, name: str, changes: dict[str, str]) -> None:
        file = self.folder / name
        text = file.read_text()
        for old, new in changes.items():
            assert old in text, f"{old} is not in {name} any more"
            text = text.replace(old, new)
        file.write_text(text)
