"""Django's command line with exit codes that can be told apart: 1 is what a command found, 2 what it could not try."""

import sys

from django.core.management import CommandError, ManagementUtility
from django.core.management.base import BaseCommand

from koshflow.refusal import EX_REFUSED

# Django's own default is 1, for a wrong option or a failed check as well. A command that finds something says 1 itself.
CommandError.__init__.__kwdefaults__ = {"returncode": EX_REFUSED}


class CommandLine(ManagementUtility):
    """The commands of all apps; docs/operations.md lists their exit codes."""

    def fetch_command(self, subcommand: str) -> BaseCommand:
        try:
            return super().fetch_command(subcommand)
        except SystemExit:  # it has said that there is no such command
            sys.exit(EX_REFUSED)
