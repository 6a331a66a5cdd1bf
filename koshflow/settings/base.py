"""What holds everywhere. Production is the default; `local.py` and `testing.py` hold every loosening."""

from pathlib import Path
from typing import Any

from csp.constants import NONCE, NONE, SELF

from koshflow import __version__
from koshflow.settings.audit_and_alerts import *  # noqa: F403
from koshflow.settings.environment import DATA_DIR, ENV
from koshflow.settings.logging import logging_tree
from koshflow.settings.stores import caches, databases
from koshflow.variables import ROOT as BASE_DIR

VERSION = __version__

DEBUG = False
SECRET_KEY: str = ENV["SECRET_KEY"]
KEYRING: str = ENV["KEYRING"]
KEYRING_FILE: str = ENV["KEYRING_FILE"]
ALLOWED_HOSTS: list[str] = ENV["ALLOWED_HOSTS"]
PUBLIC_URL: str = ENV["PUBLIC_URL"].rstrip("/")
WEB_URL: str = ENV["WEB_URL"].rstrip("/")
TRUSTED_PROXIES: list[str] = ENV["TRUSTED_PROXIES"]

INSTALLED_APPS = [
    "koshflow.admin_config.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "koshflow.static_config.StaticFilesConfig",
    "rest_framework",
    "corsheaders",
    "csp",
    "axes",
    "django_otp",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "security",
    "accounts",
    "monitoring",
]

# Order is the path of a request; see docs/architecture.md. The four that need cookies run on pages only.
MIDDLEWARE = [
    "security.middleware.request_context.RequestContextMiddleware",
    "monitoring.requests.middleware.RequestClockMiddleware",
    "security.middleware.headers.SecurityHeadersMiddleware",
    "security.middleware.cors.OriginMiddleware",
    "security.middleware.problem_pages.ProblemPageMiddleware",
    "security.middleware.hosts.HostMiddleware",
    "security.middleware.https.HttpsMiddleware",
    "security.middleware.fetch_metadata.FetchMetadataMiddleware",
    "accounts.sessions.limiting.LimitMiddleware",
    "security.middleware.refusals.RefusalMarkMiddleware",
    "security.middleware.bodies.BodyMiddleware",
    "security.screening.middleware.ScreeningMiddleware",
    "security.middleware.static_files.StaticFilesMiddleware",
    "security.middleware.pages.PageCSPMiddleware",
    "security.middleware.pages.PageSessionMiddleware",
    "security.middleware.pages.PageCsrfMiddleware",
    "security.middleware.pages.PageAuthenticationMiddleware",
    "security.middleware.pages.PageOTPMiddleware",
    "accounts.staff.middleware.StaffPagesMiddleware",
    "security.middleware.pages.PageMessageMiddleware",
]

ROOT_URLCONF = "koshflow.urls"
WSGI_APPLICATION = "koshflow.wsgi.application"
# The API has no trailing slash; a redirect would lose the body of a POST.
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "libraries": {"operators": "koshflow.operators.words"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES = databases(url=ENV["DATABASE_URL"], data_dir=DATA_DIR, pool=ENV["DATABASE_POOL"])
SLOW_QUERY_MS: int = ENV["SLOW_QUERY_MS"]
REPEATED_STATEMENTS_RAISE = False
IS_POSTGRESQL = DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql"
CACHES = caches(url=ENV["REDIS_URL"])
IS_CACHE_SHARED = bool(ENV["REDIS_URL"])
if IS_POSTGRESQL:
    INSTALLED_APPS.append("procrastinate.contrib.django")  # its migrations do not run on SQLite

LANGUAGE_CODE = "en-in"
TIME_ZONE = "Asia/Kolkata"  # for people in the admin; stored and sent times are UTC
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "koshflow" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},  # the product stores no uploads
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

