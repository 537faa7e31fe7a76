"""Commands that are imported when they are called: a command needs no library of another one."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from typer import Typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_from_info, get_command_name, get_group


class Deferred(NamedTuple):
    """Where the Typer application of a command is, and what the list of commands says about it.

    `group`: the application is the command. Otherwise it has a command of this name.
    """

    module: str
    help: str
    group: bool = False


class _Unloaded(TyperCommand):
    """Stands in the list of commands."""


def deferring(commands: Mapping[str, Deferred]) -> type[TyperGroup]:
    """A group with these commands, in this order."""

    class Group(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            for name, each in commands.items():
                self.commands[name] = _Unloaded(name, help=each.help)

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            name, command, rest = super().resolve_command(ctx, args)
            if name is not None and isinstance(command, _Unloaded):
                command = self.commands[name] = load(name, commands[name])
            return name, command, rest

    return Group


def load(name: str, deferred: Deferred) -> Any:
    """The command itself."""
    app: Typer = import_module(deferred.module).app
    if deferred.group:
        group = get_group(app)
        group.name = name
        return group
    (command,) = (
        each
        for each in app.registered_commands
        if each.callback is not None and get_command_name(each.callback.__name__) == name
    )
    return get_command_from_info(
        command, pretty_exceptions_short=False, rich_markup_mode=app.rich_markup_mode
    )
