"""Options that commands share."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ProfileName = Annotated[
    str,
    typer.Option(
        "--profile",
        envvar="NUSABUS_PROFILE",
        help="Credentials to use: a profile that `nusabus login` has saved.",
    ),
]
