"""Who typed a command: the system account behind this process."""

import os
import pwd


def operator_name() -> str:
    """Name of the account that runs this process; environment variables do not decide it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's uid without an entry
        return f"uid {os.getuid()}"
