#!/usr/bin/env python3
"""Django's command line; what is missing is one line that says what to do, not a traceback (but with --traceback)."""

import gc
import os
import sys
import traceback
from contextlib import nullcontext

from koshflow.refusal import EX_CONFIG, EX_REFUSED, ConfigurationError, Refusal, leave, packages_in_words


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "koshflow.settings")
    # Loading makes two hundred thousand objects that all stay: to look through them again and again is a tenth of it.
    gc.set_threshold(50_000)
    try:
        with nullcontext() if "--traceback" in sys.argv else packages_in_words():
            run()
    except ConfigurationError as error:
        hint = ".env.example lists every variable"
        hint += "." if "KOSHFLOW_ENV" in os.environ else "; KOSHFLOW_ENV=local suits a laptop."
        leave(EX_CONFIG, *error.problems, hint)
    except Refusal as error:
        leave(EX_REFUSED, str(error))
    except Exception:  # noqa: BLE001 - Python itself would end with 1, which says that a command found something
        traceback.print_exc()
        sys.exit(EX_REFUSED)


def run() -> None:
    """Run the command. What needs a package is imported here: one may be missing."""
    from koshflow.command_line import CommandLine
    from koshflow.env import read_environment
    from koshflow.machine import check_is_installed, check_is_not_replaced, check_is_text
    from koshflow.stores import stores_in_words

    check_is_text(sys.argv[1:])
    check_is_not_replaced(sys.argv[1:])
    check_is_installed(read_environment(), arguments=sys.argv[1:])
    with nullcontext() if "--traceback" in sys.argv else stores_in_words():
        CommandLine(sys.argv).execute()


if __name__ == "__main__":
    main()
