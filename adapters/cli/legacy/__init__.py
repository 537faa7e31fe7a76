"""`nusabus legacy`: inspect, convert and feed COBOL batch files."""

import typer

from adapters.cli.legacy import conversion, differences, feeds, layouts

app = typer.Typer(
    help="COBOL batch files: inspect them, convert them, and feed them into the bus.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
for area in (layouts, conversion, differences, feeds):
    app.add_typer(area.app)
