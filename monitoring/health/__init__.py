"""Whether this process can serve: probes that run beside the requests, and the verdict drawn from them."""

from monitoring.health.board import Board, board

__all__ = ["Board", "board"]
