"""The `nusabus` command: its areas, and how it ends."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn, cast

import httpx
import typer
from typer import rich_utils

from adapters.cli import (
    dead_letters,
    login,
    publish,
    quotas,
    requests,
    retention,
    screen,
    subscriptions,
    tail,
)
from adapters.cli.contracts import app as contracts
from adapters.cli.exits import Exit, Failure
from adapters.cli.legacy import app as legacy
from adapters.client import OutcomeUnknown, Problem, UnusableFile

app = typer.Typer(
    name="nusabus",
    help="Work with the national event bus.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    epilog="Credentials: NUSABUS_URL, NUSABUS_CLIENT_ID and NUSABUS_CLIENT_SECRET, or a profile "
    "that `nusabus login` has saved. A client certificate, NUSABUS_CERTIFICATE_FILE, may stand in "
    "place of the secret. Help for a command: nusabus COMMAND --help",
)
app.add_typer(contracts, name="contracts")
app.add_typer(legacy, name="legacy")
app.add_typer(login.app)
app.add_typer(publish.app)
app.add_typer(tail.app)
app.add_typer(requests.app, name="requests")
app.add_typer(subscriptions.app, name="subscriptions")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(quotas.app, name="quotas")
app.add_typer(retention.app, name="retention")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version  # slow, and rarely needed

        try:
            number = version("nusabus")
        except PackageNotFoundError:
            number = "from a checkout"
        sys.stdout.write(f"nusabus {number}\n")
        raise typer.Exit


@app.callback()
def nusabus(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Work with the national event bus."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line. Returns the exit code."""
    line = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(args=line, prog_name="nusabus", standalone_mode=False)
        return code if isinstance(code, int) else Exit.OK
    except typer.TyperException as error:
        rich_utils.rich_format_error(cast(Any, error))
        return Exit.ERROR
    except (
        Problem, OutcomeUnknown, Failure, UnusableFile, httpx.TransportError, OSError,
    ) as error:  # fmt: skip
        screen.fail(error, as_json="--json" in line)
        return Exit.ERROR
    except (typer.Abort, KeyboardInterrupt):
        return Exit.ERROR


def main() -> NoReturn:
    """The entry point of the `nusabus` command. What it saves is for this account alone."""
    os.umask(os.umask(0o077) | 0o077)
    sys.exit(run())
