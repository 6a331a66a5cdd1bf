"""Companies and people. A person belongs to one company; staff belong to none and have no role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from uuid_utils.compat import uuid7

from accounts.identity.names import MAX_EMAIL_LENGTH, MAX_NAME_LENGTH, normalise_email
from security.crypto import (
    EncryptedTextField,
    IndexedColumn,
    SubjectKey,
    blind_index,
    blind_indexes,
    register_indexed,
)
from security.rbac import Role

if TYPE_CHECKING:
    from accounts.twofactor.models import TotpDevice


def new_id() -> UUID:
    """A UUIDv7: ordered by time, so that the primary key's index grows at its end."""
    return uuid7()


class CompanyManager(models.Manager["Company"]):
    """Companies come with their key: reading a sealed column must not cost a query of its own."""

    def get_queryset(self) -> models.QuerySet[Company]:
        return super().get_queryset().select_related("subject")

    def with_gstin(self, gstin: str) -> models.QuerySet[Company]:
        """Companies whose GSTIN is `gstin` (parsed form), found by its blind index under any key of the ring."""
        return self.filter(gstin_index__in=blind_indexes(table="accounts_company", column="gstin", value=gstin))


def gstin_index(gstin: str) -> bytes:
    """Keyed index of a GSTIN: equal for equal numbers, telling nothing else."""
    return blind_index(table="accounts_company", column="gstin", value=gstin)


class Company(models.Model):
    """A business. `phone`, `gstin` and `pan` are sealed under the company's own key."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    subject = models.OneToOneField(SubjectKey, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=100)
    email = models.EmailField(max_length=MAX_EMAIL_LENGTH, unique=True)
    phone = EncryptedTextField(null=True)
    gstin = EncryptedTextField(null=True)
    gstin_index = models.BinaryField(max_length=32, null=True, unique=True, editable=False)
    pan = EncryptedTextField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CompanyManager()

    class Meta:
        verbose_name_plural = "companies"

    def __str__(self) -> str:
        return self.name


register_indexed(IndexedColumn(Company, text="gstin", index="gstin_index"))


class UserManager(BaseUserManager["User"]):
    """People come with their keys and company."""

    def get_queryset(self) -> models.QuerySet[User]:
        return super().get_queryset().select_related("subject", "company", "company__subject")

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=normalise_email(username or ""))

    def create_user(self, *, email: str, password: str | None, **fields: Any) -> User:
        """A saved person with a fresh key; `password` None leaves the account without one."""
        user = self.model(email=normalise_email(email), subject=SubjectKey.objects.issue(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person. `token_version` rises when every session of theirs must end at once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    subject = models.OneToOneField(SubjectKey, on_delete=models.PROTECT, related_name="+")
    company = models.ForeignKey(Company, on_delete=models.PROTECT, null=True, blank=True, related_name="people")
    email = models.EmailField(max_length=MAX_EMAIL_LENGTH, unique=True)
    name = models.CharField(max_length=MAX_NAME_LENGTH)
    role = models.CharField(max_length=10, null=True, blank=True, choices=[(r.value, r.value) for r in Role])
    phone = EncryptedTextField(null=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    token_version = models.PositiveIntegerField(default=1)
    password_changed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    if TYPE_CHECKING:
        totp_device: TotpDevice

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="user_has_company_and_role_unless_staff",
                condition=models.Q(is_staff=True, company__isnull=True, role__isnull=True)
                | models.Q(is_staff=False, company__isnull=False, role__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def has_second_factor(self) -> bool:
        """Whether a confirmed TOTP device stands; needs no query when `totp_device` was joined."""
        device = getattr(self, "totp_device", None)
        return device is not None and device.confirmed
