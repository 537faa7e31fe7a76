"""What a private server keeps across restarts: its ports and its passwords."""

import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from deploy.local.ports import free, free_port


class StateFile:
    """A small JSON file, readable by its owner only. Made on first use."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._values: dict[str, str | int] = {}
        if file.exists():
            self._values = json.loads(file.read_text())

    def password(self, name: str) -> str:
        """A random password of 256 bits, the same at every call."""
        if name not in self._values:
            self._put({name: secrets.token_urlsafe(32)})
        return str(self._values[name])

    def port(self, name: str) -> int:
        """The port of this name; choose it with `choose_ports` first."""
        return int(self._values[name])

    def choose_ports(self, names: Sequence[str], given: int | None = None) -> None:
        """Keep the ports of last time; replace those that somebody else has taken since.

        `given` fixes the first one.
        """
        ports: dict[str, int] = {}
        for name in names:
            known = self._values.get(name)
            if given is not None and name == names[0]:
                ports[name] = given
            elif isinstance(known, int) and free(known):
                ports[name] = known
            else:
                ports[name] = free_port(tuple(ports.values()))
        self._put(ports)

    def has(self, name: str) -> bool:
        """Whether this was noted."""
        return name in self._values

    def note(self, name: str, value: str | int = 1) -> None:
        """Note a fact."""
        self._put({name: value})

    def _put(self, values: "dict[str, str | int] | dict[str, int] | dict[str, str]") -> None:
        changed = {**self._values, **values}
        if changed == self._values and self._file.exists():
            return
        self._values = changed
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self._values, file)
        fresh.replace(self._file)
