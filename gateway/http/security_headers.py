"""Headers that every answer has: browsers and caches do nothing with it that nobody asked for."""

from starlette.types import Message, Send

from gateway.http.documentation import POLICY

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_NOTHING = b"default-src 'none'; frame-ancestors 'none'"
_HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_NO_STORE = (b"cache-control", b"no-store")
_CACHE_NAMES = {b"cache-control", b"etag"}


class SecurityHeaders:
    """Adds the headers. `https` says whether the public URL is: then browsers never use http."""

    def __init__(self, *, https: bool) -> None:
        more = (_HSTS,) if https else ()
        self._api = (*_ALWAYS, (b"content-security-policy", _NOTHING), *more)
        self._documentation = (*_ALWAYS, (b"content-security-policy", POLICY), *more)

    def lines(self) -> bytes:
        """The same for an answer that is written without ASGI."""
        return b"".join(b"%b: %b\r\n" % each for each in (*self._api, _NO_STORE))

    def adding(self, send: Send, path: str) -> Send:
        """A `send` that adds them. An answer that says nothing of caching is not to be stored."""
        own = self._documentation if path == "/docs" else self._api

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if not any(name.lower() in _CACHE_NAMES for name, _ in headers):
                    headers.append(_NO_STORE)
                message = {**message, "headers": [*headers, *own]}
            await send(message)

        return send_with_headers
