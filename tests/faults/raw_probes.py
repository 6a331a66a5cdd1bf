"""What R12 sends: requests that two servers might cut apart differently, each with a second request inside.

To a proxy that reads the first one otherwise, the second would be somebody else's (request smuggling, RFC 9112
section 11.2). What lies behind the end of a request stands here only where that end must be refused.
"""

from collections.abc import Callable, Iterator

HOST = b"Host: localhost\r\n"
POST = b"POST /api/auth/refresh HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
ME = b"/api/auth/me"
# The second request goes in, the whole of what is sent comes out.
Probe = Callable[[bytes], bytes]


def smuggled(mark: str) -> bytes:
    """A request whose answer names `mark`."""
    return b"GET %b HTTP/1.1\r\n%bX-Request-ID: %b\r\n\r\n" % (ME, HOST, mark.encode())


def of_length(head: bytes, *, name: bytes = b"Content-Length") -> Probe:
    """`head` with the second request as its whole body."""
    return lambda inner: b"%b%b: %d\r\n\r\n%b" % (head, name, len(inner), inner)


def before(text: bytes) -> Probe:
    """`text`, then the second request."""
    return lambda inner: text + inner


def a_get(*, target: bytes = ME, version: bytes = b"HTTP/1.1", fields: bytes = HOST) -> bytes:
    """A head of GET, its end left open."""
    return b"GET %b %b\r\n%b" % (target, version, fields)


