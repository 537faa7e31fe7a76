"""`nusabus login`: check credentials and save them as a profile."""

import asyncio
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli import profiles, screen
from adapters.cli.exits import Failure
from adapters.cli.profiles import Profile
from adapters.cli.session import connect

app = typer.Typer()
ID, SECRET = "_CLIENT_ID", "_CLIENT_SECRET"
EXAMPLES = """\
Examples:

nusabus login --url https://bus.example.go.id --client-id dukcapil-1

nusabus login --url https://bus.example.go.id --client-id dukcapil-1 --cert app.pem --key app.key

nusabus login --file .run/demo.env
"""


def _file(flag: str, variable: str, help: str) -> Any:
    return typer.Option(
        flag, envvar=variable, help=help, exists=True, dir_okay=False, resolve_path=True
    )


CertificateFile = Annotated[
    Path | None,
    _file(
        "--cert",
        "NUSABUS_CERTIFICATE_FILE",
        "Certificate (PEM) of the client, in place of a secret.",
    ),
]
KeyFile = Annotated[
    Path | None, _file("--key", "NUSABUS_KEY_FILE", "Its key (PEM), if it is in another file.")
]
AuthoritiesFile = Annotated[
    Path | None,
    _file("--ca", "NUSABUS_CA_FILE", "Authorities (PEM) of the gateway, if not public."),
]


@app.command(epilog=EXAMPLES)
def login(
    name: Annotated[str, typer.Argument(metavar="PROFILE", help="Name of the profile.")] = (
        "default"
    ),
    url: Annotated[str, typer.Option(envvar="NUSABUS_URL", help="Address of the gateway.")] = "",
    client_id: Annotated[str, typer.Option(help="Id of the client.")] = "",
    file: Annotated[
        Path | None,
        typer.Option(
            help="Save every client of this file instead. It holds NUSABUS_URL, and "
            "X_CLIENT_ID and X_CLIENT_SECRET for each profile x; `make run` writes one.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    cert: CertificateFile = None,
    key: KeyFile = None,
    ca: AuthoritiesFile = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a profile of another gateway.")
    ] = False,
) -> None:
    """Check the credentials of a client and save them, for --profile.

    The secret is asked for, or read from standard input; not so with --cert. The profiles are in
    ~/.config/nusabus/profiles.toml, which only you can read.
    """
    if file is not None:
        found = _from_file(file)
    elif url and client_id:
        files = (str(each or "") for each in (cert, key, ca))
        found = {name: Profile(url, client_id, "" if cert else _secret(), *files)}
    else:
        raise Failure("Give --url and --client-id, or --file.")
    asyncio.run(_check(found))
    profiles.save(found, replace=replace)
    screen.out().print(f"Saved in {profiles.path()}: {', '.join(found)}", markup=False)


def _secret() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Client secret", hide_input=True))
    secret = sys.stdin.readline().strip()
    if not secret:
        raise Failure("Standard input holds no client secret.")
    return secret


def _from_file(file: Path) -> dict[str, Profile]:
    """The profiles in a file of shell variables."""
    assignments = shlex.split(file.read_text(), comments=True)
    values = {name: value for name, _, value in (each.partition("=") for each in assignments)}
    if "NUSABUS_URL" not in values:
        raise Failure(f"{file} has no NUSABUS_URL.")
    owners = [name.removesuffix(ID) for name in values if name.endswith(ID)]
    found = {
        owner.lower().replace("_", "-"): Profile(
            values["NUSABUS_URL"], values[owner + ID], values[owner + SECRET]
        )
        for owner in owners
        if owner + SECRET in values
    }
    if not found:
        raise Failure(f"{file} has no X{ID} with its X{SECRET}.")
    return found


async def _check(found: dict[str, Profile]) -> None:
    """Fetch a token as each client. Raises Problem for wrong credentials."""
    for profile in found.values():
        async with connect(profile) as bus:
            await bus.log_in()
