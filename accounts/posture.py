"""What the security audit asks about people: unused accounts, too many rights, missing factors, weak hashes.

People and companies are named by their pseudonyms, as in audit events: the admin's lists find who it is.
"""

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.hashers import identify_hasher, is_password_usable
from django.contrib.auth.models import Group, Permission
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from accounts.identity.models import Company, User
from accounts.sessions.models import Session
from accounts.staff.roles import StaffRole, rights_of
from security.hashing import BcryptHmacHasher
from security.posture import Fault, Reads, Severity, finding
from security.rbac import Role

UNUSED = timedelta(days=90)
NEVER_USED = timedelta(days=30)
STAFF_ENROLS_WITHIN = timedelta(days=7)
MOST_ADMINISTRATORS = 5
_PEOPLE = Reads.INSTALLATION
_BATCH = 2000
# Domains that nobody can receive mail at (RFC 2606, RFC 6761), and the demonstration's.
_INVENTED = ("@localhost", ".localhost", ".test", ".invalid", ".example", ".example.in", "@example.in", "@example.com")


def _active(**more: bool) -> QuerySet[User]:
    people: QuerySet[User] = User.objects.filter(is_active=True, **more).select_related(None).order_by("pk")
    return people


def _each(people: QuerySet[User], detail: str) -> Iterable[Fault]:
    for subject in people.values_list("subject", flat=True).iterator(chunk_size=_BATCH):
        yield Fault(f"person {subject}", detail)


def _without_factor(people: QuerySet[User]) -> QuerySet[User]:
    return people.exclude(totp_device__confirmed=True)


@finding(
    "KF.P001",
    severity=Severity.HIGH,
    title="A member of staff has no second factor",
    why="A password alone then opens the set-up of one, and with it the admin.",
    remedy="Have them sign in and set it up; deactivate an account that nobody took up within a week.",
    reads=_PEOPLE,
)
def staff_without_factor() -> Iterable[Fault]:
    begun = Q(last_login__isnull=False) | Q(created_at__lt=timezone.now() - STAFF_ENROLS_WITHIN)
    yield from _each(_without_factor(_active(is_staff=True)).filter(begun), "staff without a second factor")


@finding(
    "KF.P002",
    severity=Severity.MEDIUM,
    title="An administrator of a company has no second factor",
    why="One guessed or reused password gives the whole company away.",
    remedy="Ask them to set one up, or set REQUIRE_2FA=all.",
    reads=_PEOPLE,
)
def administrators_without_factor() -> Iterable[Fault]:
    people = _without_factor(_active(is_staff=False)).filter(role=Role.ADMIN.value)
    yield from _each(people, "administrator without a second factor")


@finding(
    "KF.P003",
    severity=Severity.MEDIUM,
    title="A company has too many administrators",
    why="Each of them may do everything; one careless one is enough.",
    remedy="Keep to five at most, and give the others the role they work in.",
    reads=_PEOPLE,
)
def administrators_are_many() -> Iterable[Fault]:
    administrators = Count("people", filter=Q(people__role=Role.ADMIN.value, people__is_active=True))
    companies = Company.objects.select_related(None).annotate(administrators=administrators).order_by("pk")
    many = companies.filter(administrators__gt=MOST_ADMINISTRATORS)
    for subject, count in many.values_list("subject", "administrators"):
        yield Fault(f"company {subject}", f"{count} active administrators")


@finding(
    "KF.P004",
    severity=Severity.MEDIUM,
    title="Too many members of staff are Administrators",
    why="An Administrator may act on every company's people.",
    remedy="Keep to five at most; Support and Auditor suffice for most work.",
    reads=_PEOPLE,
)
def staff_administrators_are_many() -> Iterable[Fault]:
    count = _active(is_staff=True).filter(groups__name=StaffRole.ADMINISTRATOR.value).count()
    if count > MOST_ADMINISTRATORS:
        yield Fault("staff", f"{count} active Administrators")


@finding(
    "KF.P005",
    severity=Severity.MEDIUM,
    title="An account is unused and open",
    why="Nobody would notice a stranger in it.",
    remedy="Ask its company whether the person still works there, and deactivate the account if not.",
    reads=_PEOPLE,
)
def people_are_inactive() -> Iterable[Fault]:
    people = _active(is_staff=False).filter(last_login__lt=timezone.now() - UNUSED)
    yield from _each(people, f"no sign-in for {UNUSED.days} days")


@finding(
    "KF.P006",
    severity=Severity.HIGH,
    title="An account of staff is unused and open",
    why="Nobody would notice a stranger in it, and it opens the admin.",
    remedy="Close it by staff_remove; staff_create opens it again when it is needed.",
    reads=_PEOPLE,
)
def staff_is_inactive() -> Iterable[Fault]:
    yield from _each(
        _active(is_staff=True).filter(last_login__lt=timezone.now() - UNUSED), f"no sign-in for {UNUSED.days} days"
    )


@finding(
    "KF.P007",
    severity=Severity.LOW,
    title="An account was made and never used",
    why="Its first password may lie in a mailbox or on a note.",
    remedy="Ask whether it is still wanted, and deactivate it if not.",
    reads=_PEOPLE,
)
def accounts_never_used() -> Iterable[Fault]:
    people = _active().filter(last_login__isnull=True, created_at__lt=timezone.now() - NEVER_USED)
    yield from _each(people, f"no sign-in within {NEVER_USED.days} days of being made")


