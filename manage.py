#!/usr/bin/env python3
"""Django's command line; what is missing is one line that says what to do, not a traceback (but with --traceback)."""

import gc
import os
import sys
from contextlib import nullcontext


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "koshflow.settings")
    # Loading makes two hundred thousand objects that all stay: to look through them again and again is a tenth of it.
    gc.set_threshold(50_000)
    try:
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError:
        sys.exit(
            "Django is not installed for this python: `make run` installs it; "
            "then use KOSHFLOW_ENV=local .venv/bin/python manage.py"
        )

    from koshflow.env import ConfigurationError, read_environment
    from koshflow.machine import check_is_installed, check_is_not_replaced
    from koshflow.refusal import EX_CONFIG, EX_REFUSED, Refusal, leave
    from koshflow.stores import stores_in_words

    try:
        check_is_not_replaced(sys.argv[1:])
        check_is_installed(read_environment(), arguments=sys.argv[1:])
        with nullcontext() if "--traceback" in sys.argv else stores_in_words():
            execute_from_command_line(sys.argv)
    except ConfigurationError as error:
        hint = ".env.example lists every variable; KOSHFLOW_ENV=local suits a laptop."
        leave(EX_CONFIG, *error.problems, hint)
    except Refusal as error:
        leave(EX_REFUSED, str(error))


if __name__ == "__main__":
    main()
