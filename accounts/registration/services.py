"""Registers a company together with the person who administers it, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.identity.gstin import Gstin
from accounts.identity.models import Company, User, gstin_index
from accounts.identity.pan import Pan
from accounts.login.services import SignIn
from accounts.passwords import check_password_policy
from accounts.sessions.services import open_session, tokens_of
from accounts.sessions.trail import record_by
from security.audit import Action, record_refusal, windows
from security.context import current
from security.crypto import SubjectKey
from security.errors import CompanyExists, FieldError, Problem, UserExists, ValidationFailed
from security.hashing import check_room
from security.lockout import remember_device
from security.rbac import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A well-formed request to register; identifiers are parsed, e-mails normalised."""

    company_name: str
    company_email: str
    admin_name: str
    admin_email: str
    password: str
    phone: str | None = None
    gstin: Gstin | None = None
    pan: Pan | None = None


def password_faults(password: str, *, words: Sequence[str]) -> list[FieldError]:
    """What is wrong with `password` for somebody whose own `words` these are: as many as are known."""
    reasons = check_password_policy(password, words=words, has_second_factor=False)
    return [FieldError("password", reason, "password_policy") for reason in reasons]


def register(registration: Registration) -> SignIn:
    """Create the company and its ADMIN, and sign them in.

    Raises ValidationFailed for the password, CompanyExists, UserExists, or Busy. Nothing stays of a refusal but
    its audit event.
    """
    check_room()
    words = [
        registration.company_name,
        registration.company_email,
        registration.admin_name,
        registration.admin_email,
    ]
    if faults := password_faults(registration.password, words=words):
        raise ValidationFailed(faults)
    _refuse_if(_duplicate(registration))  # a hint that saves the hash; the constraints below are the fact
    password = make_password(registration.password)  # outside the transaction: it takes a second
    try:
        with transaction.atomic(durable=True):
            return _create(registration, password)
    except IntegrityError:
        _refuse_if(_duplicate(registration))
        raise


def _duplicate(registration: Registration) -> Problem | None:
    companies = Company.objects.filter(email=registration.company_email)
    if registration.gstin:
        companies = companies | Company.objects.with_gstin(registration.gstin.value)
    if companies.exists():
        return CompanyExists()
    if User.objects.filter(email=registration.admin_email).exists():
        return UserExists()
    return None


def _refuse_if(refusal: Problem | None) -> None:
    if refusal is not None:
        if windows.is_first(current().client.address, f"register:{refusal.code.name}"):
            record_refusal(Action.REGISTRATION_REFUSED, data={"code": refusal.code.name})
        raise refusal


def _create(registration: Registration, password: str) -> SignIn:
    company_key, user_key = SubjectKey.objects.build(), SubjectKey.objects.build()
    SubjectKey.objects.bulk_create([company_key, user_key])
    pan = registration.pan.value if registration.pan else None
    if pan is None and registration.gstin is not None:
        pan = registration.gstin.pan
    company = Company(subject=company_key, name=registration.company_name, email=registration.company_email)
    company.phone, company.pan = registration.phone, pan
    if registration.gstin:
        company.gstin, company.gstin_index = registration.gstin.value, gstin_index(registration.gstin.value)
    company.save(force_insert=True)
    now = timezone.now()
    user = User(
        subject=user_key,
        company=company,
        email=registration.admin_email,
        name=registration.admin_name,
        role=Role.ADMIN,
        password=password,
        password_changed_at=now,
        last_login=now,
    )
    user.save(force_insert=True)
    session = open_session(user=user, amr="pwd")
    remember_device(user.email, now=now)
    told = {"has_gstin": registration.gstin is not None, "has_pan": pan is not None}
    record_by(session, Action.COMPANY_REGISTERED, target=company_key, data=told)
    record_by(session, Action.SESSION_CREATED, data={"amr": ["pwd"], "surface": "api"})
    return SignIn(user=user, session=session, tokens=tokens_of(session))
