"""The part `stream`: chunks over gRPC beside single events and batches over HTTP, on one site."""

from bench.children import answer_of
from bench.contest import Batches, Contestant, Single, alternate, sample_of
from bench.load import Outcome
from bench.results import Results, Sample, Value, ratio
from bench.scale import Scale
from bench.servers import Servers
from bench.site import Site
from deploy.local.ports import LOOPBACK

DATABASE = "stream"
CHUNK = 500  # events
STREAMS = 2


class Streamed:
    """The gateway, a stream of chunks: from the first event to the last confirm."""

    key = "stream"
    what = f"gateway, {STREAMS} gRPC streams of chunks of {CHUNK}, one process"

    def __init__(self, servers: Servers, site: Site, scale: Scale) -> None:
        self._servers, self._site = servers, site
        self._chunks = scale.batch_requests * scale.batch // CHUNK

    async def run(self, seconds: float) -> Sample:
        """See Contestant. Ends after a number of chunks if that comes first."""
        question = {
            "address": f"{LOOPBACK}:{self._site.grpc_port}",
            "token": self._servers.token,
            "chunk": CHUNK,
            "chunks": self._chunks,
            "streams": STREAMS,
            "seconds": seconds,
        }
        meter = self._site.meter()
        outcome = Outcome(**await answer_of("bench.stream_client", question))
        confirmed = await self._site.settled()
        costs = meter.per_event(outcome.events)
        await self._servers.queues.expect(self._servers.queue, outcome.events)
        sample = sample_of(outcome, costs)
        rate = outcome.events / (confirmed - outcome.began)
        return Sample(rate, sample.p50, sample.p99, sample.costs)


async def stream(servers: Servers, scale: Scale, results: Results) -> None:
    """Measure them round by round, and join them to ratios."""
    await servers.clone(DATABASE)
    try:
        async with Site(servers, DATABASE, (1,), grpc=True) as site:
            contestants: list[Contestant] = [
                Single(servers, site, scale, 1, "beside streams"),
                Batches(servers, site, scale, 1, "beside streams"),
                Streamed(servers, site, scale),
            ]
            rows = await alternate(contestants, scale)
    finally:
        await servers.drop(DATABASE)
    results.rows += rows
    single, batch, streamed = rows
    results.values += [
        Value(
            "stream_vs_single",
            ratio(streamed, single),
            "ratio",
            "to the last confirm, against single events to their answer",
            "5, better 10",
        ),
        Value("stream_vs_batch", ratio(streamed, batch), "ratio", "both to the last confirm"),
    ]
