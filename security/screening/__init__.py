"""Screening: requests that look like an attack are told of, and refused above a threshold where that is wanted."""

from security.screening.score import Finding
from security.screening.signals import request_screened

__all__ = ["Finding", "request_screened"]
