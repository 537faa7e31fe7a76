"""Whether the promise was kept: pure functions over what was observed, one for each rule.

A rule yields one line for each way in which it was broken. The rules about faults and quantities
are there so that a run in which nothing happened cannot pass.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from tests.faults import checker_delivery, checker_journal, checker_streams
from tests.faults.checker_delivery import Breaches, taken
from tests.faults.checker_quotas import is_over_quota, quotas
from tests.faults.observed import JournalRow, Observed, wants
from tests.faults.run_log import Answer, Attempt, Delivery, Identity, Kind

EXPECTED = {
    Kind.NEW: (Answer.OK, 202),
    Kind.REPEAT: (Answer.OK, 202),
    Kind.CONFLICT: (Answer.REFUSED, 409),
    Kind.INVALID: (Answer.REFUSED, 422),
    Kind.FORBIDDEN: (Answer.REFUSED, 403),
}
UNKNOWN = {0, 429, 503}  # no answer at all, or one that says to send it again
WITHHELD = 424  # a good event of a batch that is all or nothing and holds a bad one


def check(seen: Observed) -> dict[str, list[str]]:
    """The rules that were broken, and how."""
    found = {name: list(rule(seen)) for name, rule in RULES.items()}
    return {name: breaches for name, breaches in found.items() if breaches}


def stored(seen: Observed) -> Breaches:
    """Every event answered ok is in the journal: the same content, at the receipt's position."""
    rows = {row.identity: row for row in seen.rows}
    for attempt in _answered(seen, Answer.OK):
        row, reply = rows.get(attempt.identity), attempt.reply
        if row is None:
            yield f"{_event(attempt)} was answered ok and is not in the journal"
        elif row.digest != attempt.digest or reply.digest != attempt.digest:
            yield f"{_event(attempt)} has other content in the journal or on its receipt"
        elif row.position != (reply.shard, reply.sequence):
            yield f"{_event(attempt)} has a receipt for another position than {row.position}"


def duplicates(seen: Observed) -> Breaches:
    """The same event again gives the first receipt, marked duplicate."""
    for identity, attempts in _by_identity(seen).items():
        accepted = [a for a in attempts if a.reply.answer is Answer.OK]
        if len({(a.reply.shard, a.reply.sequence) for a in accepted}) > 1:
            yield f"{identity} has receipts for several positions"
        if sum(not a.reply.duplicate for a in accepted) > 1:
            yield f"{identity} was stored anew more than once"
        for attempt in accepted:
            again = attempt.streamed or _stored_before(attempt, attempts)
            if attempt.reply.duplicate and not again:
                yield f"{identity} is called a duplicate of what nobody sent before"


def invented(seen: Observed) -> Breaches:
    """The journal holds nothing that was refused or never sent."""
    possible = {
        (a.identity, a.digest)
        for a in seen.run_log.attempts
        if a.reply.answer is not Answer.REFUSED
    }
    for row in seen.rows:
        if (row.identity, row.digest) not in possible:
            yield f"{row.identity} at {row.position} was refused or never sent"


def answers(seen: Observed) -> Breaches:
    """Valid events are accepted in the end, others are refused for their reason."""
    accepted = {a.identity for a in _answered(seen, Answer.OK)} | checker_streams.passed_over(seen)
    for attempt in seen.run_log.attempts:
        reply = attempt.reply
        if reply.answer is Answer.UNKNOWN:
            if reply.status not in UNKNOWN and not is_over_quota(attempt):
                yield f"{_event(attempt)} was answered {reply.status}"
        elif (reply.answer, reply.status) != EXPECTED[attempt.kind] and reply.status != WITHHELD:
            yield f"{_event(attempt)}, {attempt.kind}, was answered {reply.status}"
        if attempt.kind is Kind.NEW and attempt.identity not in accepted:
            yield f"{_event(attempt)} was never answered ok"


def once(seen: Observed) -> Breaches:
    """Each identity is in the journal once."""
    for identity, count in Counter(row.identity for row in seen.rows).items():
        if count > 1:
            yield f"{identity} is in the journal {count} times"


