"""Erasing a person or a company: the pseudonym stays, whatever it stood for goes."""

from accounts.erasure.services import Erased, ErasureRefused, erase, overwrite_freed_pages, survey

__all__ = ["Erased", "ErasureRefused", "erase", "overwrite_freed_pages", "survey"]
