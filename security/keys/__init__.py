"""The rotation of the key ring: its steps, what they change in rows, and how far each key has come."""

from security.keys.services import (
    ALIASES,
    STEPS,
    Done,
    Rotation,
    StepRefused,
)
from security.keys.usage import KeyStanding, standings

__all__ = ["ALIASES", "STEPS", "Done", "KeyStanding", "Rotation", "StepRefused", "standings"]
