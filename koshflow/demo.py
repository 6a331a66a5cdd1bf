"""`make demo`: fills an installation with an invented company, its people and what they did. Never in production.

Everything goes through the services that people's own requests go through, from invented clients, so that the pages
of the admin show what they would show of real people. Times are those of the run: an audit trail has no other. The
numbers of a year, which nobody can have counted, are `demo_history.py`.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.identity import gstin
from accounts.identity.models import Company, User
from accounts.login.services import CodeNeeded, SignIn, log_in
from accounts.passwords.reset import request_password_reset
from accounts.passwords.services import change_password
from accounts.profile.services import update_profile
from accounts.registration.services import Registration, register
from accounts.sessions.rotation import rotate_refresh_token
from accounts.sessions.services import log_out
from koshflow.demo_history import fill_history
from koshflow.refusal import Refusal
from security.audit import Action, record
from security.context import Client, RequestContext, bind
from security.errors import AccountLocked, CompanyExists, InvalidCredentials, InvalidCurrentPassword, UserExists
from security.operator_account import operator_name
from security.rbac import Role

# Fixed and in the open: these people are invented, and the launch refuses to make them in production.
PASSWORD = "Festival-Lamp-63"
_OLD_PASSWORD = "Kite-Over-Fort-52"
_WRONG_PASSWORD = "Festival-Lamp-36"

# Not the addresses of the README's journey and of the documentation's examples: those register people of their own.
ASHA, BILAL, DIVYA = "asha@kaveri.example.in", "bilal@kaveri.example.in", "divya@kaveri.example.in"
CHITRA = "chitra@malabar.example.in"

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
_SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6"
_WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Safari/537.36"
_ANDROID = f"Mozilla/5.0 (Linux; Android 15; Pixel 8) {_WEBKIT} Mobile Safari/537.36"
_UBUNTU = "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
_IPHONE = f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {_SAFARI} Mobile/15E148 Safari/604.1"
_MAC = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_SAFARI} Safari/605.1.15"
_SCRIPT = "python-requests/2.32.5"

_KAVERI = Registration(
    company_name="Kaveri Textiles",
    company_email="office@kaveri.example.in",
    admin_name="Asha Rao",
    admin_email=ASHA,
    password=PASSWORD,
    phone="+919845012345",
    gstin=gstin.parse("29AAKCK4821M1Z0"),
)
_MALABAR = Registration(
    company_name="Malabar Spices",
    company_email="office@malabar.example.in",
    admin_name="Chitra Nair",
    admin_email=CHITRA,
    password=PASSWORD,
    phone="+919447054321",
)


def is_filled() -> bool:
    """Whether all is there: the second company comes last, so a run that was cut short is taken up again."""
    return User.objects.filter(email=CHITRA).exists()


def fill_demo() -> bool:
    """Make companies, people and events; False when they are there already. Raises Refusal in production."""
    if settings.ENVIRONMENT == "production":
        raise Refusal("the demonstration is not for production: its people have a password that everybody knows.")
    if is_filled():
        return False
    _ensure_kaveri()
    _people_at_work()
    _strangers_at_the_door()
    fill_history()
    with _client("203.0.113.80", _MAC):
        register(_MALABAR)
    return True


def prepare_demo() -> None:
    """`fill_demo`, and what the person at the terminal reads about it: each time, how to get in."""
    if is_filled():
        sys.stdout.write("The demonstration is there already; nothing was added.\n")
        kept = "  Whoever was given another password since has that one.\n"
        lock = "was locked for a while"
    else:
        sys.stdout.write("Filling in the demonstration; its passwords take a while to hash ...\n")
        sys.stdout.flush()
        fill_demo()
        kept, lock = "", "locked"
    sys.stdout.write(
        f"\n  Invented people: {ASHA} (ADMIN), {BILAL} (ACCOUNTANT),\n"
        f"  {DIVYA} (VIEWER, {lock} for the address that guessed at her password),\n"
        f"  and of another company {CHITRA} (ADMIN).\n"
        f"  Password of them all, the same in every demonstration: {PASSWORD}\n{kept}"
        f"  They sign in at the API ({settings.PUBLIC_URL}/api-docs); the admin,\n"
        f"  {settings.PUBLIC_URL}/admin/, is for staff.\n\n"
    )
    sys.stdout.flush()


def _ensure_kaveri() -> None:
    with _client("203.0.113.24", _WINDOWS):
        try:
            company = register(_KAVERI).user.company
        except (UserExists, CompanyExists):  # by a run that was cut short
            company = User.objects.get(email=ASHA).company
    _ensure_person(company, email=BILAL, name="Bilal Khan", role=Role.ACCOUNTANT, password=_OLD_PASSWORD)
    _ensure_person(company, email=DIVYA, name="Divya Menon", role=Role.VIEWER, password=PASSWORD)


def _ensure_person(company: Company | None, *, email: str, name: str, role: Role, password: str) -> None:
    # Through the model: no service adds a member to a company yet. Without an event it would look like a break-in.
    if User.objects.filter(email=email).exists():
        return
    with transaction.atomic():
        record(Action.DEMO_FILLED, company=company.subject if company else None, data={"operator": operator_name()})
        User.objects.create_user(
            email=email, name=name, company=company, role=role, password=password, password_changed_at=timezone.now()
        )


def _people_at_work() -> None:
    with _client("198.51.100.77", _ANDROID):
        phone = _sign_in(ASHA)
        update_profile(session=phone.session, changes={"phone": "+919845054321"})
        rotate_refresh_token(token=phone.tokens.refresh)
    with suppress(InvalidCredentials):  # a run that was cut short had come past it
        _new_password_of_bilal()
    with _client("203.0.113.26", _MAC):
        log_out(session=_sign_in(DIVYA).session, all_devices=False)
    with _client("203.0.113.24", _WINDOWS), suppress(CompanyExists, UserExists):
        register(_KAVERI)


def _new_password_of_bilal() -> None:
    with _client("203.0.113.25", _UBUNTU):
        _sign_in(BILAL, password=_OLD_PASSWORD)
    with _client("198.51.100.140", _IPHONE):
        there = _sign_in(BILAL, password=_OLD_PASSWORD)
        with suppress(InvalidCurrentPassword):
            change_password(session=there.session, current_password=_WRONG_PASSWORD, new_password=PASSWORD)
        # Ends the session on the other device, and queues a mail that says so.
        change_password(session=there.session, current_password=_OLD_PASSWORD, new_password=PASSWORD)


def _strangers_at_the_door() -> None:
    with _client("192.0.2.66", _SCRIPT):
        for _ in range(settings.LOCKOUT_LIMIT + 1):  # the last one finds the account locked
            with suppress(InvalidCredentials, AccountLocked):
                log_in(email=DIVYA, password=_WRONG_PASSWORD)
        with suppress(InvalidCredentials, AccountLocked):
            log_in(email="root@kaveri.example.in", password=_WRONG_PASSWORD)
        request_password_reset(email=ASHA)


def _sign_in(email: str, *, password: str = PASSWORD) -> SignIn:
    outcome = log_in(email=email, password=password)
    if isinstance(outcome, CodeNeeded):
        raise Refusal(f"{email} has a second factor by now; the demonstration cannot sign in for them.")
    return outcome


@contextmanager
def _client(address: str, user_agent: str) -> Iterator[None]:
    """Inside the block requests seem to come from `address` (of RFC 5737, which is nobody's) and `user_agent`."""
    with bind(RequestContext(request_id=uuid4().hex, client=Client(address=address, user_agent=user_agent))):
        yield
