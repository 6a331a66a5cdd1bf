"""How a number is read that somebody typed, and its refusal. Which are refused, each kind says for itself."""

# Room for blanks around a pasted number. What is longer is refused before strip() or any pattern looks at it.
_MAX_TYPED_LENGTH = 64
# Named one by one: a bare strip() would also take off no-break spaces and control characters.
BLANKS = " \t\r\n"


class MistypedError(ValueError):
    """``message`` is a sentence for whoever typed it and never repeats what was typed; ``code`` is the kind's own."""

    def __init__(self, message: str, code: str) -> None:
        # Both go to args, so that the error survives pickling between processes.
        super().__init__(message, code)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return self.message


def upper_cased(text: str, *, name: str, length: int, refusal: type[MistypedError]) -> str:
    """The `length` characters of a number called `name`, in capitals; blanks around them are forgiven.

    Raises `refusal` with the code ``length`` or ``format``. The length is judged first, so that an oversized input
    costs nothing.
    """
    value = text.strip(BLANKS) if len(text) <= _MAX_TYPED_LENGTH else text
    if len(value) != length:
        raise refusal(f"A {name} has {length} characters, without spaces or hyphens.", "length")
    # Before upper(): it turns a dotless i into I and a long s into S, and a stranger's letter into ours.
    if not value.isascii():
        raise refusal(f"A {name} holds only the letters A to Z and the digits 0 to 9.", "format")
    return value.upper()
