"""The server's worker with less patience, so that a test need not wait for its own."""

from koshflow.gunicorn_worker import DrainingWorker


class HastyWorker(DrainingWorker):
    """One second of silence, two for the whole request."""

    silence_seconds = 1.0
    request_seconds = 2.0
