"""Logs and metrics: one wide line per stage, one registry per process."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
import structlog.tracebacks
from prometheus_client import CollectorRegistry

from gateway.base.masking import mask_all

METRICS = CollectorRegistry(auto_describe=True)
# Local variables contain the data of events and the tokens of clients.
_TRACEBACK = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
_WITH_VALUES = ("exc_value", "exc_notes")


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
            structlog.processors.ExceptionRenderer(_traceback),
            _masked,
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
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[_LibraryHandler()])


def _traceback(exc_info: Any) -> list[dict[str, Any]]:
    """Where each error of a chain was raised. Its text may quote what a stranger sent."""
    found = _TRACEBACK(exc_info)
    for each in found:
        _drop_values(each)
    return found


def _drop_values(described: dict[str, Any]) -> None:
    for name in _WITH_VALUES:
        described.pop(name, None)
    for group in described.get("exceptions", ()):
        for each in group:
            _drop_values(each)


def _masked(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Whatever a line holds, it holds no national id, telephone number or e-mail address."""
    return {name: mask_all(value) for name, value in line.items()}


class _LibraryHandler(logging.Handler):
    """Writes what libraries log as lines like our own: masked, and with tracebacks as ours are."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, also where the arguments do not fit the message."""
        try:
            message = record.getMessage()
        except Exception:
            message = str(record.msg)
        facts = {"logger": record.name, "message": message, "exc_info": record.exc_info or None}
        if record.levelno >= logging.ERROR:
            log().error("library.failed", **facts)
        else:
            log().warning("library.warned", **facts)
