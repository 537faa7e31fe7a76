"""`nusabus contracts`: the registry from files and from the command line."""

import typer

from adapters.cli.contracts import checks, conversion, lifecycle, queries, sync

app = typer.Typer(
    help="Contracts: event types, their schemas and their lifecycle.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
for area in (sync, checks, conversion, queries, lifecycle):
    app.add_typer(area.app)
