"""On a new database, without statistics, nothing on the way of an event reads a table whole."""

from tests.builders import FREE, a_document, a_name
from tests.bus import Actor, MakeBus
from tests.waiting import eventually

BATCHES, BATCH = 40, 100
CONNECTIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid()"
)
GROWING = (
    "journal_(identities|entries.*)|delivery_(open|attempts|settlements)|dead_letters|refusals"
)


def test_growing_tables_are_read_by_index(make_bus: MakeBus) -> None:
    with make_bus() as bus:
        bus.run("api", "relay", "deliver")
        uji = bus.actor("uji")
        pulled, queued = a_name(), uji.subscribe(FREE)
        uji.put_subscription(pulled, FREE, delivery="pull").raise_for_status()
        for _ in range(BATCHES):
            events = [a_document(source="/uji", subject=str(n % 50)) for n in range(BATCH)]
            uji.publish_batch([*events, {}, events[0]]).raise_for_status()
        _settle_all(uji, f"/v1/subscriptions/{pulled}")
        queued.take(BATCHES * BATCH)
        for process in bus.processes:
            process.kill()
        # A connection's counts arrive at its end.
        eventually(lambda: bus.query(CONNECTIONS)[0]["count"] == 0)
        limit = BATCHES * BATCH  # a whole table for each batch would be ten times as much
        read = bus.query(
            "SELECT relname, seq_tup_read FROM pg_stat_user_tables "
            "WHERE relname ~ $1 AND seq_tup_read > $2",
            f"^({GROWING})$",
            limit,
        )
        assert [tuple(each) for each in read] == []


def _settle_all(by: Actor, path: str) -> None:
    """Receive every event; reject some of them, acknowledge the others."""
    settled = 0
    while settled < BATCHES * BATCH:
        events = eventually(lambda: by.post(f"{path}/receive", json={"max": 200}).json()["events"])
        tokens = [each["token"] for each in events]
        rejection = {"tokens": tokens[:5], "reason": "ditolak"}
        by.post(f"{path}/reject", json=rejection).raise_for_status()
        by.post(f"{path}/acknowledge", json={"tokens": tokens[5:]}).raise_for_status()
        settled += len(tokens)
