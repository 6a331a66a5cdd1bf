"""The catalogue of refusals: each code with its status and title, declared once. A code never changes meaning."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """`name` is what clients compare, `status` the HTTP status, `title` the short reason, `detail` its sentence."""

    name: str
    status: int
    title: str
    detail: str


_TABLE = (
    # 400
    ("VALIDATION_FAILED", 400, "Validation failed", "Some fields are missing or not valid."),
    ("MALFORMED_JSON", 400, "Malformed JSON", "The body is not a JSON object this service accepts."),
    ("MALFORMED_REQUEST", 400, "Malformed request", "The request cannot be read."),
    ("REPEATED_PARAMETER", 400, "Repeated parameter", "A query parameter was sent more than once."),
    ("DUPLICATE_KEY", 400, "Duplicate key", "The JSON body names a member twice."),
    ("INVALID_PASSWORD", 400, "Invalid password", "The password is not correct."),
    ("INVALID_CURRENT_PASSWORD", 400, "Invalid current password", "The current password is not correct."),
    ("REFRESH_TOKEN_REQUIRED", 400, "Refresh token required", "Send the refresh token as refreshToken."),
    (
        "RESET_TOKEN_INVALID",
        400,
        "Reset link invalid",
        "This reset link is not valid, was used, or has expired.",
    ),
    ("2FA_VERIFICATION_ERROR", 400, "Second factor not verified", "The code is not valid."),
    (
        "2FA_DISABLE_ERROR",
        400,
        "Second factor not disabled",
        "The code is not valid, or no second factor is on.",
    ),
    # 401
    ("NO_TOKEN", 401, "Sign-in required", "Send an access token as Authorization: Bearer."),
    ("TOKEN_INVALID", 401, "Token invalid", "The access token is not valid."),
    ("TOKEN_EXPIRED", 401, "Token expired", "The access token has expired."),
    ("TOKEN_REVOKED", 401, "Token revoked", "This session was ended."),
    ("SESSION_INVALID", 401, "Session invalid", "This session is not known or has reached its end."),
    ("USER_INVALID", 401, "User invalid", "This person is not active."),
    ("INVALID_CREDENTIALS", 401, "Invalid credentials", "E-mail or password is not correct."),
    ("INVALID_2FA_CODE", 401, "Invalid code", "The code is not correct."),
    ("CHALLENGE_INVALID", 401, "Challenge invalid", "Sign in with your password again."),
    ("REFRESH_TOKEN_INVALID", 401, "Refresh token invalid", "The refresh token is not valid or has expired."),
    ("REFRESH_TOKEN_REVOKED", 401, "Refresh token revoked", "This session was ended."),
    (
        "REFRESH_TOKEN_REUSED",
        401,
        "Refresh token reused",
        "This refresh token was used before; the session is closed.",
    ),
    # 403
    ("INSUFFICIENT_PERMISSIONS", 403, "Insufficient permissions", "Your role does not allow this."),
    ("REAUTHENTICATION_REQUIRED", 403, "Re-authentication required", "Confirm your password to do this."),
    ("2FA_SETUP_REQUIRED", 403, "Second factor required", "Set up a second factor first."),
    ("CSRF_FAILED", 403, "CSRF check failed", "Reload the page and try again."),
    ("HTTPS_REQUIRED", 403, "HTTPS required", "This service is reached over HTTPS only."),
    ("BLOCKED", 403, "Blocked", "The request looks like an attack and was not carried out."),
    # 404 to 431
    ("NOT_FOUND", 404, "Not found", "There is nothing at this address."),
    (
        "ARCHIVED",
        404,
        "Archived",
        "There is nothing at this address any more: audit events of its time were archived and deleted.",
    ),
    ("METHOD_NOT_ALLOWED", 405, "Method not allowed", "This address does not take this method."),
    ("NOT_ACCEPTABLE", 406, "Not acceptable", "This service answers in JSON."),
    ("REQUEST_TIMEOUT", 408, "Request timeout", "The request did not arrive in time. Send it again."),
    ("COMPANY_EXISTS", 409, "Company exists", "A company with this e-mail or GSTIN is registered already."),
    ("USER_EXISTS", 409, "User exists", "A person with this e-mail is registered already."),
    ("2FA_ALREADY_ENABLED", 409, "Second factor already on", "Disable the present second factor first."),
    ("CONFLICT", 409, "Conflict", "The request conflicts with the present state."),
    ("LENGTH_REQUIRED", 411, "Length required", "Send Content-Length or a chunked body."),
    ("PAYLOAD_TOO_LARGE", 413, "Payload too large", "The body is larger than this service accepts."),
    ("URI_TOO_LONG", 414, "URI too long", "The address or its query is longer than this service accepts."),
    ("UNSUPPORTED_MEDIA_TYPE", 415, "Unsupported media type", "Send application/json, uncompressed."),
    ("HEADERS_TOO_LARGE", 431, "Headers too large", "The headers are larger than this service accepts."),
    ("RATE_LIMITED", 429, "Too many requests", "Wait before you try again."),
    ("ACCOUNT_LOCKED", 429, "Account locked", "Too many failed sign-ins. Wait before you try again."),
    # 500, 503
    ("INTERNAL_ERROR", 500, "Internal error", "The service failed. Quote the request id when you report it."),
    ("BUSY", 503, "Busy", "The service is busy. Try again in a moment."),
    (
        "SERVICE_UNAVAILABLE",
        503,
        "Service unavailable",
        "A part of the service is not available. Try again soon.",
    ),
)
CODES = {name: Code(name, status, title, detail) for name, status, title, detail in _TABLE}
