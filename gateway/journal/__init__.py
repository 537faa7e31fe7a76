"""Noun: the journal, an append-only log of events in shards."""

from gateway.journal.entry import (
    BEGINNING,
    Appended,
    Candidate,
    Cursor,
    Entry,
    Position,
    sequence_text,
)
from gateway.journal.hints import Hints, HintSender
from gateway.journal.partitions import make_partitions, make_shards
from gateway.journal.reader import Reader
from gateway.journal.refusals import RecordedRefusal, Refusal, Refusals
from gateway.journal.shard_leases import Lead, LeadLost, Leads
from gateway.journal.writer import Writer

__all__ = [
    "BEGINNING",
    "Appended",
    "Candidate",
    "Cursor",
    "Entry",
    "HintSender",
    "Hints",
    "Lead",
    "LeadLost",
    "Leads",
    "Position",
    "Reader",
    "RecordedRefusal",
    "Refusal",
    "Refusals",
    "Writer",
    "make_partitions",
    "make_shards",
    "sequence_text",
]
