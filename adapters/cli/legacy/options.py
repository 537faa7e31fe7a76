"""The layout options of commands: a layout file, flags, or both. Flags override the file."""

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
    _flag("--form", "form", str, "Reference format of the copybook: fixed, variable or free."),
    _flag("--decimal-comma/--decimal-point", "decimal_comma", bool, "DECIMAL-POINT IS COMMA."),
    _flag("--currency", "currency", str, "CURRENCY SIGN of pictures."),
    _flag("--dialect", "dialect.name", str, f"Compiler: {', '.join(DIALECTS)}."),
    _flag("--binary-sizes", "dialect.binary_sizes", str,
          "Bytes of COMP: 2-4-8, 2-4-8-16, 1-2-4-8 or 1--8."),
    _flag("--trunc", "dialect.trunc", str,
          "Compiler option TRUNC: std, or bin if COMP holds more than its picture."),
    _flag("--slides/--no-slides", "dialect.slides", bool,
          "Items after an OCCURS DEPENDING ON table move."),
    _flag("--empty-tables/--no-empty-tables", "dialect.empty_tables", bool,
          "A counter of OCCURS 1 TO may be 0."),
    _flag("--code-page", "encoding.code_page", str,
          "Code page, for example cp037, cp1140 or ascii."),
    _flag("--zoned-signs", "encoding.zoned_signs", str,
          "Sign of DISPLAY: ebcdic, ascii-translated, ascii-letters or ascii-realia."),
    _flag("--byte-order", "encoding.byte_order", str, "Byte order of COMP: big or little."),
    _flag("--native-order", "encoding.native_order", str, "Byte order of COMP-5: big or little."),
    _flag("--float-format", "encoding.float_format", str,
          "Format of COMP-1 and COMP-2: ibm or ieee."),
    _flag("--framing", "framing.kind", str,
          "fixed, fixed-blocked, rdw, blocked, lines, gnucobol or self-delimiting."),
    _flag("--length", "framing.length", int, "Length of a fixed record."),
    _flag("--rest", "framing.rest", str,
          "Bytes after the last item of a fixed record: padding, or any."),
    _flag("--block", "framing.block", int, "Length of a block."),
    _flag("--head", "framing.head", int, "Bytes before the first record."),
    _flag("--tail", "framing.tail", int, "Bytes after the last record."),
    _flag("--line-end", "framing.end", int, "Byte that ends a line."),
    _flag("--line-blank", "framing.blank", int, "Blank of trimmed lines."),
    _flag("--trimmed/--untrimmed", "framing.trimmed", bool, "Lines have no trailing blanks."),
    _flag("--carriage/--no-carriage", "framing.carriage", bool, "0D may precede the line end."),
    _flag("--gnucobol-format", "framing.format", int, "COB_VARSEQ_FORMAT: 0 to 3."),
    _flag("--rdw-header", "rdw.header", int, "Length of a record descriptor."),
    _flag("--rdw-at", "rdw.at", int, "Offset of the length in the descriptor."),
    _flag("--rdw-size", "rdw.size", int, "Bytes of the length."),
    _flag("--rdw-order", "rdw.order", str, "Byte order of the descriptor: big or little."),
    _flag("--rdw-counts-itself/--rdw-counts-data", "rdw.counts_header", bool,
          "Whether the length includes the descriptor."),
    _flag("--rdw-adjustment", "rdw.adjustment", int, "Added to the length."),
    _flag("--spanned/--unspanned", "rdw.spanned", bool, "Records in segments: RECFM VS and VBS."),
    _flag("--blanks", "policy.blanks", str, "Meaning of blank fields: error, null, zero or keep."),
    _flag("--low-values", "policy.low_values", str,
          "Meaning of fields of X'00': error, null, zero or keep."),
    _flag("--high-values", "policy.high_values", str,
          "Meaning of fields of X'FF': error, null, zero or keep."),
    _flag("--trim", "policy.trim", str, "Trim texts: auto, both or none."),
    _flag("--padding", "policy.padding", str, "What short texts are filled with: blank or nul."),
    _flag("--numbers", "policy.form", str,
          "Form of numbers: auto, string, number, scaled or code."),
    _flag("--controls/--no-controls", "policy.controls", bool, "Keep control characters."),
    _flag("--preferred-signs/--any-signs", "policy.preferred_signs", bool,
          "Refuse sign nibbles A, B and E."),
    _flag("--conditions", "conditions", str, "Values of level 88: closed (only these) or open."),
)  # fmt: skip