CODINGS = (
    b"Transfer-Encoding: chunked", b"tRANSFER-eNCODING: CHUNKED", b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked", b" Transfer-Encoding: chunked",
    b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunkedx", b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding: chunked;q=1", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity, chunked",
    b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: identity",
    b"Transfer-Encoding: cow", b"Transfer-Encoding: ", b"Transfer-Encoding: ,chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow", b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding: \x00chunked", b"Transfer-Encoding: chunked\x00",
    b"X-A: b\nTransfer-Encoding: chunked", b"X-A: b\rTransfer-Encoding: chunked",
    b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding\r\n: chunked", b"Transfer-Encoding: chunked\xa0",
)  # fmt: skip
LENGTHS = (
    b"+5", b"-5", b"-0", b"0x5", b"5 5", b"5,5", b"5, 60", b"5;", b"5.0", b"1e1", b"\xb25", b"\xd9\xa5", b"", b"five",
    b"5\x00", b"5\x0b", b"9" * 30, b"9" * 5000,
)  # fmt: skip
CHUNK_LINES = (
    b"-5", b"+5", b"0x5", b" 5", b"5 ", b"5\t", b"", b"g", b"5_0", b"\xef\xbc\x95", b"5\x00", b"5\r", b"5\n",
    b"5;\n", b"5;a=\r", b"5;a=b\nX: y", b"5;a b", b'5;a="', b"5;a=\x00", b"5;=a", b"f" * 9000,
)  # fmt: skip
EXTENSIONS = (b"", b";a", b";a=b", b' ; a = "b;c"', b";a;b;c=d", b";0", b';a="\\""', b";" + b"a" * 9000)
TRAILERS = (
    b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Host: evil.example", b"X A: b", b"X-A : b", b" X-A: b",
    b"X-A: b\nX-B: c", b"X-A: \x00", b"none", b"X-A: " + b"a" * 9000, b"X_A: b\r\n folded", b"Authorization: Bearer a",
)  # fmt: skip
AFTER_CHUNKS = (
    b"5\r\nhello0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello world\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\n\n", b"5\r\nhello\r\n0\r\n\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\r\n",
    b"2;\nxx\r\n4c\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\n", b"7fffffffffffffff\r\n",
    b"10000000000000005\r\nhello\r\n0\r\n\r\n",
)  # fmt: skip
LINES = (
    b"X-A: b\nX-B: c\r\n", b"X-A: b\n\r\n", b"X-A: b\n\n", b"X-A: b\r\n\n", b"\n", b"X-A: b\rX-B: c\r\n",
    b"X-A: b\r\r\n",
    b"X-A: \x00\r\n", b"X-A: a\x01b\r\n", b"X-A: a\x0bb\r\n", b"X-A: a\x7f\r\n", b"X\x00A: b\r\n", b"X-\xc3\x84: b\r\n",
    b"X-A: b\r\n folded\r\n", b"X-A: b\r\n\tfolded\r\n", b"X-A:\r\n folded\r\n", b"X-A: b\r\n \r\n",
    b"X-A : b\r\n", b"X-A\t: b\r\n", b"Host : localhost\r\n", b"Content-Length : 5\r\n", b": b\r\n", b"none\r\n",
    b"X A: b\r\n", b"X(A): b\r\n", HOST, b"Host: evil.example\r\n", b"Content-Type: a/b\r\nContent-Type: c/d\r\n",
    b"Expect: 200-ok\r\n", b"Expect: y 100-continue\r\n", b"X-A: " + b"a" * 9000 + b"\r\n", b"X-A: b\r\n" * 200,
)  # fmt: skip
REQUEST_LINES = (
    b"GET /\r\n", b"GET /api/auth/me\r\n", b"GET\r\n", b"\r\n\r\n", b"GET  /api/auth/me HTTP/1.1\r\n",
    b"GET /api/auth/me  HTTP/1.1\r\n", b" GET /api/auth/me HTTP/1.1\r\n", b"GET\t/api/auth/me\tHTTP/1.1\r\n",
    b"GET /api/auth/me HTTP/1.1 \r\n", b"GET /api/auth/me HTTP/1.1\n", b"GET /api/auth/me HTTP/1.1\r",
    b"GET /api/auth/me HTTP/0.9\r\n", b"GET /api/auth/me HTTP/2.0\r\n", b"PRI * HTTP/2.0\r\n", b"GET / HTTP/1.10\r\n",
    b"GET / http/1.1\r\n", b"GET / HTTP/1,1\r\n", b"GET / FTP/1.1\r\n", b"get / HTTP/1.1\r\n", b"G\x00T / HTTP/1.1\r\n",
    b"GET /\x00 HTTP/1.1\r\n", b"GET /\xc3\xa9 HTTP/1.1\r\n", b"GET /a b HTTP/1.1\r\n", b"GET /\x7f HTTP/1.1\r\n",
    b"GET /?" + b"q" * 4200 + b" HTTP/1.1\r\n", b"GET /" + b"q" * 9000 + b" HTTP/1.1\r\n",
    b"GET /" + b"q" * 70_000 + b" HTTP/1.1\r\n", b"G" * 9000 + b" / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\r\n",
)  # fmt: skip
TARGETS = (
    b"http://localhost/api/auth/me", b"http://evil.example/api/auth/me", b"http://a@localhost/api/auth/me",
    b"HTTP://localhost/api/auth/me", b"//evil.example/api/auth/me", b"http:/api/auth/me", b"http://[::1/api/auth/me",
    b"http://localhost:80:80/api/auth/me", b"ftp://localhost/api/auth/me", b"*", b"api/auth/me", b"/api/auth/me#a",
    b"/api/auth/../auth/me", b"/api/auth/me%00", b"/api/auth/me%0d%0aX-A:%20b", b"/api//auth/me", b"\\api\\auth\\me",
)  # fmt: skip
HEADS = (
    a_get(), a_get(version=b"HTTP/1.0"), a_get(version=b"HTTP/1.0", fields=HOST + b"Connection: keep-alive\r\n"),
    a_get(fields=HOST + b"Expect: 100-continue\r\n"), POST + b"Expect: 100-continue\r\n",
    a_get(fields=HOST + b"Connection: Content-Length\r\n"),
    a_get(fields=HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"),
    a_get(fields=HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"), a_get(fields=b"Host: evil.example\r\n"),
    a_get(fields=HOST + b"Content_Length: 0\r\n"), a_get(fields=HOST + b"Transfer_Encoding: chunked\r\n"),
    a_get(fields=HOST + b"TE: chunked\r\n"), a_get(fields=HOST + b"X-HTTP-Method-Override: POST\r\n"),
    b"POST /nowhere HTTP/1.1\r\n" + HOST,
    b"POST /api/auth/refresh HTTP/1.1\r\n" + HOST + b"Content-Type: text/plain\r\n",
    b"DELETE /api/auth/sessions HTTP/1.1\r\n" + HOST, b"PROPFIND / HTTP/1.1\r\n" + HOST, b"TRACE / HTTP/1.1\r\n" + HOST,
    b"CONNECT localhost:443 HTTP/1.1\r\n" + HOST, POST + b"Content-Encoding: gzip\r\n",
)  # fmt: skip


def probes() -> Iterator[tuple[str, Probe]]:
    """Names and probes, kind by kind."""
    for coding in CODINGS:
        head = POST + coding + b"\r\n"
        yield f"CL.TE {coding!r}", lambda inner, head=head: of_length(head)(b"0\r\n\r\n" + inner)
        yield (
            f"TE.CL {coding!r}",
            lambda inner, head=head: (
                b"%bContent-Length: 4\r\n\r\n%02x\r\n%b\r\n0\r\n\r\n"
                % (
                    head,
                    len(inner),
                    inner,
                )
            ),
        )
    for short, long in ((b"2", b"%d"), (b"%d", b"2"), (b"2", b"2"), (b"2, %d", b"2"), (b"0", b"%d")):
        lengths = b"Content-Length: " + short + b"\r\nContent-Length: " + long + b"\r\n\r\n{}"
        yield (
            f"two lengths {lengths!r}",
            lambda inner, text=lengths: POST + text.replace(b"%d", b"%d" % (len(inner) + 2)) + inner,
        )
    for length in LENGTHS:
        yield f"length {length[:20]!r}", before(POST + b"Content-Length: " + length + b"\r\n\r\nhello")
    for line in CHUNK_LINES:
        yield f"chunk {line[:20]!r}", before(CHUNKED + line + b"\r\nhello\r\n0\r\n\r\n")
    for extension in EXTENSIONS:  # well formed: all of it is the one request's body
        yield (
            f"extension {extension[:20]!r}",
            lambda inner, extension=extension: (
                b"%b%x%b\r\n%b\r\n0%b\r\n\r\n"
                % (
                    CHUNKED,
                    len(inner),
                    extension,
                    inner,
                    extension,
                )
            ),
        )
    for trailer in TRAILERS:
        yield f"trailer {trailer[:20]!r}", before(CHUNKED + b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n\r\n")
    for text in AFTER_CHUNKS:
        yield f"chunks {text!r}", before(CHUNKED + text)
    for line in LINES:
        yield f"field {line[:30]!r}", before(a_get() + line + b"\r\n")
    for line in REQUEST_LINES:
        yield f"line {line[:30]!r}", before(line + HOST + b"\r\n")
    for target in TARGETS:
        yield f"target {target!r}", of_length(a_get(target=target))
    for head in HEADS:
        yield f"unread {head!r}", of_length(head)
