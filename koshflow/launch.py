"""`python -m koshflow.launch`: makes what an installation needs, then serves. What `make run` calls.

With `--demo` it also fills in the invented company of `koshflow.demo` (`make demo`).

Every step looks first and does only what is missing, so that a run which was cut short is finished by the
next. Whatever it cannot do it says in one line, with what to do about it.
"""

import os
import sys

from koshflow.refusal import EX_CONFIG, leave, plain_words

DEMO = "--demo"

if __name__ == "__main__":
    # One command on a laptop; production names itself and its secrets.
    os.environ.setdefault("KOSHFLOW_ENV", "local")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "koshflow.settings")
    arguments = sys.argv[1:]
    wants_demo = arguments[:1] == [DEMO]
    if arguments[wants_demo:]:
        leave(EX_CONFIG, f"but for {DEMO} the launch takes no arguments, and {arguments[wants_demo]} is one.")
    with plain_words():
        # Inside, as all that needs a package: one may be missing.
        import django
        from django.conf import settings
        from django.db import connections

        from koshflow.env import read_environment
        from koshflow.machine import prepare_machine
        from koshflow.processes import check_server_is_there, serve, serve_beside_worker
        from koshflow.stores import stores_in_words

        environment = read_environment()
        if wants_demo and environment["KOSHFLOW_ENV"] == "production":
            # Before anything is prepared there.
            leave(EX_CONFIG, f"{DEMO} is not for production: its people have a password that everybody knows.")
        check_server_is_there()
        url, folder = prepare_machine(environment)
        django.setup(set_prefix=False)

        from koshflow.installation import introduce_administrator, prepare_installation

        with stores_in_words():
            prepare_installation()
            if wants_demo:
                from koshflow.demo import prepare_demo

                prepare_demo()
            introduce_administrator()
        connections.close_all()
        kept = "data and log" if settings.ENVIRONMENT == "local" and sys.stdout.isatty() else "data"
        sys.stdout.write(f"KoshFlow starts on {url} ({kept} in {folder}); Ctrl+C ends it.\n")
        sys.stdout.flush()
        if settings.IS_POSTGRESQL:
            serve_beside_worker(drain_seconds=settings.DRAIN_SECONDS)
        serve()
