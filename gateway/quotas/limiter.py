"""Decides in memory whether a client may do one thing more."""

import math
import time
from collections.abc import Iterable, Mapping

from prometheus_client import Counter

from gateway.base.errors import TooManyRequests
from gateway.base.snapshot import Snapshot
from gateway.base.telemetry import METRICS
from gateway.identity import CONCURRENT, OF_CLIENTS, RATES, Client, Directory, Quota
from gateway.quotas.meters import Clock, Key, Meter, PlaceMeter, RateMeter

EXCEEDED = Counter(
    "nusabus_quota_exceeded",
    "Calls that were refused because a quota was used up",
    ["organisation", "quota"],
    registry=METRICS,
)
FIELDS_FOR = 0.05  # seconds for which the fields of a client are used again
LONGEST_WAIT = 3600  # seconds that Retry-After says at most


class QuotaExceeded(TooManyRequests):
    """A quota is used up; nothing was done."""

    code = "quota-exceeded"


class Gate:
    """The quotas of one client: its organisation's, and its own where it has some."""

    def __init__(
        self, client: Client, meters: Mapping[Quota, tuple[Meter, ...]], clock: Clock
    ) -> None:
        self._client = client
        self._of = meters
        self._rates: Mapping[Quota, tuple[RateMeter, ...]] = {
            quota: tuple(each for each in meters[quota] if isinstance(each, RateMeter))
            for quota in RATES
        }
        self._published = self._rates[Quota.EVENTS] + self._rates[Quota.BYTES]
        self._publishing = self._published + self._rates[Quota.REFUSALS]
        # Cached: whenever a limit changes, all gates are made again.
        self._policies = ", ".join([each.policy for each in self._published]).encode()
        self._clock = clock
        self._fields: list[tuple[bytes, bytes]] = []
        self._fields_until = 0.0

    def require(self, *quotas: Quota) -> None:
        """Raises QuotaExceeded if one of these rates is used up."""
        for quota in quotas:
            self._require(self._rates[quota])

    @property
    def publishing_wait(self) -> float:
        """Seconds until one more may be published, 0 for now."""
        return max((0.0, *(meter.wait for meter in self._publishing)))

    def require_publishing(self) -> None:
        """Raises QuotaExceeded if events, bytes or refusals are used up."""
        self._require(self._publishing)

    def spend(self, quota: Quota, count: float = 1) -> None:
        """Count so many of a rate. More than are left must be waited for afterwards."""
        for meter in self._rates[quota]:
            meter.bucket.spend(count)

    def publish(self, size: int) -> None:
        """Count a body of so many bytes. Raises QuotaExceeded, and counts nothing then.

        Its events are to be counted (`spend`) as soon as it is parsed.
        """
        self.require_publishing()
        self.spend(Quota.BYTES, size)

    def enter(self, quota: Quota) -> None:
        """Take a place among what is in progress. Raises QuotaExceeded."""
        taken: list[PlaceMeter] = []
        for meter in self._of[quota]:
            assert isinstance(meter, PlaceMeter)  # noqa: S101 - the caller names a quota of places
            if not meter.enter():
                for each in taken:
                    each.leave()
                raise self._exceeded(meter)
            taken.append(meter)

    def leave(self, quota: Quota) -> None:
        """Give a place back."""
        for meter in self._of[quota]:
            assert isinstance(meter, PlaceMeter)  # noqa: S101 - as above
            meter.leave()

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The RateLimit fields of a publisher (draft-ietf-httpapi-ratelimit-headers-10).

        They are hints, so those of some moments ago will do.
        """
        now = self._clock()
        if now >= self._fields_until:
            states = ", ".join([meter.state for meter in self._published])
            self._fields = [(b"ratelimit-policy", self._policies), (b"ratelimit", states.encode())]
            self._fields_until = now + FIELDS_FOR
        return self._fields

    def _require(self, meters: Iterable[RateMeter]) -> None:
        for meter in meters:
            if meter.bucket.wait > 0:
                raise self._exceeded(meter)

    def _exceeded(self, meter: Meter) -> QuotaExceeded:
        meter.refused += 1
        subject, quota = meter.key
        EXCEEDED.labels(self._client.organisation, quota).inc()
        wait = min(max(1, math.ceil(meter.wait)), LONGEST_WAIT)
        per = "at the same time" if isinstance(meter, PlaceMeter) else "a second"
        what = f"{meter.limit} {quota.replace('_', ' ')} {per}"
        return QuotaExceeded(
            f"{subject[2:]} has used up its quota of {what}. Wait {wait} s, then try again.",
            {"violated-policies": [str(quota)]},
            retry_after=wait,
            fields={"ratelimit-policy": meter.policy, "ratelimit": meter.state},
        )


class Call:
    """One call in progress. It is `in_flight` until it becomes a stream or begins to wait."""

    __slots__ = ("_gate", "_quota")

    def __init__(self, gate: Gate) -> None:
        """Raises QuotaExceeded."""
        gate.enter(Quota.IN_FLIGHT)
        self._gate = gate
        self._quota: Quota = Quota.IN_FLIGHT

    @property
    def waits(self) -> bool:
        """Whether it may stay open for long."""
        return self._quota is not Quota.IN_FLIGHT

    def become(self, quota: Quota) -> None:
        """Count it as something else from here on. Raises QuotaExceeded."""
        self._gate.enter(quota)
        self._gate.leave(self._quota)
        self._quota = quota

    def end(self) -> None:
        """The call has been answered."""
        self._gate.leave(self._quota)


class Limiter:
    """The quotas of all clients, as one process holds them."""

    def __init__(self, directories: Snapshot[Directory], clock: Clock = time.monotonic) -> None:
        self._directories = directories
        self._clock = clock
        self._directory: Directory | None = None
        self._gates: dict[str, Gate] = {}
        self.meters: dict[Key, Meter] = {}
        self.processes = 1
        self.elsewhere: Mapping[tuple[str, str], int] = {}
        """What the other processes have in progress."""

    def gate(self, client: Client) -> Gate:
        """The quotas that apply to a client."""
        if self._directories.value is not self._directory:
            self._follow_directory()
        found = self._gates.get(client.id)
        if found is None:
            found = self._gates[client.id] = self._make_gate(client)
        return found

    def _follow_directory(self) -> None:
        """Put changed limits in force; gates are made again when they are needed."""
        self._directory = directory = self._directories.value
        self._gates.clear()
        for (subject, quota), meter in self.meters.items():
            kind, name = subject[0], subject[2:]
            if kind == "o":
                meter.change(directory.quota(name, quota))
            elif name in directory.clients and quota in directory.clients[name].quotas:
                meter.change(directory.clients[name].quotas[quota])

    def _make_gate(self, client: Client) -> Gate:
        directory, name = self._directories.value, client.organisation
        present = directory.clients.get(client.id, client)
        return Gate(
            client,
            {
                quota: tuple(
                    self._meter((subject, quota), limit)
                    for subject, limit in (
                        (f"o/{name}", directory.quota(name, quota)),
                        (f"c/{client.id}", present.quotas.get(quota)),
                    )
                    if limit is not None
                )
                for quota in OF_CLIENTS
            },
            self._clock,
        )

    def _meter(self, key: Key, limit: int) -> Meter:
        found = self.meters.get(key)
        if found is None:
            if key[1] in CONCURRENT:
                elsewhere = self.elsewhere.get(key, 0)
                found = PlaceMeter(key, limit, elsewhere, self.processes, self._clock)
            else:
                found = RateMeter(key, limit, self.processes, self._clock)
            self.meters[key] = found
        return found

    @property
    def places(self) -> Iterable[PlaceMeter]:
        """The meters of what is in progress."""
        return (each for each in self.meters.values() if isinstance(each, PlaceMeter))
