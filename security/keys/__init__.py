"""The rotation of the key ring: its steps, what they change in rows, and how far each key has come."""

from security.keys.services import (
    ALIASES,
    STEPS,
    USES_IN_WORDS,
    Done,
    Rotation,
    StepRefused,
)
from security.keys.usage import KeyStanding, standings

__all__ = ["ALIASES", "STEPS", "USES_IN_WORDS", "Done", "KeyStanding", "Rotation", "StepRefused", "standings"]
