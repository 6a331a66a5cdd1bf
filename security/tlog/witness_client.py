"""Sends a checkpoint to a witness (c2sp.org/tlog-witness) and brings its answer. Judges nothing, stores nothing.

Where to is the operator's setting and nobody else's; a redirect is not followed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from security.exchange import ExchangeFailed, post
from security.tlog.note import to_base64

PATIENCE_SECONDS = 5.0  # for the whole exchange, however slowly the answer trickles
MAX_ANSWER_BYTES = 16_384


class WitnessUnreachable(RuntimeError):  # noqa: N818 - named for what happened
    """No whole answer came in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A witness's answer."""

    status: int
    text: str


def submit(url: str, *, old: int, proof: Sequence[bytes], note: str) -> Answer:
    """POST `note` to the witness at the prefix `url`, with the proof from its tree of `old` leaves.

    Raises WitnessUnreachable.
    """
    body = "".join([f"old {old}\n", *(f"{to_base64(one)}\n" for one in proof), "\n", note]).encode()
    try:
        reply = post(
            f"{url.rstrip('/')}/add-checkpoint",
            body,
            headers={"Content-Type": "text/plain"},
            patience_seconds=PATIENCE_SECONDS,
            most_bytes=MAX_ANSWER_BYTES,
        )
        return Answer(reply.status, reply.body.decode())
    except ExchangeFailed as error:
        raise WitnessUnreachable(str(error)) from error
    except UnicodeDecodeError as error:
        raise WitnessUnreachable(f"it does not answer ({type(error).__name__})") from error
