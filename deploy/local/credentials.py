"""A client's id and secret, as `make run` hands them on."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client shows at `/oauth/token`."""

    client_id: str
    client_secret: str = field(repr=False)
