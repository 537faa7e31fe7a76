"""What a run of the reconciler could not repair: the others of the run do not pay for it."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from gateway.base.defects import report_defect
from gateway.base.errors import NusabusError, Unavailable
from gateway.broker import NotOnBroker


class Failures:
    """The failures of one run, each of one subscription or queue."""

    def __init__(self) -> None:
        self._keys: set[Hashable] = set()
        self._expected: list[NusabusError] = []
        self.outage = False
        """Whether a dependency did not answer: perhaps for this queue alone, perhaps for all."""

    @property
    def keys(self) -> frozenset[Hashable]:
        """What failed."""
        return frozenset(self._keys)

    @contextmanager
    def kept(self, key: Hashable) -> Iterator[None]:
        """Keep what fails in here. A defect is reported."""
        try:
            yield
        except NusabusError as error:
            self._keys.add(key)
            self._expected.append(error)
            self.outage |= isinstance(error, Unavailable)
        except Exception as error:
            self._keys.add(key)
            report_defect("subscriptions.reconciler", error, queue=str(key))

    def raise_first(self) -> None:
        """Raise an expected failure, which the loop reports; the next run tries again.

        NotOnBroker comes before the others: the exchanges are declared then.
        """
        for error in sorted(self._expected, key=lambda each: not isinstance(each, NotOnBroker)):
            raise error
