"""Digests of the tables of a build, in the order of their primary keys."""

from collections.abc import Mapping
from dataclasses import dataclass

from consumers.projection.definition import Connection

_COLUMNS = """
SELECT relname AS table, attname AS column
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    AND attnum > 0 AND NOT attisdropped
ORDER BY relname, attname
"""
_KEY = """
SELECT attname FROM pg_index JOIN unnest(indkey) WITH ORDINALITY AS key(attnum, place) ON true
JOIN pg_attribute ON attrelid = indrelid AND pg_attribute.attnum = key.attnum
WHERE indrelid = $1::text::regclass AND indisprimary ORDER BY place
"""
# How values are written does not depend on the session.
_SETTINGS = """
SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true),
    set_config('IntervalStyle', 'iso_8601', true), set_config('extra_float_digits', '1', true),
    set_config('bytea_output', 'hex', true), set_config('search_path', 'pg_catalog', true)
"""
SPAN = 10_000  # rows whose digests are held at once

Columns = Mapping[str, tuple[str, ...]]
"""The columns of each table, sorted."""


@dataclass(frozen=True, slots=True)
class TableDigest:
    """The rows of a table, as a number and a digest (SHA-256, hexadecimal)."""

    rows: int
    digest: str


async def columns_of(connection: Connection, schema: str) -> dict[str, tuple[str, ...]]:
    """The tables of a build, and the columns of each."""
    found: dict[str, tuple[str, ...]] = {}
    for row in await connection.fetch(_COLUMNS, f'"{schema}"'):
        found[row["table"]] = (*found.get(row["table"], ()), row["column"])
    return found


async def digest_tables(
    connection: Connection, schema: str, columns: Columns
) -> dict[str, TableDigest]:
    """The digests of these columns of tables. Call it in a transaction that sees one snapshot."""
    await connection.execute(_SETTINGS)
    return {
        table: await _digest(connection, schema, table, columns[table]) for table in sorted(columns)
    }


async def _digest(
    connection: Connection, schema: str, table: str, columns: tuple[str, ...]
) -> TableDigest:
    name = f"{_quoted(schema)}.{_quoted(table)}"
    key = ", ".join(_quoted(row["attname"]) for row in await connection.fetch(_KEY, name))
    row = await connection.fetchrow(
        f"""
        SELECT coalesce(sum(rows), 0)::bigint AS rows, encode(sha256(coalesce(
            string_agg(span, '' ORDER BY number), '')), 'hex') AS digest
        FROM (
            SELECT number, count(*) AS rows, sha256(string_agg(digest, '' ORDER BY place)) AS span
            FROM (
                SELECT place, (place - 1) / {SPAN} AS number,
                    sha256(convert_to(content, 'UTF8')) AS digest
                FROM (
                    SELECT row_number() OVER (ORDER BY {key}) AS place,
                        ROW({", ".join(map(_quoted, columns))})::text AS content
                    FROM {name}
                ) AS contents
            ) AS digests GROUP BY number
        ) AS spans
        """,  # noqa: S608 - names of the catalogue, quoted
        timeout=3600,
    )
    assert row is not None  # noqa: S101 - an aggregate
    return TableDigest(row["rows"], row["digest"])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
