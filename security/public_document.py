"""A document that is the same for whoever may read it: with an ETag, a 304 where they have it, compressed if large.

The only place that compresses an answer. A compressed length tells what a secret has in common with what an attacker
had put beside it (BREACH): nothing goes through here that holds a secret, or a word of the request.
"""

import gzip
import hashlib
from functools import lru_cache

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags

# Below it an answer is one packet with its head, compressed or not.
LEAST_COMPRESSED_BYTES = 1024
# No client names so many codings. A longer header is not read: cut, it could say what was not meant.
MOST_ACCEPTED_CHARACTERS = 500


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
    if len(content) >= LEAST_COMPRESSED_BYTES and _takes_gzip(request.headers.get("Accept-Encoding", "")):
        told["Content-Encoding"] = "gzip"
        content = _packed(content)
    return HttpResponse(content, content_type=content_type, headers=told)


def _takes_gzip(accepted: str) -> bool:
    """What Accept-Encoding says of gzip (RFC 9110 §12.5.3). "*" is left out: who means gzip says so."""
    if len(accepted) > MOST_ACCEPTED_CHARACTERS:
        return False
    for coding in accepted.lower().split(","):
        name, *weights = (part.strip(" \t") for part in coding.split(";"))
        if name in ("gzip", "x-gzip") and (not weights or (len(weights) == 1 and _is_more_than_nothing(weights[0]))):
            return True
    return False


def _is_more_than_nothing(weight: str) -> bool:
    """Whether it is a weight (RFC 9110 §12.4.2: three decimals at most) above 0."""
    whole, _, decimals = weight.partition(".")
    if len(decimals) > 3 or decimals.strip("0123456789"):
        return False
    return not decimals.strip("0") if whole == "q=1" else whole == "q=0" and bool(decimals.strip("0"))


@lru_cache(maxsize=16)
def _etag(content: bytes) -> str:
    # Weak: the same for both encodings.
    return f'W/"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'


@lru_cache(maxsize=16)
def _packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
