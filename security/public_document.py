"""A document that is the same for whoever may read it: with an ETag, a 304 where they have it, compressed if large.

The only place that compresses an answer. A compressed length tells what a secret has in common with what an attacker
had put beside it (BREACH): nothing goes through here that holds a secret, or a word of the request.
"""

import gzip
import hashlib
import re
from functools import lru_cache

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags

# Below it an answer is one packet with its head, compressed or not.
LEAST_COMPRESSED_BYTES = 1024
# RFC 9110 §12.5.3. "*" is left out: who means gzip says so.
_GZIP = re.compile(r"(?:^|,)\s*(?:x-)?gzip\s*(?:;\s*q=(?:1(?:\.0{0,3})?|0?\.\d*[1-9]\d*)\s*)?(?:,|$)", re.I | re.ASCII)


def public_document(
    request: HttpRequest, content: bytes, *, content_type: str, cache_control: str, **headers: str
) -> HttpResponse:
    """The answer with `content`. `headers` are more of its headers, `_` for `-`."""
    etag = _etag(content)
    told = {
        **{name.replace("_", "-"): value for name, value in headers.items()},
        "Cache-Control": cache_control,
        "ETag": etag,
        "Vary": "Accept-Encoding",
    }
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if "*" in known or etag in (one if one.startswith("W/") else f"W/{one}" for one in known):
        # With the same headers: a browser puts them in the place of those that it kept.
        return HttpResponseNotModified(headers=told)
    if len(content) >= LEAST_COMPRESSED_BYTES and _GZIP.search(request.headers.get("Accept-Encoding", "")):
        told["Content-Encoding"] = "gzip"
        content = _packed(content)
    return HttpResponse(content, content_type=content_type, headers=told)


@lru_cache(maxsize=16)
def _etag(content: bytes) -> str:
    # Weak: the same for both encodings.
    return f'W/"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'


@lru_cache(maxsize=16)
def _packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
