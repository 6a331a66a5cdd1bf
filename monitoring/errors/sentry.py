"""Tells Sentry of the failures that are grouped here, where SENTRY_DSN is set. No request waits for it, or fails by it.

What is told is put together here, member by member, from what the log may hold; Sentry's own package gathers nothing.
It packs an event, and this module's thread sends it.
"""

import logging
import threading
from queue import Full, Queue
from typing import TYPE_CHECKING, Any

from django.conf import settings

from monitoring.logs.fingerprints import chain, fingerprint_of, own_path
from monitoring.logs.formatter import places
from monitoring.metrics import metrics
from security.context import current
from security.exchange import ExchangeFailed, post
from security.redaction import scrub_error

if TYPE_CHECKING:
    from sentry_sdk import Client

logger = logging.getLogger("monitoring.errors")

MOST_WAITING = 100
PATIENCE_SECONDS = 5.0
PAUSE_SECONDS = 30.0  # after what could not be sent
_MAX_ANSWER_BYTES = 64 * 1024
# Whatever else stands in an event when it is ready to go, somebody else put there.
_OURS = frozenset(
    {
        *("event_id", "timestamp", "platform", "level", "logger", "release", "environment"),
        *("fingerprint", "transaction", "tags", "exception"),
    }
)


class SentryHandler(logging.Handler):
    """Puts what is logged with its exception at WARNING or above into a queue; what it has no room for is counted."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self.waiting: Queue[dict[str, Any]] = Queue(MOST_WAITING)

    def emit(self, record: logging.LogRecord) -> None:
        """Whatever goes wrong here must cost neither line nor answer."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return
        try:
            if not self._is_taken(error, record):
                metrics().sentry_dropped.inc()
        except Exception as fault:  # noqa: BLE001 - a failure to tell of a failure must not be one more
            metrics().sentry_dropped.inc()
            logger.warning("sentry_not_told", extra={"error": type(fault).__name__})

    def _is_taken(self, error: BaseException, record: logging.LogRecord) -> bool:
        if self.waiting.full():
            return False  # before an event is made for which there is no room
        try:
            self.waiting.put_nowait(event_of(error, record))
        except Full:
            return False  # the others were quicker
        return True


def event_of(error: BaseException, record: logging.LogRecord) -> dict[str, Any]:
    """What Sentry is told of `error`: types, texts that quote nothing, places, route and request id."""
    context = current()
    tags = {"request_id": context.request_id, "route": context.learnt.route}
    return {
        "timestamp": record.created,
        "level": record.levelname.lower(),
        "logger": record.name,
        "fingerprint": [fingerprint_of(error)],
        "transaction": context.learnt.route,
        "tags": {name: value for name, value in tags.items() if value},
        # Sentry has what was raised last at the end.
        "exception": {"values": [_exception(link) for link in chain(error)][::-1]},
    }


def _exception(error: BaseException) -> dict[str, Any]:
    return {
        "type": type(error).__qualname__,
        "module": type(error).__module__,
        "value": scrub_error(error),
        "stacktrace": {"frames": [_frame(place) for place in places(error.__traceback__)]},
    }


def _frame(place: str) -> dict[str, Any]:
    where, _, function = place.rpartition(" ")
    file, _, line = where.rpartition(":")
    ours = own_path(file)
    return {"filename": ours or file, "lineno": int(line), "function": function, "in_app": bool(ours)}


def make_client(dsn: str) -> "Client":
    """Sentry's client, which gathers nothing by itself and sends as `post` does: no proxy, no redirect, in time.

    Raises ExchangeFailed from `capture_event` where Sentry does not take it.
    """
    # Only where it is set: an operator installs it for that.
    from sentry_sdk import Client  # noqa: PLC0415
    from sentry_sdk.envelope import Envelope  # noqa: PLC0415
    from sentry_sdk.transport import Transport  # noqa: PLC0415
    from sentry_sdk.utils import Dsn  # noqa: PLC0415

    auth = Dsn(dsn).to_auth("koshflow")

    class Bounded(Transport):
        def capture_envelope(self, envelope: Envelope) -> None:
            reply = post(
                auth.get_api_url(),
                envelope.serialize(),
                headers={"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": auth.to_header()},
                patience_seconds=PATIENCE_SECONDS,
                most_bytes=_MAX_ANSWER_BYTES,
            )
            if reply.status != 200:
                raise ExchangeFailed(f"it answered {reply.status}")

    # A client of ours alone, in no scope: what other code would tell `sentry_sdk` goes nowhere. Each option that it
    # would else read from the environment is given. Personal data is off by default; to say so is deprecated.
    return Client(
        dsn,
        transport=Bounded,
        release=settings.VERSION,
        environment=settings.ENVIRONMENT,
        server_name="",
        before_send=_ours_alone,
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        enable_backpressure_handling=False,
        send_client_reports=False,
        spotlight=False,
        debug=False,
    )


def _ours_alone(event: Any, _hint: Any) -> Any:
    return {name: value for name, value in event.items() if name in _OURS}


class SentrySender(threading.Thread):
    """A daemon: what waits when the process ends is left out, for the log and the groups have it."""

    def __init__(self, dsn: str) -> None:
        super().__init__(name="sentry", daemon=True)
        self._client = make_client(dsn)
        self._ended = threading.Event()
        self._is_failing = False
        self.handler = SentryHandler()

    def run(self) -> None:
        while not self._ended.is_set():
            event = self.handler.waiting.get()
            if event and not self._sent(event):
                self._ended.wait(PAUSE_SECONDS)

    def _sent(self, event: Any) -> bool:
        """Send it, and say so where that begins to fail. Without its exception, which would be one more to send."""
        try:
            self._client.capture_event(event)
        except Exception as error:  # noqa: BLE001 - whatever a package does, this thread goes on
            if not self._is_failing:
                told = str(error) if isinstance(error, ExchangeFailed) else type(error).__name__
                logger.warning("sentry_not_told", extra={"error": told})
            metrics().sentry_dropped.inc()
            self._is_failing = True
        else:
            self._is_failing = False
        return not self._is_failing

    def stop(self, *, timeout_seconds: float) -> None:
        """Hear of nothing more, ask the thread to end, and wait for it."""
        logging.getLogger().removeHandler(self.handler)
        self._ended.set()
        if not self.handler.waiting.full():
            self.handler.waiting.put_nowait({})  # wakes it
        self.join(timeout_seconds)


def start_sentry() -> SentrySender | None:
    """Tell Sentry from now on, if SENTRY_DSN is set; call it once in a process, after the last fork."""
    if not settings.SENTRY_DSN:
        return None
    sender = SentrySender(settings.SENTRY_DSN)
    logging.getLogger().addHandler(sender.handler)
    sender.start()
    return sender
