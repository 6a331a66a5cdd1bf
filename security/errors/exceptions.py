"""One exception class per refusal. A class names its code; the catalogue in `codes.py` says the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from security.errors.codes import CODES, Code


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: `field` as the client sent it (dotted when nested), `message` a sentence, `code` its reason."""

    field: str
    message: str
    code: str


class Problem(Exception):  # noqa: N818 - the field's word (RFC 9457) for what the client reads
    """A refusal that becomes one problem document.

    `detail` replaces the catalogue's sentence; `retry_after` is in whole seconds. What only the log may know
    travels as `__cause__`.
    """

    code: ClassVar[Code] = CODES["INTERNAL_ERROR"]

    def __init__(
        self,
        detail: str = "",
        *,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
        fields: Sequence[FieldError] = (),
    ) -> None:
        super().__init__(self.code.name)
        self.detail = detail or self.code.detail
        self.retry_after = retry_after
        self.headers = dict(headers or {})
        self.fields = tuple(fields)


class ValidationFailed(Problem):
    """Fields are wrong; `detail` is the first field's reason, which is all the web client shows."""

    code = CODES["VALIDATION_FAILED"]

    def __init__(self, fields: Sequence[FieldError]) -> None:
        super().__init__(fields[0].message if fields else "", fields=fields)


class Unavailable(Problem):
    """A part we need is down or full: the client may come back after `retry_after` seconds (default 1)."""

    code = CODES["SERVICE_UNAVAILABLE"]

    def __init__(self, detail: str = "", *, retry_after: int = 1) -> None:
        super().__init__(detail, retry_after=retry_after)


class Busy(Unavailable):
    """The hashing queue is full."""

    code = CODES["BUSY"]


class MalformedJson(Problem):
    code = CODES["MALFORMED_JSON"]


class MalformedRequest(Problem):
    code = CODES["MALFORMED_REQUEST"]


class RepeatedParameter(Problem):
    code = CODES["REPEATED_PARAMETER"]


class DuplicateKey(Problem):
    code = CODES["DUPLICATE_KEY"]


class InvalidPassword(Problem):
    code = CODES["INVALID_PASSWORD"]


class InvalidCurrentPassword(Problem):
    code = CODES["INVALID_CURRENT_PASSWORD"]


class RefreshTokenRequired(Problem):
    code = CODES["REFRESH_TOKEN_REQUIRED"]


class ResetTokenInvalid(Problem):
    code = CODES["RESET_TOKEN_INVALID"]


class SecondFactorNotVerified(Problem):
    code = CODES["2FA_VERIFICATION_ERROR"]


class SecondFactorNotDisabled(Problem):
    code = CODES["2FA_DISABLE_ERROR"]


class Unauthenticated(Problem):
    """Family of the 401s: each carries the challenge of RFC 6750 section 3."""

    code = CODES["NO_TOKEN"]

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="koshflow"'})


class NoToken(Unauthenticated):
    code = CODES["NO_TOKEN"]


class TokenInvalid(Unauthenticated):
    code = CODES["TOKEN_INVALID"]


class TokenExpired(Unauthenticated):
    code = CODES["TOKEN_EXPIRED"]


class TokenRevoked(Unauthenticated):
    code = CODES["TOKEN_REVOKED"]


class SessionInvalid(Unauthenticated):
    code = CODES["SESSION_INVALID"]


class UserInvalid(Unauthenticated):
    code = CODES["USER_INVALID"]


class InvalidCredentials(Unauthenticated):
    code = CODES["INVALID_CREDENTIALS"]


class InvalidSecondFactorCode(Unauthenticated):
    code = CODES["INVALID_2FA_CODE"]


class ChallengeInvalid(Unauthenticated):
    code = CODES["CHALLENGE_INVALID"]


class RefreshTokenInvalid(Unauthenticated):
    code = CODES["REFRESH_TOKEN_INVALID"]


class RefreshTokenRevoked(Unauthenticated):
    code = CODES["REFRESH_TOKEN_REVOKED"]


class RefreshTokenReused(Unauthenticated):
    code = CODES["REFRESH_TOKEN_REUSED"]


class InsufficientPermissions(Problem):
    code = CODES["INSUFFICIENT_PERMISSIONS"]


class ReauthenticationRequired(Problem):
    code = CODES["REAUTHENTICATION_REQUIRED"]


class SecondFactorSetupRequired(Problem):
    code = CODES["2FA_SETUP_REQUIRED"]


class CsrfFailed(Problem):
    code = CODES["CSRF_FAILED"]


class HttpsRequired(Problem):
    code = CODES["HTTPS_REQUIRED"]


class Blocked(Problem):
    code = CODES["BLOCKED"]


class NotFound(Problem):
    code = CODES["NOT_FOUND"]


class Archived(Problem):
    """Retention took out events of the time that is asked for; whether this one was among them, nobody knows here."""

    code = CODES["ARCHIVED"]


class MethodNotAllowed(Problem):
    code = CODES["METHOD_NOT_ALLOWED"]


class NotAcceptable(Problem):
    code = CODES["NOT_ACCEPTABLE"]


class RequestTimeout(Problem):
    code = CODES["REQUEST_TIMEOUT"]


class CompanyExists(Problem):
    code = CODES["COMPANY_EXISTS"]


class UserExists(Problem):
    code = CODES["USER_EXISTS"]


class SecondFactorAlreadyEnabled(Problem):
    code = CODES["2FA_ALREADY_ENABLED"]


class Conflict(Problem):
    code = CODES["CONFLICT"]


class LengthRequired(Problem):
    code = CODES["LENGTH_REQUIRED"]


class PayloadTooLarge(Problem):
    code = CODES["PAYLOAD_TOO_LARGE"]


class UriTooLong(Problem):
    code = CODES["URI_TOO_LONG"]


class HeadersTooLarge(Problem):
    code = CODES["HEADERS_TOO_LARGE"]


class UnsupportedMediaType(Problem):
    code = CODES["UNSUPPORTED_MEDIA_TYPE"]


class RateLimited(Problem):
    code = CODES["RATE_LIMITED"]


class AccountLocked(Problem):
    code = CODES["ACCOUNT_LOCKED"]


class InternalError(Problem):
    code = CODES["INTERNAL_ERROR"]
