"""One run: let events flow, do harm, wait until all is quiet, and judge."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from zlib import crc32

from gateway.database import OUTAGES
from gateway.event import Event
from tests.faults.catalogue import FAULTS, a_round
from tests.faults.checker import judge
from tests.faults.harm import Harm, NoEvidence
from tests.faults.ledger import Shot
from tests.faults.observed import Least, LeadWrite, Observed, Row
from tests.faults.servers import Servers
from tests.faults.stage import Stage
from tests.faults.world import Shape, TooLate, World
