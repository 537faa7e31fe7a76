"""`nusabus legacy`: COBOL batch files looked at, converted, and fed into the bus."""

import typer

from adapters.cli.legacy import comparing, converting, feeding, looking

app = typer.Typer(
    help="COBOL batch files: looked at, converted, and fed into the bus.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
for area in (looking, converting, comparing, feeding):
    app.add_typer(area.app)
