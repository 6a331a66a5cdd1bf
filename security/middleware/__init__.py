"""One file per promise about every request; `koshflow.settings.base.MIDDLEWARE` gives the order."""

from security.middleware.pages import is_page

__all__ = ["is_page"]
