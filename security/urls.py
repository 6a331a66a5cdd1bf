"""Paths of security on one page."""

from django.urls import path

from security.wellknown import JwksView

urlpatterns = [path(".well-known/jwks.json", JwksView.as_view(), name="jwks")]
