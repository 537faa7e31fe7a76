"""A journal of millions of entries against an empty one: does it get slower?

Two databases of one server, prepared alike, each with its own gateway; they are given events in
turns. The entries are written by SQL, with random identities and realistic sizes.
"""

from contextlib import AsyncExitStack

from bench.contest import Batches, Single, alternate
from bench.failure import BenchFailure
from bench.results import Results, Value, ratio
from bench.say import say
from bench.scale import Scale
from bench.servers import Servers
from bench.site import Site

EMPTY, FULL = "journal_empty", "journal_full"  # databases
PROCESSES = 2
SHARDS = 4  # the default of the gateway
SPAN = 1800  # seconds over which the entries seem to have come in

# Made anew in this transaction, so that nothing of it goes through the log (wal_level minimal).
# The identity index is made at the end, as full as one is that grew by random keys.
FILL = f"""
BEGIN;
TRUNCATE journal_rows, journal_identities;
ALTER TABLE journal_identities DROP CONSTRAINT journal_identities_pkey;
CREATE TEMPORARY TABLE course ON COMMIT DROP AS
SELECT clock_timestamp() - interval '{SPAN} seconds' AS began;
INSERT INTO journal_origins (facts, type, client, publisher, contract_version, is_binary,
                             attributes)
VALUES ('filled', 'id.go.dukcapil.ktp.diverifikasi.v1', 'filled', 'dukcapil', 1, false,
        '"datacontenttype":"application/json"');
INSERT INTO journal_rows (shard, sequence, recorded, source, id, subject, attributes, data, origin)
SELECT (n - 1) % {SHARDS}, (n - 1) / {SHARDS} + 1,
       c.began + n * interval '{SPAN} seconds' / {{entries}},
       '/dukcapil/ktp', 'filled-' || n,
       'KTP-327301-20231105-' || n,
       '{{{{"time":"2023-11-05T10:15:30Z"}}}}',
       convert_to('{{{{"nomor_permohonan":"KTP-327301-20231105-' || n
           || '","nik":"3273011203900001","status":"REJECTED",'
           || '"alasan_penolakan":"DATA_TIDAK_COCOK",'
           || '"timestamp":"2023-11-05T10:15:30+07:00","officer_id":"petugas_123"}}}}', 'UTF8'),
       (SELECT number FROM journal_origins WHERE facts = 'filled')
FROM generate_series(1, {{entries}}::bigint) n, course c;
INSERT INTO journal_identities (identity, digest, shard, sequence, recorded)
SELECT decode(md5(n::text), 'hex'), sha256(int8send(n)), (n - 1) % {SHARDS}, (n - 1) / {SHARDS} + 1,
       c.began + n * interval '{SPAN} seconds' / {{entries}}
FROM generate_series(1, {{entries}}::bigint) n, course c;
ALTER TABLE journal_identities ADD PRIMARY KEY (identity) WITH (fillfactor = 70);
UPDATE journal_shards SET last = {{entries}} / {SHARDS}, recorded = clock_timestamp();
UPDATE journal_leases SET cursor_sequence = {{entries}} / {SHARDS},
    cursor_recorded = clock_timestamp();
COMMIT;
"""


async def fill(servers: Servers, scale: Scale, results: Results) -> None:
    """Measure the part `journal`."""
    await servers.clone(EMPTY)
    await servers.clone(FULL)
    try:
        await _fill(servers, scale.journal_entries)
        async with AsyncExitStack() as stack:
            empty = await stack.enter_async_context(Site(servers, EMPTY, (PROCESSES,)))
            full = await stack.enter_async_context(Site(servers, FULL, (PROCESSES,)))
            found = await alternate(
                [
                    contestant(servers, site, scale, PROCESSES, f"{journal} journal")
                    for contestant in (Single, Batches)
                    for site, journal in ((empty, "empty"), (full, "full"))
                ],
                scale,
            )
    finally:
        await servers.drop(EMPTY)
        await servers.drop(FULL)
    rows = {row.key: row for row in found}
    ratios = {
        name: ratio(rows[f"{name}_full"], rows[f"{name}_empty"]) for name in ("single", "batch")
    }
    results.rows += found
    results.values.append(
        Value(
            "full_journal_vs_empty",
            min(ratios.values()),
            "ratio",
            f"{scale.journal_entries:,} entries; the worse of: "
            + ", ".join(f"{name} {found:.2f}" for name, found in ratios.items()),
            "0.9",
        )
    )


async def _fill(servers: Servers, entries: int) -> None:
    """Write the entries, then do at once what the server would else do while we measure."""
    if entries % SHARDS:
        raise BenchFailure(f"{entries} entries do not divide among {SHARDS} shards")
    await servers.restart_postgres(fast_fill=True)
    await servers.administer(FILL.format(entries=entries), database=FULL)
    await servers.administer("VACUUM (FREEZE, ANALYZE)", "CHECKPOINT", database=FULL)
    await servers.administer("VACUUM (FREEZE, ANALYZE)", "CHECKPOINT", database=EMPTY)
    await servers.restart_postgres(fast_fill=False)
    say(f"{entries:,} entries written")
