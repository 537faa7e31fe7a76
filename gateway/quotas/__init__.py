"""Quotas in force: rates and calls in progress, held by all api processes together.

`Limiter` decides in memory, without waiting for anything. `QuotaSharing` tells the other processes
and learns from them, through the database, a few times a second.
"""

from gateway.quotas.limiter import Call, Gate, Limiter, QuotaExceeded
from gateway.quotas.sharing import EVERY, QuotaSharing, Usage

__all__ = ["EVERY", "Call", "Gate", "Limiter", "QuotaExceeded", "QuotaSharing", "Usage"]