def with_layout(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all layout options. It receives the resulting `layout` instead."""
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
        flags = {names[name]: given.pop(name) for name in names}
        files = given.pop("layout_file"), given.pop("copybook_file")
        lists = tuple(given.pop(name) for name in ("select", "rename", "settings", "optional"))
        return command(layout=_layout(files, flags, lists), **given)

    parameters = [*own, *_parameters()]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def framing_of(layout: Layout) -> Framing:
    """The framing of a layout. Raises Failure if it is not declared."""
    if layout.framing is None:
        raise Failure(
            "The framing is not declared. Use --framing, or write [framing] into the layout. "
            "`nusabus legacy inspect FILE` proposes one."
        )
    return layout.framing


def _parameters() -> list[inspect.Parameter]:
    return [
        _parameter("layout_file", Path | None, "--layout", help="Layout file (TOML)."),
        _parameter("copybook_file", Path | None, "--copybook", help="Copybook file."),
        *(
            _parameter(_variable(flag), kind | None, flag, help=help)
            for flag, _, kind, help in FLAGS
        ),
        _parameter(
            "optional", list[str], "--optional", default=[], metavar="[RECORD:]FIELD",
            help="The first field that may be missing at the end of a record.",
        ),
        _parameter(
            "select", list[str], "--select", default=[], metavar="RECORD:FIELD=V1,V2",
            help="Which values select this level 01. Repeat it for each.",
        ),
        _parameter(
            "rename", list[str], "--rename", default=[], metavar="FIELD=NAME",
            help="Name of a field in documents.",
        ),
        _parameter(
            "settings", list[str], "--set", default=[], metavar="KEY=TOML",
            help="Any key of the layout file, for example framing.length=80.",
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
    flags: dict[str, Any],
    lists: tuple[list[str], ...],
) -> Layout:
    file, copybook = files
    content: dict[str, Any] = {}
    folder = Path()
    try:
        if file is not None:
            content, folder = tomllib.loads(file.read_text(), parse_float=Decimal), file.parent
        if copybook is not None:
            content["copybook"], folder = copybook.name, copybook.parent
        for key, value in flags.items():
            if value is not None:
                _put(content, _key(key, content, flags), value)
        _put_lists(content, *lists)
        if "copybook" not in content:
            raise Failure("Missing layout. Give --layout FILE or --copybook FILE.")
        return layout_of(content, folder, str(file or "options"))
    except (LayoutError, CopybookError, FramingError) as error:
        raise Failure(str(error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Failure(f"{file}: {error}") from None


def _key(key: str, content: dict[str, Any], flags: dict[str, Any]) -> str:
    """The key of a flag. Descriptors of blocked records are one level deeper."""
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
    content: dict[str, Any], select: list[str], rename: list[str], settings: list[str],
    optional: list[str],
) -> None:  # fmt: skip
    for each in settings:
        key, sign, value = each.partition("=")
        if not sign:
            raise Failure(f"--set {each} has no value. Write KEY=VALUE.")
        try:
            found = tomllib.loads(f"value = {value}", parse_float=Decimal)["value"]
        except tomllib.TOMLDecodeError:
            found = value
        _put(content, key, found)
    for each in select:
        record, _, condition = each.partition(":")
        field, sign, values = condition.partition("=")
        if not sign:
            raise Failure(f"--select {each} is incomplete. Write RECORD:FIELD=VALUE,VALUE.")
        when = [{"field": field, "values": values.split(",")}]
        found = {"name": record.lower(), "record": record, "when": when}
        content.setdefault("records", []).append(found)
    _put_optional(content, optional)
    for each in rename:
        field, sign, name = each.partition("=")
        if not sign:
            raise Failure(f"--rename {each} is incomplete. Write FIELD=NAME.")
        for record in content.setdefault("records", [{}]):
            record.setdefault("fields", {}).setdefault(field, {})["name"] = name


def _put_optional(content: dict[str, Any], optional: list[str]) -> None:
    for each in optional:
        record, _, field = each.rpartition(":")
        for found in content.setdefault("records", [{}]):
            if record in ("", found.get("record"), found.get("name")):
                found["optional"] = field
