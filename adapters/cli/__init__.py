"""The `nusabus` command: what people and pipelines do with the bus, over its HTTP interface.

Each area has a sub-command of its own (`nusabus contracts ...`), a package here that brings a Typer
application; `app` puts them together.
"""

from adapters.cli.app import main

__all__ = ["main"]
