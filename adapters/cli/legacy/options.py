"""The layout of a command: from a layout file, from flags, or from both, flags first."""

import functools
import inspect
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli.exits import Failure
from adapters.legacy_cobol.copybook.dialects import DIALECTS
from adapters.legacy_cobol.copybook.errors import CopybookError
from adapters.legacy_cobol.mapping.layout_file import Layout, layout_of
from adapters.legacy_cobol.mapping.section import LayoutError
from adapters.legacy_cobol.records.framing import Framing, FramingError

PANEL = "Layout"


def _flag(name: str, key: str, kind: Any, help: str) -> tuple[str, str, Any, str]:
    return name, key, kind, help


FLAGS = (
    _flag("--form", "form", str, "Copybook in fixed or free form."),
    _flag("--decimal-comma/--decimal-point", "decimal_comma", bool, "DECIMAL-POINT IS COMMA."),
    _flag("--currency", "currency", str, "Currency sign of pictures."),
    _flag("--dialect", "dialect.name", str, f"One of {', '.join(DIALECTS)}."),
    _flag("--binary-sizes", "dialect.binary_sizes", str, "2-4-8, 1-2-4-8 or 1--8."),
    _flag("--slides/--no-slides", "dialect.slides", bool, "Fields behind a table move."),
    _flag("--code-page", "encoding.code_page", str, "Such as cp037, cp1140, ascii."),
    _flag("--zoned-signs", "encoding.zoned_signs", str,
          "ebcdic, ascii-translated, ascii-letters or ascii-realia."),
    _flag("--byte-order", "encoding.byte_order", str, "big or little, of COMP."),
    _flag("--native-order", "encoding.native_order", str, "big or little, of COMP-5."),
    _flag("--float-format", "encoding.float_format", str, "ibm or ieee."),
    _flag("--framing", "framing.kind", str,
          "fixed, fixed-blocked, rdw, blocked, lines, gnucobol or self-delimiting."),
    _flag("--length", "framing.length", int, "Bytes of a fixed record."),
    _flag("--block", "framing.block", int, "Bytes of a block."),
    _flag("--head", "framing.head", int, "Bytes before the first record."),
    _flag("--tail", "framing.tail", int, "Bytes behind the last record."),
    _flag("--line-end", "framing.end", int, "Byte that ends a line."),
    _flag("--line-blank", "framing.blank", int, "Byte that lines are trimmed of."),
    _flag("--trimmed/--untrimmed", "framing.trimmed", bool, "Lines without blanks behind."),
    _flag("--carriage/--no-carriage", "framing.carriage", bool, "0D may stand before line ends."),
    _flag("--gnucobol-format", "framing.format", int, "0 to 3."),
    _flag("--rdw-header", "rdw.header", int, "Bytes of a record descriptor."),
    _flag("--rdw-at", "rdw.at", int, "Where in it the length stands."),
    _flag("--rdw-size", "rdw.size", int, "Bytes of the length."),
    _flag("--rdw-order", "rdw.order", str, "big or little."),
    _flag("--rdw-counts-itself/--rdw-counts-data", "rdw.counts_header", bool,
          "What the length counts."),
    _flag("--rdw-adjustment", "rdw.adjustment", int, "Added to the length."),
    _flag("--spanned/--unspanned", "rdw.spanned", bool, "Records in segments: RECFM VS and VBS."),
    _flag("--blanks", "policy.blanks", str, "Fields of blanks: error, null, zero or keep."),
    _flag("--low-values", "policy.low_values", str, "Fields of X'00': the same."),
    _flag("--high-values", "policy.high_values", str, "Fields of X'FF': the same."),
    _flag("--trim", "policy.trim", str, "Texts: auto, both or none."),
    _flag("--numbers", "policy.form", str, "auto, string, number, scaled or code."),
    _flag("--controls/--no-controls", "policy.controls", bool, "Keep control characters."),
    _flag("--preferred-signs/--any-signs", "policy.preferred_signs", bool, "Refuse A, B and E."),
    _flag("--conditions", "conditions", str, "Level 88: closed or open."),
)  # fmt: skip


