"""A person and their company, in clear."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class Company(models.Model):
    """A business."""

    name = models.CharField(max_length=100)
    email = models.EmailField(unique=True)
    phone = models.CharField(max_length=20)
    gstin = models.CharField(max_length=15)
    pan = models.CharField(max_length=10)
    created_at = models.DateTimeField(auto_now_add=True)


class User(AbstractUser):
    """A person of one company."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT, null=True)
    phone = models.CharField(max_length=20)
    role = models.CharField(max_length=10)