WHITENOISE_ALLOW_ALL_ORIGINS = False  # its default lets every origin read static files
# What cannot be packed smaller, and source maps, which are large and fetched by developer tools of browsers alone.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["gif", "jpg", "jpeg", "png", "webp", "woff", "woff2", "map"]

# Mail
DEFAULT_FROM_EMAIL: str = ENV["DEFAULT_FROM_EMAIL"]
EMAIL_TIMEOUT = 10
if ENV["EMAIL_URL"]:
    import dj_email_url

    parsed = dj_email_url.parse(ENV["EMAIL_URL"])
    vars().update(parsed | {"EMAIL_TIMEOUT": parsed["EMAIL_TIMEOUT"] or EMAIL_TIMEOUT})

LOG_DIR = Path(ENV["LOG_DIR"] or DATA_DIR / "logs")
LOGGING = logging_tree(level=ENV["LOG_LEVEL"])
if ENV["LOG_DIR"]:
    LOGGING["handlers"]["lines"] |= {"class": "koshflow.log_file.FileLines", "folder": LOG_DIR}

# Cookies exist for pages only; the API never reads one.
SESSION_ENGINE = "accounts.staff.cookie_sessions"
SESSION_COOKIE_NAME = "__Host-sessionid"
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 30 * 60
CSRF_COOKIE_NAME = "__Host-csrftoken"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "security.forgery.csrf_failure"
SECURE_HSTS_SECONDS = 63_072_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_SSL_REDIRECT = True  # of pages; the API refuses, see security.middleware.https
SILENCED_SYSTEM_CHECKS = [
    "security.W001",  # SecurityMiddleware: its headers and redirect are set by security.middleware
    "security.W002",  # XFrameOptionsMiddleware: likewise
    "security.W003",  # CsrfViewMiddleware: its subclass for pages is installed
    "security.W005",  # preload is the operator's decision, see the deployment guide
    "security.W021",  # likewise
    "axes.W002",  # AxesMiddleware: our error handler answers lock-outs
    "axes.W003",  # AxesStandaloneBackend: our backend reserves a try before it hashes
]

# Identity
AUTHENTICATION_BACKENDS = ["accounts.login.backends.PasswordBackend"]
PASSWORD_HASHERS = [
    "security.hashing.BcryptHmacHasher",
    "security.hashing.ImportedBcryptHasher",
    "security.hashing.GuardedBCryptSHA256Hasher",
    "security.hashing.GuardedPBKDF2Hasher",
]
BCRYPT_ROUNDS: int = ENV["BCRYPT_ROUNDS"]
is_asvs = ENV["SECURITY_PROFILE"] == "asvs"
PASSWORD_POLICY: str = "asvs" if is_asvs else ENV["PASSWORD_POLICY"]
TOTP_STRICT: bool = is_asvs or ENV["TOTP_STRICT"]
REQUIRE_2FA: str = "all" if is_asvs else ENV["REQUIRE_2FA"]
# What `all` leaves open to a person without a second factor: themselves, its set-up, and the way out.
OPEN_BEFORE_SECOND_FACTOR = frozenset(
    {"auth:me", "auth:logout", "auth:two-factor", "auth:two-factor-setup", "auth:two-factor-verify"}
)
BREACHED_PASSWORDS_FILE: str = ENV["BREACHED_PASSWORDS_FILE"]

# Sessions and tokens, in seconds
ACCESS_TOKEN_SECONDS = 15 * 60
SESSION_IDLE_SECONDS = 7 * 24 * 3600
SESSION_ABSOLUTE_SECONDS = 7 * 24 * 3600
REFRESH_GRACE_SECONDS = 10
SESSIONS_PER_USER = 10
SESSION_BINDING: str = ENV["SESSION_BINDING"]

# The hashing bulkhead: one hash at a time in a worker, two waiting, the rest told to come back.
HASH_CONCURRENCY = 1
HASH_QUEUE = 2
HASH_WAIT_SECONDS = 2.0  # BUSY is promised within 3 s, and a full machine takes up to one to make and send the answer

