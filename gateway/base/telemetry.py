"""Logs and metrics: one wide line per stage, one registry per process."""

import logging
import sys
from typing import Any

import structlog
import structlog.tracebacks
from prometheus_client import CollectorRegistry

METRICS = CollectorRegistry(auto_describe=True)
# Local variables contain the data of events and the tokens of clients.
_TRACEBACK = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


def log() -> Any:
    """The logger. Events have stable dotted names; never data, never a national id."""
    return structlog.get_logger()


def configure(process: str, level: str = "info") -> None:
    """Write one JSON object per line to standard error; each names the process."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(_TRACEBACK),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    for chatty in (
        "aiormq",
        "aio_pika",
    ):  # they log a traceback for each lost connection, which we report
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr, format="%(message)s")
