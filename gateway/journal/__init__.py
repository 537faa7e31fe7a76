"""The journal: an append-only log of events in shards, with refusals, leases and hints."""

from gateway.journal.checkpoints import Checkpoint, Checkpoints
from gateway.journal.entry import (
    BEGINNING,
    Appended,
    Candidate,
    Cursor,
    Entry,
    Position,
    sequence_text,
)
from gateway.journal.hints import HintListener, HintSender
from gateway.journal.incarnation import Incarnation, JournalRestored, Newest, PastIncarnation
from gateway.journal.partitions import PartitionCreator, create_partitions, create_shards
from gateway.journal.reader import JournalReader
from gateway.journal.refusals import RecordedRefusal, Refusal, Refusals
from gateway.journal.retention import RetentionWorker
from gateway.journal.retention_report import RetentionReport
from gateway.journal.shard_leases import ShardLease, ShardLeases
from gateway.journal.writer import JournalWriter

__all__ = [
    "BEGINNING",
    "Appended",
    "Candidate",
    "Checkpoint",
    "Checkpoints",
    "Cursor",
    "Entry",
    "HintListener",
    "HintSender",
    "Incarnation",
    "JournalReader",
    "JournalRestored",
    "JournalWriter",
    "Newest",
    "PartitionCreator",
    "PastIncarnation",
    "Position",
    "RecordedRefusal",
    "Refusal",
    "Refusals",
    "RetentionReport",
    "RetentionWorker",
    "ShardLease",
    "ShardLeases",
    "create_partitions",
    "create_shards",
    "sequence_text",
]
