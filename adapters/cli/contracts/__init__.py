"""`nusabus contracts`: the registry from files and from the command line."""

import typer

from adapters.cli.contracts import ending, files, judging, looking

app = typer.Typer(
    help="Contracts: what may be said on the bus.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
for area in (files, judging, looking, ending):
    app.add_typer(area.app)
