"""A registry of 10,000 contracts beside one of some 20: what they cost, and what a change costs.

Two databases of one server, each with its own gateway of two api processes. A tenth of
the many contracts is registered by the functions of the registry, in two processes (`filled.py`),
and multiplied by SQL; one by one over HTTP is measured on a sample. Keys in results.json:

contracts_register_per_s       with all checks, by the registry's functions, 200 in a transaction
contracts_register_http_per_s  one after another over HTTP, by one administrator
contracts_memory_mib           what an api process holds more than with few contracts
intake_10000_vs_20_contracts   events a second, single POSTs, many beside few
contract_change_ms             from the answer until a new version is in force in every api process
contract_change_cpu_ms         CPU of all api processes for one change
compatibility_per_s            questions about compatibility, see the part `compatibility`
"""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace

from bench.children import answer_of
from bench.compatibility import check
from bench.contest import Single, alternate
from bench.contract_changes import PROCESSES, Administrator, ChangeTimes
from bench.costs import resident
from bench.results import Results, Value, ratio
from bench.say import say
from bench.scale import Scale
from bench.servers import Servers
from bench.site import Site

FEW, MANY = "contracts_few", "contracts_many"  # databases
FILLERS = 2
SAMPLE = 100  # contracts that are registered over HTTP as well
MIB = 1 << 20
TIMES = 10  # contracts that stand in the registry for one that was registered
TABLES = ("contracts", "contract_versions", "contract_examples")
# The same contracts under other types; every row is one of its own to the api processes.
MULTIPLY = """
INSERT INTO {table} SELECT copy.*
FROM {table} own CROSS JOIN generate_series(1, {more}) time
CROSS JOIN LATERAL jsonb_populate_record(own, jsonb_build_object('type',
    'id.go.dukcapil.bench'
    || lpad((substr(own.type, 21, 5)::int + time * {own})::text, 5, '0')
    || '.diverifikasi.v1')) copy
WHERE own.type LIKE 'id.go.dukcapil.bench%'
"""


async def govern(servers: Servers, scale: Scale, results: Results) -> None:
    """Measure the part `contracts`."""
    await servers.clone(FEW)
    await servers.clone(MANY)
    try:
        results.values.append(await _fill(servers, scale.contracts))
        async with AsyncExitStack() as stack:
            few = await stack.enter_async_context(Site(servers, FEW, (PROCESSES,)))
            many = await stack.enter_async_context(Site(servers, MANY, (PROCESSES,)))
            await _compare(servers, few, many, scale, results)
            results.values += await _change(servers, few, many, scale)
    finally:
        await servers.drop(FEW)
        await servers.drop(MANY)
    asked = Results()
    await check(asked, rounds=1)
    rate = next(each for each in asked.values if each.key == "compatibility_rate")
    results.values.append(replace(rate, key="compatibility_per_s"))


async def _fill(servers: Servers, count: int) -> Value:
    """Register part of the many contracts, and multiply them."""
    url = servers.settings(MANY, 0)["NUSABUS_DATABASE_URL"]
    own = count // TIMES
    shares = [
        {"url": url, "first": own * part // FILLERS, "last": own * (part + 1) // FILLERS}
        for part in range(FILLERS)
    ]
    began = time.perf_counter()
    took = await asyncio.gather(*(answer_of("bench.contract_fill", share) for share in shares))
    seconds = time.perf_counter() - began
    copies = (MULTIPLY.format(table=table, own=own, more=TIMES - 1) for table in TABLES)
    await servers.administer(*copies, "VACUUM (FREEZE, ANALYZE)", "CHECKPOINT", database=MANY)
    say(f"{own:,} contracts registered in {seconds:.0f} s, {count:,} in the registry")
    checking, storing = (
        1e3 * sum(each[what] for each in took) / own for what in ("admitting", "storing")
    )
    return Value(
        "contracts_register_per_s",
        own / seconds,
        "contracts/s",
        f"{own:,} contracts in {seconds:.0f} s (so {count:,} take {TIMES * seconds:.0f} s), by the "
        f"registry's functions in {FILLERS} processes; each {checking:.1f} ms to check and "
        f"{storing:.1f} ms to store, waiting for the other process included",
    )


async def _compare(servers: Servers, few: Site, many: Site, scale: Scale, results: Results) -> None:
    """Give both events in turns, in short rounds, and see what their processes hold then."""
    short = replace(scale, rounds=2 * scale.rounds, seconds=scale.seconds / 2)
    contestants = [
        Single(servers, site, scale, PROCESSES, f"{name} contracts")
        for site, name in ((few, "few"), (many, "many"))
    ]
    rows = await alternate(contestants, short)
    results.rows += rows
    sizes = {
        name: [resident(each.pid) / MIB for each in site.apis() if each.pid is not None]
        for name, site in (("few", few), ("many", many))
    }
    rounds = ", ".join(
        f"{name}: {' '.join(f'{s:.0f}' for s in each)}" for name, each in sizes.items()
    )
    results.values += [
        Value(
            "intake_10000_vs_20_contracts",
            ratio(rows[1], rows[0]),
            "ratio",
            f"{scale.contracts:,} contracts beside some 20, single POSTs, {PROCESSES} api "
            f"processes, median of {short.rounds} rounds",
            "0.95",
        ),
        Value(
            "contracts_memory_mib",
            max(sizes["many"]) - max(sizes["few"]),
            "MiB",
            f"of {scale.contracts:,} contracts in an api process; RSS of each: {rounds}",
        ),
    ]


async def _change(servers: Servers, few: Site, many: Site, scale: Scale) -> list[Value]:
    found: dict[str, ChangeTimes] = {}
    rate = 0.0
    for name, site, contracts in (
        ("few", few, scale.contract_changes),
        ("many", many, max(SAMPLE, scale.contract_changes)),
    ):
        async with Administrator(servers, site, scale.contracts) as administrator:
            rate = await administrator.register(contracts)
            found[name] = await administrator.change(scale.contract_changes)
        say(f"{name} contracts: {found[name]}")
    many_, few_ = found["many"], found["few"]
    in_force = (
        f"median of {scale.contract_changes} new versions, until {PROCESSES} api processes with "
        f"{scale.contracts:,} contracts judge by it; the longest {many_.longest:.0f} ms; with few "
        f"contracts {few_.usual:.0f} ms, the longest {few_.longest:.0f} ms"
    )
    cpu = f"a PATCH and {PROCESSES} processes that load it; with few contracts {few_.cpu:.1f} ms"
    over_http = f"{SAMPLE} contracts one after another, over HTTP, by one administrator"
    return [
        Value("contracts_register_http_per_s", rate, "contracts/s", over_http),
        Value("contract_change_ms", many_.usual, "ms", in_force, "below 1000"),
        Value("contract_change_cpu_ms", many_.cpu, "ms of CPU", cpu),
    ]
