"""`.run/demo.env`: everybody's credentials, for shells and for the next start."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from deploy.local.credentials import Credentials


class DemoEnv:
    """A shell-sourceable file of `NAME=value` lines, readable by its owner only."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._values: dict[str, str] = {}
        if file.exists():
            for assignment in shlex.split(file.read_text(), comments=True):
                name, _, value = assignment.partition("=")
                self._values[name] = value

    def get(self, name: str) -> str | None:
        """The value of a variable, if it is known."""
        return self._values.get(name)

    def credentials(self, owner: str) -> Credentials | None:
        """What is kept for an organisation, or for `admin`."""
        id, secret = (self.get(name) for name in _names(owner))
        return Credentials(id, secret) if id and secret else None

    def keep(self, owner: str, credentials: Credentials) -> None:
        """Keep the credentials of an organisation, or of `admin`."""
        values = (credentials.client_id, credentials.client_secret)
        self.put(dict(zip(_names(owner), values, strict=True)))

    def put(self, values: Mapping[str, str]) -> None:
        """Set variables, and write the file if that changes it: whole or not at all."""
        if values.items() <= self._values.items() and self.file.exists():
            return
        self._values.update(values)
        self._write()

    def forget(self, owner: str, ending: str) -> None:
        """Take out the owner's variables that end like this."""
        start, end = f"{variable(owner)}_", f"_{variable(ending)}"
        found = [it for it in self._values if it.startswith(start) and it.endswith(end)]
        for name in found:
            del self._values[name]
        if found:
            self._write()

    def _write(self) -> None:
        fresh = self.file.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as output:
            output.writelines(f"{name}={shlex.quote(it)}\n" for name, it in self._values.items())
        fresh.replace(self.file)


def variable(*words: str) -> str:
    """The name of a variable: words in capitals, joined by underscores."""
    return "_".join(words).upper().replace("-", "_")


def _names(owner: str) -> tuple[str, str]:
    return variable(owner, "client_id"), variable(owner, "client_secret")
