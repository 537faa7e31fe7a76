"""Noun: the journal, an append-only log of events in shards."""

from gateway.journal.entry import BEGINNING, Candidate, Entry, Place, Position, sequence_text
from gateway.journal.hint import Hints, HintSender
from gateway.journal.lead import Lead, LeadLost, Leads
from gateway.journal.reader import Reader
from gateway.journal.refusals import RecordedRefusal, Refusal, Refusals
from gateway.journal.upkeep import make_partitions, make_shards
from gateway.journal.writer import Writer

__all__ = [
    "BEGINNING",
    "Candidate",
    "Entry",
    "HintSender",
    "Hints",
    "Lead",
    "LeadLost",
    "Leads",
    "Place",
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
