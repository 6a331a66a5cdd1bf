"""The refusal of a number that somebody typed. Which numbers are refused, each kind says for itself."""


class MistypedError(ValueError):
    """``message`` is a sentence for whoever typed it and never repeats what was typed; ``code`` is the kind's own."""

    def __init__(self, message: str, code: str) -> None:
        # Both go to args, so that the error survives pickling between processes.
        super().__init__(message, code)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return self.message
