#!/usr/bin/env python3
"""Django's command line; a missing setting is one line that names it, not a traceback."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "koshflow.settings")
    from django.core.management import execute_from_command_line

    from koshflow.env import ConfigurationError

    try:
        execute_from_command_line(sys.argv)
    except ConfigurationError as error:
        for problem in error.problems:
            print(f"koshflow: {problem}", file=sys.stderr)
        print("koshflow: .env.example lists every variable; KOSHFLOW_ENV=local suits a laptop.", file=sys.stderr)
        sys.exit(78)


if __name__ == "__main__":
    main()
