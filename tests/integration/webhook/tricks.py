"""What hostile endpoints answer, and what the bus records of it."""

import gzip

from tests.integration.webhook.hostile import (
    ANY,
    DELIVERED,
    HEAD,
    REFUSED,
    UNREACHABLE,
    Trick,
    answer,
    breaks_tls,
    closes,
    drips,
    endless,
    resets,
    says,
)

OK = answer(b"200 OK")
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LONG_DATE = b"Wed, 21 Oct 99999999999999999999 07:28:00 GMT"

RETRY_AFTER = (
    LONG_DATE, b"-5", b"1e400", b"NaN", b"inf", b"\xd9\xa3", b"Wed, 31 Dec 2016 23:59:60 GMT",
    b"Mon, 01 Jan 0001 00:00:00 +2400", b"Mon, 01 Jan 0000 00:00:00 GMT",
    b"Mon, 31 Feb 2022 00:00:00 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT", b"\xff\xfe", b",",
    b"(" * 2000, b"Wed, 21 Oct 2015 07:28:00 +" + b"9" * 400,
    b"Wed, 21 Oct 2015 07:28:00." + b"9" * 5000, b"Sun Nov  6 08:49:37 1994", b"",
)  # fmt: skip
ANSWERS = {
    DELIVERED: {
        "200": OK,
        "299 and no reason": answer(b"299"),
        "a status line alone": b"HTTP/1.1 204\r\n\r\n",
        "lines end by LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "a folded header": answer(b"200 OK", b"X: a", b" b"),
        "a body after 204": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
        "several 103": b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" * 5 + OK,
        "a gzip bomb": answer(
            b"200 OK", b"Content-Encoding: gzip", body=gzip.compress(b"\0" * (16 << 20))
        ),
        "cookies": answer(
            b"200 OK",
            *[b"Set-Cookie: a%d=b; Max-Age=99999; Expires=" % n + LONG_DATE for n in range(50)],
        ),
        "a chunk of ten thousand digits": CHUNKED + b"F" * 10_000 + b"\r\nx",
        "a chunk of 2**80": CHUNKED + b"FFFFFFFFFFFFFFFFFFFF\r\nx",
        "a negative chunk": CHUNKED + b"-1\r\nx",
        "a long chunk extension": CHUNKED + b"1;" + b"a" * 100_000 + b"\r\nx\r\n0\r\n\r\n",
        "many trailers": CHUNKED + b"1\r\nx\r\n0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        "length and chunks": HEAD
        + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "2**66 bytes": HEAD + b"Content-Length: 99999999999999999999\r\n\r\nhello",
        "two answers": OK + answer(b"500 X"),
        "WebSocket headers": answer(b"200 OK", b"Upgrade: websocket", b"Connection: upgrade"),
    },
    REFUSED: {
        **{f"Retry-After {n}": answer(b"503 X", b"Retry-After: " + value)
           for n, value in enumerate(RETRY_AFTER)},
        "Retry-After twice": answer(b"429 X", b"Retry-After: 1", b"Retry-After: " + LONG_DATE),
        "a status of no meaning": answer(b"999 OK"),
        "a redirect to the metadata": answer(b"302 Found", b"Location: http://169.254.169.254/"),
        "a redirect to no URL": answer(b"307 X", b"Location: http://[::1"),
        "304": b"HTTP/1.1 304 Not Modified\r\n\r\n",
        "401": answer(b"401 X", b'WWW-Authenticate: Basic realm="\xff'),
        "407": answer(b"407 X", b"Proxy-Authenticate: Basic"),
        "a NIK in the reason and the body": answer(
            b"400 3273014105900001", b"X: 3273014105900001", body=b"3273014105900001"
        ),
    },
    UNREACHABLE: {
        "a header of 8 MB": answer(b"200 OK", b"X: " + b"a" * (8 << 20)),
        "50,000 headers": answer(b"200 OK", *[b"X-%d: a" % n for n in range(50_000)]),
        "2,000 headers": answer(b"200 OK", *[b"X-%d: a" % n for n in range(2_000)]),
        "a status of five digits": b"HTTP/1.1 20000 OK\r\n\r\n",
        "status 000": b"HTTP/1.1 000 OK\r\n\r\n",
        "a negative status": answer(b"-20 OK"),
        "a status in words": answer(b"abc OK"),
        "a status in other digits": answer("٢٠٠ OK".encode()),
        "NUL in the reason": answer(b"200 \xff\0"),
        "a reason of 200 kB": answer(b"200 " + b"x" * 200_000),
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "a flood of 100": b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000 + OK,
        "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "a negative length": HEAD + b"Content-Length: -5\r\n\r\n",
        "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "a length of 5,000 digits": HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        "a length in other digits": (HEAD + "Content-Length: ٣\r\n\r\nabc".encode()),
        "an unknown coding": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        "header names that are no UTF-8": answer(b"200 OK", b"X-\xff\xfe: \xff\xfe"),
        "NUL in a header": answer(b"200 OK", b"X: a\0b"),
        "a header without colon": answer(b"200 OK", b"nonsense"),
        "a header without name": answer(b"200 OK", b": b"),
        "empty lines": b"\r\n" * 100_000,
        "TLS where none is spoken": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
    },
}  # fmt: skip
ACTS = (
    Trick("HTTP/0.9", closes(b"<html>hello</html>"), UNREACHABLE),
    Trick("HTTP/1.0", closes(b"HTTP/1.0 200 OK\r\n\r\nhello"), DELIVERED),
    Trick("nothing", says(b""), UNREACHABLE),
    Trick("closed without an answer", closes(), UNREACHABLE),
    Trick("closed within the status line", closes(b"HTTP/1.1 2"), UNREACHABLE),
    Trick("closed within the headers", closes(HEAD + b"X: "), UNREACHABLE),
    Trick("closed within the body", closes(HEAD + b"Content-Length: 9\r\n\r\nx"), DELIVERED),
    Trick("closed before the body came", closes(), UNREACHABLE, early=True),
    Trick("answered before the body came", closes(OK), DELIVERED, early=True),
    Trick("reset at once", resets(), UNREACHABLE, on_connect=True),
    Trick("closed at once", closes(), UNREACHABLE, on_connect=True),
    Trick("an answer before the request", closes(OK), ANY, on_connect=True),
    Trick("reset before the body came", resets(), UNREACHABLE, early=True),
    Trick("reset without an answer", resets(), UNREACHABLE),
    Trick("reset within the headers", resets(HEAD + b"X: "), UNREACHABLE),
    Trick("an endless body", endless(HEAD + b"\r\n", b"x" * 65536), DELIVERED),
    Trick("endless headers", endless(HEAD, b"X: y\r\n" * 1000), UNREACHABLE),
    Trick("an endless header", endless(HEAD + b"X: ", b"y" * 65536), UNREACHABLE),
    Trick("endless 100", endless(b"", b"HTTP/1.1 100 C\r\n\r\n" * 1000), UNREACHABLE),
    Trick("endless chunks", endless(CHUNKED, b"1\r\nx\r\n" * 1000), DELIVERED),
    Trick("endless trailers", endless(CHUNKED + b"0\r\n", b"X: y\r\n" * 1000), DELIVERED),
    Trick("an endless chunk size", endless(CHUNKED, b"f" * 1000), DELIVERED),
    Trick("a slow head", drips(HEAD), UNREACHABLE),
    Trick("a slow body", drips(HEAD + b"Content-Length: 100000\r\n\r\n"), DELIVERED),
    Trick("TLS garbage", says(b"\x16\x03\x03\xff\xff" + b"\xff" * 99), UNREACHABLE, on_connect=True,
          handshake=True, tls=True),
    Trick("a TLS alert", says(b"\x15\x03\x03\0\x02\x02\x28"), UNREACHABLE, on_connect=True,
          handshake=True, tls=True),
    Trick("no TLS", says(OK), UNREACHABLE, on_connect=True, handshake=True, tls=True),
    Trick("silence instead of TLS", says(b""), UNREACHABLE, on_connect=True, handshake=True,
          tls=True),
    Trick("TLS that breaks", breaks_tls, UNREACHABLE, tls=True, greets=True),
    Trick("TLS that is reset", resets(), UNREACHABLE, tls=True, greets=True),
)  # fmt: skip
TRICKS = (
    *(
        Trick(name, says(text), result)
        for result, texts in ANSWERS.items()
        for name, text in texts.items()
    ),
    *ACTS,
)

_ALLOWED = b"WebHook-Allowed-Origin: *"
RATES = (
    b"-1",
    b"0",
    b"1e400",
    b"NaN",
    b"9" * 5000,
    b"\xd9\xa3",
    b"1.5",
    b"",
    b"+1",
    b"120/s",
    b"*, 5",
)
HANDSHAKES = tuple(
    Trick(f"handshake: {name}", says(text), UNREACHABLE, handshake=True)
    for name, text in {
        **{
            f"rate {value[:8]!r}": answer(b"200 OK", _ALLOWED, b"WebHook-Allowed-Rate: " + value)
            for value in RATES
        },
        "an origin of 16 kB": answer(b"200 OK", b"WebHook-Allowed-Origin: " + b"a" * (16 << 10)),
        "an origin that is no UTF-8": answer(b"200 OK", b"WebHook-Allowed-Origin: \xff\xfe"),
        "two origins": answer(b"200 OK", _ALLOWED, b"WebHook-Allowed-Origin: lain.example"),
        "a flood of 100": b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000 + answer(b"200 OK", _ALLOWED),
        "a callback": answer(b"200 OK", b"WebHook-Request-Callback: http://169.254.169.254/"),
        "no HTTP": b"\0" * 1000,
    }.items()
)