def with_layout(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command every layout option; it takes `layout`, built of them, instead."""
    signature = inspect.signature(command)
    hints = inspect.get_annotations(command, eval_str=True)
    own = [
        each.replace(annotation=hints[name])
        for name, each in signature.parameters.items()
        if name != "layout"
    ]
    names = {_variable(flag): key for flag, key, _, _ in FLAGS}

    @functools.wraps(command)
    def run(**given: Any) -> Any:
        told = {names[name]: given.pop(name) for name in names}
        files = given.pop("layout_file"), given.pop("copybook_file")
        lists = given.pop("select"), given.pop("rename"), given.pop("settings")
        return command(layout=_layout(files, told, lists), **given)

    parameters = [*own, *_parameters()]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def framing_of(layout: Layout) -> Framing:
    """How records follow each other. Raises Failure where nobody has said it."""
    if layout.framing is None:
        raise Failure(
            "how records follow each other is not declared: `nusabus legacy inspect FILE` "
            "proposes; then say --framing or write [framing] into the layout"
        )
    return layout.framing


def told(error: Exception) -> Failure:
    """What is wrong with a layout, a copybook or a file, as the command says it."""
    return Failure(str(error))


def _parameters() -> list[inspect.Parameter]:
    return [
        _parameter("layout_file", Path | None, "--layout", help="Layout file (TOML)."),
        _parameter("copybook_file", Path | None, "--copybook", help="Copybook, without a layout."),
        *(
            _parameter(_variable(flag), kind | None, flag, help=help)
            for flag, _, kind, help in FLAGS
        ),
        _parameter(
            "select", list[str], "--select", default=[], metavar="RECORD:FIELD=V1,V2",
            help="Which records of the file are which level 01; once for each.",
        ),
        _parameter(
            "rename", list[str], "--rename", default=[], metavar="FIELD=NAME",
            help="The name of a field in documents.",
        ),
        _parameter(
            "settings", list[str], "--set", default=[], metavar="KEY=TOML",
            help="Any key of the layout file, as framing.length=80.",
        ),
    ]  # fmt: skip


def _parameter(
    name: str, kind: Any, flag: str, *, help: str, default: Any = None, metavar: str | None = None
) -> inspect.Parameter:
    option = typer.Option(flag, help=help, rich_help_panel=PANEL, metavar=metavar)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )


def _variable(flag: str) -> str:
    return "layout_" + flag.partition("/")[0].removeprefix("--").replace("-", "_")


def _layout(
    files: tuple[Path | None, Path | None],
    told_flags: dict[str, Any],
    lists: tuple[list[str], list[str], list[str]],
) -> Layout:
    file, copybook = files
    content: dict[str, Any] = {}
    folder = Path()
    try:
        if file is not None:
            content, folder = tomllib.loads(file.read_text(), parse_float=Decimal), file.parent
        if copybook is not None:
            content["copybook"], folder = copybook.name, copybook.parent
        for key, value in told_flags.items():
            if value is not None:
                _put(content, _place(key, content, told_flags), value)
        _put_lists(content, *lists)
        if "copybook" not in content:
            raise Failure("say --layout FILE or --copybook FILE")
        return layout_of(content, folder, str(file or "options"))
    except (LayoutError, CopybookError, FramingError) as error:
        raise told(error) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Failure(f"{file}: {error}") from None


def _place(key: str, content: dict[str, Any], flags: dict[str, Any]) -> str:
    """Where a flag stands: descriptors of blocked records are a level deeper."""
    if not key.startswith("rdw."):
        return key
    kind = flags.get("framing.kind") or content.get("framing", {}).get("kind")
    return key.replace("rdw.", "framing.records." if kind == "blocked" else "framing.")


def _put(content: dict[str, Any], key: str, value: Any) -> None:
    *above, last = key.split(".")
    for name in above:
        content = content.setdefault(name, {})
    content[last] = value


def _put_lists(
    content: dict[str, Any], select: list[str], rename: list[str], settings: list[str]
) -> None:
    for each in settings:
        key, sign, value = each.partition("=")
        if not sign:
            raise Failure(f"--set {each}: write KEY=VALUE")
        try:
            found = tomllib.loads(f"value = {value}", parse_float=Decimal)["value"]
        except tomllib.TOMLDecodeError:
            found = value
        _put(content, key, found)
    for each in select:
        record, _, condition = each.partition(":")
        field, sign, values = condition.partition("=")
        if not sign:
            raise Failure(f"--select {each}: write RECORD:FIELD=VALUE,VALUE")
        when = [{"field": field, "values": values.split(",")}]
        found = {"name": record.lower(), "record": record, "when": when}
        content.setdefault("records", []).append(found)
    for each in rename:
        field, sign, name = each.partition("=")
        if not sign:
            raise Failure(f"--rename {each}: write FIELD=NAME")
        for record in content.setdefault("records", [{}]):
            record.setdefault("fields", {}).setdefault(field, {})["name"] = name
