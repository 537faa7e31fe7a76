"""The `nusabus` command: its areas, and how it ends."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn, cast

import typer

from adapters.cli.deferred import Deferred, deferring
from adapters.cli.exits import Exit

COMMANDS = {
    "contracts": Deferred(
        "adapters.cli.contracts",
        "Contracts: event types, their schemas and their lifecycle.", group=True,
    ),
    "legacy": Deferred(
        "adapters.cli.legacy",
        "COBOL batch files: inspect them, convert them, and feed them into the bus.", group=True,
    ),
    "login": Deferred(
        "adapters.cli.login",
        "Check the credentials of a client and save them, for --profile.",
    ),
    "publish": Deferred(
        "adapters.cli.publish", "Publish data as an event of TYPE, and print the receipt."
    ),
    "tail": Deferred(
        "adapters.cli.tail",
        "Print events of TYPE as they come, one line each, until Ctrl-C.",
    ),
    "requests": Deferred("adapters.cli.requests", "Requests and their replies.", group=True),
    "subscriptions": Deferred(
        "adapters.cli.subscriptions", "Subscriptions of your organisation.", group=True
    ),
    "dead-letters": Deferred(
        "adapters.cli.dead_letters", "Dead letters: deliveries that failed for good.", group=True
    ),
    "quotas": Deferred(
        "adapters.cli.quotas", "What an organisation may use of the bus, and uses.", group=True
    ),
    "retention": Deferred(
        "adapters.cli.retention",
        "How long events are kept: what was removed, what is held, how much is there.", group=True,
    ),
}  # fmt: skip
app = typer.Typer(
    name="nusabus",
    cls=deferring(COMMANDS),
    help="Work with the national event bus.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    epilog="Credentials: NUSABUS_URL, NUSABUS_CLIENT_ID and NUSABUS_CLIENT_SECRET, or a profile "
    "that `nusabus login` has saved. A client certificate, NUSABUS_CERTIFICATE_FILE, may stand in "
    "place of the secret. Help for a command: nusabus COMMAND --help",
)


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
    except (typer.Abort, KeyboardInterrupt):
        return Exit.ERROR
    except typer.TyperException as error:
        from typer import rich_utils  # slow, as the next one, and rarely needed

        rich_utils.rich_format_error(cast(Any, error))
        return Exit.ERROR
    except Exception as error:
        from adapters.cli import failures

        failures.fail(error, as_json="--json" in line)
        return Exit.ERROR


def main() -> NoReturn:
    """The entry point of the `nusabus` command. What it saves is for this account alone."""
    os.umask(os.umask(0o077) | 0o077)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # no linear algebra here: no threads for it
    sys.exit(run())
