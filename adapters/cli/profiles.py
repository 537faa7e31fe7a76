"""The gateway and the client of a command: from the environment, or from a profile file.

[default]
url = "https://bus.example.go.id"
client_id = "..."
client_secret = "..."

A certificate may stand in place of the secret or beside it: `certificate_file`, `key_file` (else
the key is in the same file). `ca_file` holds the authorities of a gateway whose certificate is not
from a public one.
"""

import json
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from adapters.cli.exits import Failure
from adapters.client import Tls

FIELDS = ("url", "client_id", "client_secret", "certificate_file", "key_file", "ca_file")
PREFIX = "NUSABUS_"


@dataclass(frozen=True, slots=True)
class Profile:
    """A gateway and a client of it."""

    url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    certificate_file: str = ""
    key_file: str = ""
    ca_file: str = ""

    @property
    def tls(self) -> Tls | None:
        """The files for TLS; None without any."""
        files = Tls(self.certificate_file, self.key_file, self.ca_file)
        return files if files != Tls() else None


def load(name: str, environ: Mapping[str, str] = os.environ) -> Profile:
    """The profile of this name. Each variable of the environment replaces its field.

    Raises Failure if a field is missing, or if others can read the file.
    """
    values = {each: environ.get(PREFIX + each.upper(), "") for each in FIELDS}
    if _missing(values):
        found = _fields(path(environ), name, _read(path(environ)).get(name, {}))
        values = {each: values[each] or found.get(each, "") for each in FIELDS}
    if missing := _missing(values):
        names = ", ".join(PREFIX + each.upper() for each in missing)
        raise Failure(
            f"Missing credentials: set {names}, or run `nusabus login {name}` to "
            f"write [{name}] of {path(environ)}."
        )
    return Profile(**values)


def save(
    profiles: Mapping[str, Profile],
    environ: Mapping[str, str] = os.environ,
    *,
    replace: bool = False,
) -> None:
    """Write profiles into the file, which only its owner can read; the others stay.

    Raises Failure, and writes nothing, if one of that name has another URL and `replace` is off.
    """
    file = path(environ)
    present = {name: _fields(file, name, found) for name, found in _read(file).items()}
    for name, profile in profiles.items():
        url = present.get(name, {}).get("url", profile.url)
        if url != profile.url and not replace:
            raise Failure(f"Profile {name} is for {url}. Choose another name, or add --replace.")
    content = {**present, **{name: _written(each) for name, each in profiles.items()}}
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        for name, fields in content.items():
            output.write(f"[{_toml(name)}]\n")
            output.writelines(f"{key} = {_toml(value)}\n" for key, value in fields.items())
    fresh.replace(file)


def _missing(values: Mapping[str, str]) -> list[str]:
    """The fields without which nobody is authenticated. A certificate may stand for the secret."""
    needed = FIELDS[:2] if values["certificate_file"] else FIELDS[:3]
    return [each for each in needed if not values[each]]


def _written(profile: Profile) -> dict[str, str]:
    return {name: value for name, value in asdict(profile).items() if value}


def path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the profile file is (XDG Base Directory Specification)."""
    home = environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "nusabus" / "profiles.toml"


def _toml(text: str) -> str:
    """A TOML basic string, which is a JSON string but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _fields(file: Path, name: str, found: Any) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise Failure(f"{file}: [{name}] must hold strings: {', '.join(FIELDS)}.")
    return found


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as content:
            if os.fstat(content.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise Failure(f"Others can read the secrets in {file}. Run: chmod 600 {file}")
            return tomllib.load(content)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Failure(f"{file}: {error}") from None