def publish_order(seen: Observed) -> Breaches:
    """The events of a key are in one shard, in the order in which they were published."""
    order = {a.identity: a.order for a in seen.run_log.attempts if a.kind is Kind.NEW}
    for key, rows in _by_key(seen.rows).items():
        if len({row.shard for row in rows}) > 1:
            yield f"key {key!r} is in several shards"
        known = [order[row.identity] for row in rows if row.identity in order]
        for before, after in pairwise(known):
            if after <= before:
                yield f"key {key!r}: event {after} comes after event {before}"


def delivered(seen: Observed) -> Breaches:
    """Every entry that a subscription is to get arrived there, or is one of its dead letters."""
    got = taken(seen)
    for subscription in seen.run_log.subscriptions:
        kept = (d for d in seen.dead if d.queue == subscription.queue and d.state != "redriven")
        arrived = got[subscription.name] | {dead_letter.identity for dead_letter in kept}
        for row in seen.rows:
            if wants(subscription, row) and row.identity not in arrived:
                yield f"{subscription.name} never got {row.identity} at {row.position}"


def unexpected(seen: Observed) -> Breaches:
    """Nothing else arrives: known identity, its content, its position, a wanted type."""
    rows = {row.identity: row for row in seen.rows}
    subscriptions = {subscription.name: subscription for subscription in seen.run_log.subscriptions}
    for delivery in seen.run_log.deliveries:
        row, who = rows.get(delivery.identity), delivery.subscription
        if row is None:
            yield f"{who} got {delivery.identity}, which is not in the journal"
        elif (row.digest, row.type) != (delivery.digest, delivery.type):
            yield f"{who} got {delivery.identity} with other content"
        elif delivery.sequence != f"{row.shard:02}-{row.sequence:016}":
            yield f"{who} got {delivery.identity} as {delivery.sequence}, not at {row.position}"
        elif not wants(subscriptions[who], row):
            yield f"{who} got {delivery.identity} ({row.type}, {row.position}) without wanting it"


def order(seen: Observed) -> Breaches:
    """An ordered subscription gets the events of a key in the order of the journal.

    Repeats are left out, as a receiver does that knows identities, and attempts that it failed.
    """
    rows = {row.identity: row for row in seen.rows}
    ordered = {
        subscription.name for subscription in seen.run_log.subscriptions if subscription.ordered
    }
    latest: dict[tuple[str, str], JournalRow] = {}
    for delivery in _first_deliveries(seen.run_log.deliveries):
        row = rows.get(delivery.identity)
        if row is None or delivery.subscription not in ordered:
            continue
        before = latest.setdefault((delivery.subscription, row.key), row)
        if before.sequence > row.sequence:
            yield f"{delivery.subscription} got {before.position} before {row.position} {row.key!r}"
        else:
            latest[delivery.subscription, row.key] = row


def dead_letters(seen: Observed) -> Breaches:
    """What a subscriber rejected is a dead letter."""
    queues = {subscription.name: subscription.queue for subscription in seen.run_log.subscriptions}
    dead = {(dead_letter.queue, dead_letter.identity) for dead_letter in seen.dead}
    rejected = {(queues[d.subscription], d.identity) for d in seen.run_log.deliveries if d.rejected}
    for queue, identity in sorted(rejected - dead):
        yield f"{identity} was rejected by the reader of {queue} and is no dead letter"


def drained(seen: Observed) -> Breaches:
    """In the end nothing is on its way any more."""
    if seen.unsettled:
        yield f"the gateway did not come to rest in time: {seen.unsettled}"
    if seen.backlog:
        yield f"{seen.backlog} entries were never relayed"
    for queue, messages in seen.held.items():
        if messages:
            yield f"{queue} still holds {messages} messages"


