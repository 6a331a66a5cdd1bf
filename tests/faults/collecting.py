"""gunicorn's configuration of the product for whoever asks whether memory grows, and need not wait for hours.

On SIGRTMIN a worker collects all its garbage: what views and requests hold of each other goes otherwise when Python
next looks for such circles among old objects, every fifty thousand requests or so. And of signatures it keeps few: a
refresh leaves two kilobytes of them behind, until there are four thousand.
"""

import gc
import signal
import sys
from typing import Any

from django.conf import settings

from koshflow import gunicorn_conf
from koshflow.gunicorn_conf import *  # noqa: F403 - gunicorn reads its settings from the names of this module

COLLECT = signal.SIGRTMIN
# Made by the worker, in its folder of data, when it is through.
COLLECTED = "collected"
_SIGNATURES = 16


def post_worker_init(worker: Any) -> None:
    """What the product does there, the handler, and small caches. They are only there once the product is loaded."""
    gunicorn_conf.post_worker_init(worker)
    signatures = sys.modules["accounts.sessions.signatures"]
    for cache in (signatures.access_tokens, signatures.refresh_tokens):
        cache._size = _SIGNATURES
    signal.signal(COLLECT, _collect)


def _collect(*_signal: Any) -> None:
    gc.collect()
    (settings.DATA_DIR / COLLECTED).touch()
