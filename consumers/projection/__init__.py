"""Projections: read models that are built from the events of a stream.

    stream -> batch -> handlers of the class -> COMMIT of effects and position -> live effects

`definition` has what a service writes, `runner` runs it, `reading` reads it, `switching` replaces
it by another build. All state is in the service's own PostgreSQL.
"""

from consumers.projection.definition import Projection, live, on
from consumers.projection.feeds import Feed, GatewayFeed
from consumers.projection.reading import reading, wait_for
from consumers.projection.runner import Runner

__all__ = [
    "Feed",
    "GatewayFeed",
    "Projection",
    "Runner",
    "live",
    "on",
    "reading",
    "wait_for",
]
