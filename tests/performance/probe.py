"""Middlewares that time everything inside them, one request at a time: what lies between two is a layer's own."""

from collections.abc import Callable
from time import perf_counter_ns, thread_time_ns
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse

Clock = Callable[[], int]


class Elapsed:
    """By the clock on the wall, which costs next to nothing to read: twenty of these fit into one chain."""

    sync_capable = True
    async_capable = False
    clock: ClassVar[Clock] = staticmethod(perf_counter_ns)
    # Nanoseconds of the present request by probe, the innermost first: Django builds a chain from there.
    spent: ClassVar[list[int]] = []

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.place = len(self.spent)
        self.spent.append(0)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = self.clock()
        response = self.get_response(request)
        self.spent[self.place] = self.clock() - started
        return response


class Cpu(Elapsed):
    """By the processor's time of this thread: others on the machine do not count. Each look is a call of the kernel,
    which also makes the code after it slower, so only few belong into one chain."""

    clock = staticmethod(thread_time_ns)
    spent: ClassVar[list[int]] = []


class Timed:
    """A callable, and the nanoseconds that were spent in it since they were last taken."""

    def __init__(self, call: Callable[..., Any], clock: Clock) -> None:
        self.call = call
        self.clock = clock
        self._spent = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        started = self.clock()
        try:
            return self.call(*args, **kwargs)
        finally:
            self._spent += self.clock() - started

    def take(self) -> int:
        taken, self._spent = self._spent, 0
        return taken
