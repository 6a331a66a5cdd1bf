"""How a secret reaches an authenticator app: the otpauth URL, its QR code, and the text for typing it. Pure."""

from urllib.parse import quote, urlencode

from accounts.twofactor.totp import DIGITS, STEP_SECONDS

ISSUER = "KoshFlow"
_QUIET_ZONE_MODULES = 4  # ISO/IEC 18004 §5.3.8: readers need it
_GROUP = 4


def otpauth_url(*, secret: str, account: str) -> str:
    """`otpauth://totp/KoshFlow:<account>?…` (Key Uri Format of Google Authenticator, which all apps read).

    `account` is the person's e-mail; everything in it is percent-encoded, so it cannot add a parameter.
    """
    label = f"{quote(ISSUER, safe='')}:{quote(account, safe='')}"
    query = urlencode(
        {
            "secret": secret,
            "issuer": ISSUER,
            "algorithm": "SHA1",
            "digits": DIGITS,
            "period": STEP_SECONDS,
        },
        quote_via=quote,
    )
    return f"otpauth://totp/{label}?{query}"


def qr_data_uri(text: str) -> str:
    """QR code of `text` as `data:image/svg+xml` for `<img src>`: no script, no style, nothing fetched."""
    # Only a set-up needs it.
    import segno  # noqa: PLC0415

    code = segno.make(text, micro=False, error="m")
    # A ground of its own: on a dark page a transparent one cannot be read.
    return code.svg_data_uri(
        scale=5, border=_QUIET_ZONE_MODULES, dark="#000", light="#fff", svgclass=None, lineclass=None
    )


def manual_entry_key(secret: str) -> str:
    """`secret` in groups of four, for those who cannot scan."""
    return " ".join(secret[start : start + _GROUP] for start in range(0, len(secret), _GROUP))