def faults(seen: Observed) -> Breaches:
    """Every fault that was planned happened, with evidence, and was got over."""
    for result in seen.run_log.fault_results:
        if result.evidence is None:
            yield f"{result.fault}: {result.failure}"
        if not result.recovered:
            yield f"the gateway did not recover from {result.fault} in time"
    missing = Counter(seen.planned) - Counter(result.fault for result in seen.run_log.fault_results)
    for fault in missing:
        yield f"{fault} was planned and not carried out"


def processes(seen: Observed) -> Breaches:
    """No process ends by itself, and no failure is unforeseen."""
    yield from seen.run_log.incidents


def enough(seen: Observed) -> Breaches:
    """So much happened that the rest means something."""
    attempts, minimum = seen.run_log.attempts, seen.minimum
    ok = list(_answered(seen, Answer.OK))
    rows = {row.identity for row in seen.rows}
    unanswered = [a for a in _answered(seen, Answer.UNKNOWN) if not is_over_quota(a)]
    unknown = [a for a in unanswered if a.kind is Kind.NEW]
    # A duplicate that its publisher did not mean: the answer was lost and the event was stored.
    saved = {a.identity for a in ok if a.kind is Kind.NEW and a.reply.duplicate} & rows
    counts = {
        "events accepted": (len(ok), minimum.accepted),
        "duplicates": (sum(a.kind is Kind.REPEAT for a in ok), minimum.duplicates),
        "refusals": (sum(a.reply.answer is Answer.REFUSED for a in attempts), minimum.refused),
        "unknown outcomes": (len(unknown), minimum.unknown),
        "stored though unknown": (len(saved), minimum.stored_though_unknown),
        "rejections": (sum(d.rejected for d in seen.run_log.deliveries), minimum.rejected),
    }
    for subscription in seen.run_log.subscriptions:
        if subscription.delivery == "consumer":
            continue
        counts[f"deliveries to {subscription.name}"] = (
            seen.run_log.delivered[subscription.name],
            minimum.delivered,
        )
    for what, (count, wanted) in counts.items():
        if count < wanted:
            yield f"{count} {what}, at least {wanted} were meant"


RULES: Mapping[str, Callable[[Observed], Breaches]] = {
    rule.__name__.replace("_", "-"): rule
    for rule in (
        stored, duplicates, invented, answers, checker_journal.gapless, once, publish_order,
        delivered, unexpected, order, dead_letters, checker_journal.journal_leases, drained,
        faults, processes, enough,
        checker_delivery.effects, checker_delivery.signatures, checker_delivery.webhook_leases,
        checker_delivery.tokens, checker_delivery.redriven, checker_delivery.agreed,
        checker_delivery.enough_received, quotas,
        checker_streams.resumed, checker_streams.enough_streamed,
    )
}  # fmt: skip


def _answered(seen: Observed, answer: Answer) -> Iterator[Attempt]:
    return (a for a in seen.run_log.attempts if a.reply.answer is answer)


def _by_identity(seen: Observed) -> Mapping[Identity, list[Attempt]]:
    found: dict[Identity, list[Attempt]] = defaultdict(list)
    for attempt in seen.run_log.attempts:
        found[attempt.identity].append(attempt)
    return found


def _stored_before(attempt: Attempt, attempts: Sequence[Attempt]) -> bool:
    return any(
        other is not attempt
        and other.digest == attempt.digest
        and other.reply.answer is not Answer.REFUSED
        and other.sent <= attempt.answered
        for other in attempts
    )


def _by_key(rows: Sequence[JournalRow]) -> Mapping[str, list[JournalRow]]:
    found: dict[str, list[JournalRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.position):
        found[row.key].append(row)
    return found


def _first_deliveries(deliveries: Sequence[Delivery]) -> Iterator[Delivery]:
    known: set[tuple[str, Identity]] = set()
    for delivery in deliveries:
        if not (delivery.taken or delivery.rejected):
            continue
        if (delivery.subscription, delivery.identity) not in known:
            known.add((delivery.subscription, delivery.identity))
            yield delivery


def _event(attempt: Attempt) -> str:
    return f"{attempt.source} {attempt.id}"
