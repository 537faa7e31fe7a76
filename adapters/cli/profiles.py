"""Where the bus is and who is calling: from the environment, else from a profile file.

[default]
url = "https://bus.example.go.id"
client_id = "..."
client_secret = "..."
"""

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapters.cli.exits import Failure

FIELDS = ("url", "client_id", "client_secret")
PREFIX = "NUSABUS_"


@dataclass(frozen=True, slots=True)
class Profile:
    """A bus and a client of it."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)


def load(name: str, environ: Mapping[str, str] = os.environ) -> Profile:
    """The profile of this name, each variable of the environment before its line in the file.

    Raises Failure where something is missing, or others may read the file.
    """
    given = {each: environ.get(PREFIX + each.upper(), "") for each in FIELDS}
    path = place(environ)
    if not all(given.values()):
        found = _read(path, name)
        given = {each: given[each] or found.get(each, "") for each in FIELDS}
    missing = [PREFIX + each.upper() for each, value in given.items() if not value]
    if missing:
        raise Failure(f"set {', '.join(missing)}, or write them into [{name}] of {path}")
    return Profile(**given)


def place(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the profile file is (XDG Base Directory Specification)."""
    home = environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "nusabus" / "profiles.toml"


def _read(path: Path, name: str) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise Failure(f"{path} holds secrets and others may open it: chmod 600 {path}")
            profiles = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Failure(f"{path}: {error}") from None
    found = profiles.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise Failure(f"{path}: [{name}] must hold texts: {', '.join(FIELDS)}")
    return found
