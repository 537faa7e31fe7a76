"""`nusabus legacy`: inspect, convert and feed COBOL batch files."""

import typer

from adapters.cli.deferred import Deferred, deferring

_LAYOUTS = "adapters.cli.legacy.layouts"
_CONVERSION = "adapters.cli.legacy.conversion"
_FEEDS = "adapters.cli.legacy.feeds"
COMMANDS = {
    "inspect": Deferred(
        _LAYOUTS,
        "Propose framings and a character set for a file, each with its evidence and its flags.",
    ),
    "layout": Deferred(
        _LAYOUTS, "Print the position of every field, like the listing of a COBOL compiler."
    ),
    "schema": Deferred(_LAYOUTS, "Print the JSON Schema of the events of a layout."),
    "decode": Deferred(
        _CONVERSION,
        "Convert the records of a file to JSON documents, one per line, in constant memory.",
    ),
    "encode": Deferred(
        _CONVERSION,
        "Convert JSON documents, one per line, to records. Nothing is cut, rounded or guessed.",
    ),
    "validate": Deferred(_CONVERSION, "Check every record of a file, and report the bad ones."),
    "diff": Deferred(
        "adapters.cli.legacy.differences",
        "Compare two files field by field, in the order of their records.",
    ),
    "watch": Deferred(
        _FEEDS,
        "Run a feed until Ctrl-C or SIGTERM: publish its files, or write its events to files.",
    ),
    "send": Deferred(_FEEDS, "Send one file through a feed, and wait for its outcome."),
    "status": Deferred(
        _FEEDS, "Show the files of a feed with their states, and what they are waiting for."
    ),
    "reissue": Deferred(
        _FEEDS,
        "Copy an issued file to outgoing/ again, byte by byte, or write a file that was stopped.",
    ),
}

app = typer.Typer(
    cls=deferring(COMMANDS),
    help="COBOL batch files: inspect them, convert them, and feed them into the bus.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@app.callback()
def legacy() -> None:
    """COBOL batch files."""
