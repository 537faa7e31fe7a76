"""The names of HTTP statuses, the same under every Python: those of RFC 9110."""

from http import HTTPStatus

# Python before 3.13 has those of RFC 7231.
_RENAMED = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.REQUEST_URI_TOO_LONG: "URI Too Long",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "Range Not Satisfiable",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}


def phrase(status: int) -> str:
    """The phrase of a registered status. Raises ValueError for any other."""
    known = HTTPStatus(status)
    return _RENAMED.get(known, known.phrase)