# Requests
MAX_BODY_BYTES: int = ENV["MAX_BODY_BYTES"]
JSON_MAX_DEPTH = 32
JSON_MAX_MEMBERS = 1000
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
WEB_WORKERS: int = ENV["WEB_WORKERS"]
WEB_THREADS: int = ENV["WEB_THREADS"]
DRAIN_SECONDS: int = ENV["DRAIN_SECONDS"]
OPERATOR_TOKEN: str = ENV["OPERATOR_TOKEN"]
OPERATOR_NETWORKS: list[str] = ENV["OPERATOR_NETWORKS"]
API_DOCS_PUBLIC: bool = ENV["API_DOCS_PUBLIC"]

SCREENING: str = ENV["SCREENING"]
SCREENING_THRESHOLD: int = ENV["SCREENING_THRESHOLD"]

CORS_ALLOWED_ORIGINS: list[str] = ENV["CORS_ALLOWED_ORIGINS"]
CORS_ALLOW_CREDENTIALS = bool(CORS_ALLOWED_ORIGINS)
# What the library would assume: it asks at each request, and looking for a setting that is missing costs 10 µs.
CORS_ALLOW_ALL_ORIGINS = CORS_ORIGIN_ALLOW_ALL = CORS_ALLOW_PRIVATE_NETWORK = False
CORS_ALLOW_HEADERS = [
    "content-type",
    "authorization",
    "x-api-key",
    "idempotency-key",
    "x-request-id",
    "traceparent",
]
CORS_EXPOSE_HEADERS = ["X-Request-ID", "Retry-After", "RateLimit", "RateLimit-Policy", "ETag"]

# Limits by tier (security.limits.tiers). django-ratelimit's cache only collects what is to be counted.
RATE_LIMITS = {name: ENV[f"RATE_LIMIT_{name.upper()}"] for name in ("general", "address", "register", "pages")}
SLOW_DOWN: bool = ENV["SLOW_DOWN"]
RATELIMIT_USE_CACHE = "counters"
RATELIMIT_CACHE_PREFIX = "kfl:"

# Axes is driven by our handler; its own tables and middleware stay unused.
AXES_HANDLER = "security.lockout.handler.ReservingHandler"
AXES_CLIENT_IP_CALLABLE = "security.lockout.handler.client_address"
AXES_ENABLE_ACCESS_FAILURE_LOG = False
LOCKOUT_LIMIT = 5
LOCKOUT_DEVICE_LIMIT = 10  # more, on a device that has signed in lately
LOCKOUT_DEVICES_LIMIT = 30  # and from all such devices of one network together
LOCKOUT_ACCOUNT_LIMIT = 50
LOCKOUT_ADDRESS_LIMIT = 100
LOCKOUT_WINDOW_SECONDS = 15 * 60

CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
        "manifest-src": [SELF],
        "report-uri": "/csp-report",
        # Over HTTPS alone (security.middleware.pages); the name in Reporting-Endpoints (security.middleware.headers).
        "report-to": "csp",
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.sessions.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["security.rbac.SignedIn"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["security.errors.parsers.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "security.errors.negotiation.RememberedNegotiation",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "security.errors.handlers.drf_exception_handler",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}

SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "KoshFlow API",
    "DESCRIPTION": (
        "Accounting for Indian businesses: companies, people, sign-in and sessions. Members are camelCase, times are "
        "RFC 3339 in UTC, and every refusal is one problem document (RFC 9457) with a stable `code`."
    ),
    "VERSION": VERSION,
    "CONTACT": {"name": "KoshFlow", "email": "dev@koshflow.com"},
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "LiveStatusEnum": ["ok"],
        "HealthStatusEnum": ["ok", "degraded", "unavailable"],
        "CheckStatusEnum": ["pass", "warn", "fail"],
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "koshflow.openapi.refusals.add_refusals",
    ],
}
