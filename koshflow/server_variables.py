"""The variables of the server's processes, a group of `variables.py`."""

from koshflow.variable import Variable

SERVER = (
    "Server",
    (
        Variable(name="HOST", default="127.0.0.1", why="Address the server listens on."),
        Variable(name="PORT", default="8000", why="Port the server listens on, from 1 to 65535."),
        Variable(
            name="WEB_WORKERS",
            kind="int",
            default=1,
            why="Server processes; more than one needs PostgreSQL and Redis.",
        ),
        Variable(name="WEB_THREADS", kind="int", default=8, why="Threads of each server process; at least 8."),
        Variable(
            name="DRAIN_SECONDS",
            kind="int",
            default=5,
            # No balancer asks a laptop.
            relaxed=0,
            why="Seconds, 0 to 120, from SIGTERM to the closing of the door, in which /health/ready is 503 and all "
            "else is served; 0 closes at once, the default of local.",
        ),
    ),
)
