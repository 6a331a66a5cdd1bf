"""Creates a staff member and prints their password once."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from accounts.identity.names import MAX_NAME_LENGTH
from accounts.staff import StaffExists, StaffRole, create_staff
from security.sanitize import TextRefused, plain_text


class Command(BaseCommand):
    help = (
        "Create a staff member with a random password, printed once. "
        "Run it again to issue a new password to someone who has never signed in, or to let back in whom "
        "staff_remove shut out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", required=True)
        parser.add_argument("--role", required=True, choices=[role.value for role in StaffRole])

    def handle(self, *args: Any, email: str, name: str, role: str, **options: Any) -> None:
        try:
            validate_email(email)
            written = plain_text(name, max_length=MAX_NAME_LENGTH)
            if not written:
                raise CommandError("--name may not be blank, and markup does not count")
            staff = create_staff(email=email, name=written, role=StaffRole(role))
        except ValidationError as error:
            raise CommandError(f"{email} is no e-mail address; write it like omar@example.in") from error
        except TextRefused as error:
            raise CommandError(f"--name: {error.message}") from error
        except StaffExists as error:
            raise CommandError(str(error)) from error
        if staff.is_back:
            done = "was closed and is open again"
        else:
            done = "created" if staff.is_new else "was there and has never signed in; the password before is void"
        self.stdout.write(f"{role} {staff.user.email} {done}; password, shown this once: {staff.password}")
