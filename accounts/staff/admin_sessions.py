"""A staff member's session in the admin: its row, its two ends, and what admits to it. Cookies are the site's matter.

It is a row of `accounts.sessions` like any other sign-in, but no token is ever made for it: whatever ends a
person's sessions (a new password, a lost factor, an administrator) ends their stay in the admin at once.
"""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.identity.models import User
from accounts.login.credentials import verify_credentials
from accounts.login.services import BOTH_FACTORS, PASSWORD_ONLY
from accounts.sessions.models import Session
from accounts.sessions.services import open_session
from accounts.sessions.standing import held
from accounts.sessions.trail import record_by
from security.audit import Action
from security.errors import InvalidCredentials
from security.lockout import is_known_device, remember_device

ABSOLUTE = timedelta(hours=12)
# Time to install an authenticator app; until a code of it was seen, the session opens no page.
ENROLMENT = timedelta(minutes=15)
_USE_IS_NOTED_EVERY = timedelta(minutes=1)


def idle() -> timedelta:
    """How long a session lives unused: exactly as long as its cookie."""
    return timedelta(seconds=settings.SESSION_COOKIE_AGE)


def check_staff_password(*, email: str, password: str) -> User:
    """The active staff member whose password this is; counted, locked and marked as at the API.

    Raises AccountLocked, Busy, or InvalidCredentials, which says the same to a person of a company: their password is
    nobody's here, and a right one counts as a wrong one does.
    """
    return verify_credentials(email=email, password=password, staff_only=True)


def open_enrolment(*, user: User) -> Session:
    """A session that is good for setting up the second factor and nothing else. Raises InvalidCredentials."""
    return _open(user, amr=PASSWORD_ONLY, idle=ENROLMENT, absolute=ENROLMENT)


def open_admin_session(*, user: User) -> Session:
    """A session for a staff member who just proved both factors; an unknown device leaves one event more.

    Raises InvalidCredentials when password, account or standing changed since the first of them.
    """
    return _open(user, amr=BOTH_FACTORS, idle=idle(), absolute=ABSOLUTE)


def finish_enrolment(*, session: Session) -> None:
    """Give a session whose second factor was just confirmed its full length and standing. Raises SessionInvalid."""
    now = timezone.now()
    with held(session) as user:
        session.amr = BOTH_FACTORS
        session.idle_until, session.absolute_until = now + idle(), now + ABSOLUTE
        session.save(update_fields=["amr", "idle_until", "absolute_until"])
        record_by(session, Action.SESSION_STRENGTHENED, data={"amr": session.amr.split(), "surface": "admin"})
        remember_device(user.email)


def living_enrolment(session_id: UUID) -> Session | None:
    """The enrolment that this id names, with its person, while it may still be confirmed."""
    rows = Session.objects.select_related("user__subject").admitting(timezone.now())
    return rows.filter(pk=session_id, amr=PASSWORD_ONLY, user__is_staff=True).first()


def living_admin_session(*, user: User, session_id: UUID) -> Session | None:
    """The session of `user` that this id names, alive now and opened with both factors, or None."""
    session = Session.objects.alive(timezone.now()).filter(pk=session_id, user=user, amr=BOTH_FACTORS).first()
    if session is None or session.token_version != user.token_version:
        return None
    session.user = user
    return session


def note_use(session: Session) -> bool:
    """Move the idle end, at most once a minute; whether it moved. The absolute end never does."""
    now = timezone.now()
    if now - session.rotated_at < _USE_IS_NOTED_EVERY:
        return False
    idle_until = min(now + idle(), session.absolute_until)
    living = Session.objects.filter(pk=session.pk, revoked_at__isnull=True)
    return living.update(rotated_at=now, idle_until=idle_until) == 1


def _open(user: User, *, amr: str, idle: timedelta, absolute: timedelta) -> Session:
    with transaction.atomic(durable=True):
        # Held, so that a change that ends all sessions cannot be overtaken by a sign-in from before it.
        held = User.objects.select_for_update(of=("self",), no_key=True)
        unchanged = held.filter(
            pk=user.pk,
            is_active=True,
            is_staff=True,
            password=user.password,
            token_version=user.token_version,
        ).first()
        if unchanged is not None:
            session = open_session(user=unchanged, amr=amr)
            session.idle_until = session.created_at + idle
            session.absolute_until = session.created_at + absolute
            session.save(update_fields=["idle_until", "absolute_until"])
            record_by(session, Action.SESSION_CREATED, data={"amr": amr.split(), "surface": "admin"})
            if amr == BOTH_FACTORS:
                # Both factors can be stolen; a thief rarely sits in the same network at the same browser.
                if not is_known_device(unchanged.email, now=session.created_at):
                    record_by(session, Action.STAFF_DEVICE_UNKNOWN)
                remember_device(unchanged.email)
    if unchanged is None:
        raise InvalidCredentials
    return session
