"""Which static files of the libraries are collected."""

from django.contrib.staticfiles.apps import StaticFilesConfig as DjangoStaticFilesConfig


class StaticFilesConfig(DjangoStaticFilesConfig):
    """Django's, without what no page of ours loads: it would be served to anybody, and packed at each first start."""

    # Folders by name: the other viewer of OpenAPI documents, and DRF's pages, which no view of ours renders.
    ignore_patterns = [*DjangoStaticFilesConfig.ignore_patterns, "redoc", "rest_framework"]