@finding(
    "KF.P008",
    severity=Severity.HIGH,
    title="A password has a hash without pepper",
    why="Stolen with the database it can be tried against word lists; ours needs the key ring too.",
    remedy="It is renewed at the person's next sign-in; mail a reset link to those who do not come.",
    reads=_PEOPLE,
)
def hashes_are_weak() -> Iterable[Fault]:
    for subject, algorithm, _ in _hashes():
        if algorithm != BcryptHmacHasher.algorithm:
            yield Fault(f"person {subject}", f"the hash is {algorithm}")


@finding(
    "KF.P009",
    severity=Severity.MEDIUM,
    title="A password has a hash of yesterday",
    why="It was made at another cost or under a pepper that is no longer active.",
    remedy="It is renewed at the person's next sign-in; mail a reset link to those who do not come.",
    reads=_PEOPLE,
)
def hashes_are_old() -> Iterable[Fault]:
    for subject, algorithm, must_update in _hashes():
        if algorithm == BcryptHmacHasher.algorithm and must_update:
            yield Fault(f"person {subject}", "the hash has another cost or pepper than today's")


def _hashes() -> Iterable[tuple[object, str, bool]]:
    """(Person, name of the algorithm, whether a sign-in would renew the hash) of each password that can be right."""
    for subject, encoded in _active().values_list("subject", "password").iterator(chunk_size=_BATCH):
        if not is_password_usable(encoded):
            continue
        try:
            hasher = identify_hasher(encoded)
        except ValueError:
            yield subject, "of no known form", True
            continue
        yield subject, str(hasher.algorithm), hasher.must_update(encoded)


@finding(
    "KF.P010",
    severity=Severity.HIGH,
    title="A person stands above every right",
    why="A superuser is asked for no role, and nothing of ours makes one.",
    remedy="Take is_superuser off, and give the person a staff role by staff_create.",
    reads=_PEOPLE,
)
def superusers_exist() -> Iterable[Fault]:
    yield from _each(_active(is_superuser=True), "is_superuser is on")


@finding(
    "KF.P011",
    severity=Severity.HIGH,
    title="Rights were given outside the table of staff roles",
    why="They let their holder do what nobody decided.",
    remedy="Take them away; what a role may do is changed in the table alone.",
    reads=_PEOPLE,
)
def rights_are_by_hand() -> Iterable[Fault]:
    yield from _each(_active().filter(user_permissions__isnull=False).distinct(), "holds rights of their own")
    yield from _each(_active(is_staff=False).filter(groups__isnull=False).distinct(), "is in a group of staff")
    offered = [*Permission.objects.values_list("content_type__app_label", "codename")]
    roles = {role.value for role in StaffRole}
    for group in Group.objects.order_by("name"):
        if group.name not in roles:
            yield Fault(f"group {group.pk}", "a group that is no staff role")
            continue
        held = set(group.permissions.values_list("content_type__app_label", "codename"))
        extra = held - rights_of(StaffRole(group.name), offered=offered)
        if extra:
            yield Fault(f"group {group.name}", f"{len(extra)} rights more than its role has")


@finding(
    "KF.P012",
    severity=Severity.MEDIUM,
    title="A session lives longer than sessions may",
    why="It was opened under a longer limit, or its row was changed.",
    remedy="End it on its page in the admin.",
    reads=_PEOPLE,
)
def sessions_are_long() -> Iterable[Fault]:
    longest = timedelta(seconds=settings.SESSION_ABSOLUTE_SECONDS)
    alive = Session.objects.alive(timezone.now()).filter(absolute_until__gt=F("created_at") + longest).order_by("pk")
    for pk in alive.values_list("pk", flat=True).iterator(chunk_size=_BATCH):
        yield Fault(f"session {pk}", "ends later than its beginning allows")


@finding(
    "KF.P013",
    severity=Severity.HIGH,
    title="A deactivated person still has a session",
    why="Should the account be opened again, the old device is in again.",
    remedy="End all sessions on the person's page in the admin.",
    reads=_PEOPLE,
)
def closed_accounts_have_sessions() -> Iterable[Fault]:
    alive = Session.objects.alive(timezone.now()).filter(user__is_active=False)
    people = alive.values_list("user__subject").annotate(count=Count("pk")).order_by("user__subject")
    for subject, count in people:
        yield Fault(f"person {subject}", f"{count} sessions alive")


@finding(
    "KF.P014",
    severity=Severity.LOW,
    title="A member of staff still uses the password that was issued to them",
    why="Whoever ran staff_create has seen it.",
    remedy="Have them choose one of their own: 'Change password' at the top of the admin.",
    reads=_PEOPLE,
)
def staff_passwords_are_issued() -> Iterable[Fault]:
    people = _active(is_staff=True).filter(last_login__isnull=False, password_changed_at__isnull=True)
    yield from _each(people, "the password was never changed")


@finding(
    "KF.P015",
    severity=Severity.CRITICAL,
    title="An invented person is in production",
    why="Examples and the demonstration have passwords that everybody can read.",
    remedy="Deactivate the account; staff need a real address.",
    reads=_PEOPLE,
    production_only=True,
)
def people_are_invented() -> Iterable[Fault]:
    invented = Q()
    for ending in _INVENTED:
        invented |= Q(email__endswith=ending)
    yield from _each(_active().filter(invented), "the address is of a domain reserved for examples")
