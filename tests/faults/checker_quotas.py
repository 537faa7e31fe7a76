"""The rule about quotas: an organisation that wants more than its part does not get it."""

from collections.abc import Iterator, Mapping

from tests.faults.observed import Observed
from tests.faults.run_log import Answer, Attempt

LIMITED: Mapping[str, int] = {"pajak": 2}
"""Events a second of organisations that want more."""
TOO_MANY = 429
MOST = 14  # events of a batch, which is taken as a whole


def quotas(seen: Observed) -> Iterator[str]:
    """In T seconds at most rate x T, and two seconds' worth at the beginning and after each fault.

    A fault may take away what the processes knew: a new process begins with a full bucket, and a
    database that crashed has forgotten all of them.
    """
    for organisation, rate in LIMITED.items():
        mine = [
            each for each in seen.run_log.attempts if each.source.startswith(f"/{organisation}/")
        ]
        if not mine:
            continue
        seconds = max(each.answered for each in mine) - min(each.sent for each in mine)
        accepted = sum(each.reply.answer is Answer.OK for each in mine)
        bursts = 2 * (1 + len(seen.run_log.fault_results))
        if accepted > rate * (seconds + bursts) + MOST:
            yield f"{organisation}, {accepted} events in {seconds:.0f} s are beyond its quota"


def is_over_quota(attempt: Attempt) -> bool:
    """Whether an attempt was refused for a quota that its sender has used up."""
    return attempt.reply.status == TOO_MANY and attempt.source.split("/")[1] in LIMITED
