"""People and companies in valid form. Asha administers a company, Bilal works in it, Chitra belongs to another."""

import itertools

from accounts.identity.models import Company, User, gstin_index
from security.crypto import SubjectKey
from security.rbac import Role
from tests.accounts.identity.examples import a_gstin, a_pan, a_phone

PASSWORD = "Monsoon-Ledger-47"
_numbers = itertools.count(1)


def a_company(**fields) -> Company:
    """A saved company with a GSTIN, its PAN and a phone."""
    number = next(_numbers)
    pan = a_pan(number)
    gstin = a_gstin(number, pan=pan)
    values = {
        "name": f"Lotus Traders {number}",
        "email": f"office{number}@lotus.example.in",
        "phone": a_phone(number),
        "gstin": gstin,
        "gstin_index": gstin_index(gstin),
        "pan": pan,
    } | fields
    return Company.objects.create(subject=SubjectKey.objects.issue(), **values)


def a_person(*, company: Company | None = None, role: Role | None = Role.VIEWER, password=PASSWORD, **fields) -> User:
    """A saved person; staff when no company is given and role is None."""
    number = next(_numbers)
    if company is None and role is not None:
        company = a_company()
    values = {
        "name": f"Person {number}",
        "email": f"person{number}@lotus.example.in",
        "is_staff": role is None,
    } | fields
    return User.objects.create_user(password=password, company=company, role=role, **values)


def asha(**fields) -> User:
    """Administers a company."""
    return a_person(role=Role.ADMIN, name="Asha Rao", **fields)


def bilal(*, company: Company, role: Role = Role.VIEWER, **fields) -> User:
    """Works in Asha's company."""
    return a_person(company=company, role=role, name="Bilal Khan", **fields)


def chitra(**fields) -> User:
    """Administers another company."""
    return a_person(role=Role.ADMIN, name="Chitra Nair", **fields)
