"""Puts our admin site in the place of Django's."""

from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class AdminConfig(DjangoAdminConfig):
    """The admin app, behind the door of `accounts.admin_site`."""

    default_site = "accounts.admin_site.KoshFlowAdminSite"
