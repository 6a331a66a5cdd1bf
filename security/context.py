"""Who asks: request id, client and trace of the request being served, and what was learnt of it meanwhile."""

import contextvars
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Client:
    """The other end of the connection. `address` is an IP address as text, "" outside a request."""

    address: str
    user_agent: str


@dataclass(slots=True)
class Learnt:
    """For the log: pseudonyms of who was let in or acts and of their company, the route's template; "" until known.

    It decides nothing: who is signed in, the request itself says.
    """

    user_id: str = ""
    company_id: str = ""
    route: str = ""


@dataclass(frozen=True, slots=True)
class RequestContext:
    """`request_id` is what the answer's X-Request-ID says; `trace_id` is 32 hex digits of W3C traceparent, or ""."""

    request_id: str
    client: Client
    trace_id: str = ""
    learnt: Learnt = field(default_factory=Learnt, compare=False)


SYSTEM = RequestContext(request_id="", client=Client(address="", user_agent=""))
_current: contextvars.ContextVar[RequestContext] = contextvars.ContextVar("koshflow_request", default=SYSTEM)


def current() -> RequestContext:
    """Context of the request in this thread; SYSTEM in commands and jobs."""
    return _current.get()


def note_person(user_id: object, company_id: object) -> None:
    """Let the log lines of this request name a person and their company by their pseudonyms; None is left as it was."""
    context = _current.get()
    if context is SYSTEM:
        return  # shared by all commands and jobs
    if user_id is not None:
        context.learnt.user_id = str(user_id)
    if company_id is not None:
        context.learnt.company_id = str(company_id)


class bind:  # noqa: N801 - a context manager, named as its use reads
    """Make `context` the current one inside the block, and only there.

    A class: what `contextlib` makes of a generator costs three times as much, on every request.
    """

    __slots__ = ("_context", "_token")

    def __init__(self, context: RequestContext) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._token = _current.set(self._context)

    def __exit__(self, *_error: object) -> None:
        _current.reset(self._token)
