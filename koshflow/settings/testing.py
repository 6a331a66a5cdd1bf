"""Every loosening of `KOSHFLOW_ENV=test`. Keys are constants: a test database holds invented people only."""

import os
import tempfile
from pathlib import Path

from koshflow.settings.base import DATABASES
from security.crypto.keyring import generate

SECRET_KEY = "test-only-" + "k" * 60
KEYRING = os.environ.setdefault("KEYRING", generate())
KEYRING_FILE = ""
BCRYPT_ROUNDS = 4
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PUBLIC_URL = "https://testserver"
API_DOCS_PUBLIC = True
SESSION_BINDING = "family"  # as on servers
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CORS_ALLOWED_ORIGINS = ["https://app.example.in"]
CORS_ALLOW_CREDENTIALS = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    # No manifest: tests run without collectstatic.
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_ROOT = Path(tempfile.gettempdir()) / f"koshflow-test-static-{os.getuid()}"
STATIC_ROOT.mkdir(exist_ok=True)
WHITENOISE_USE_FINDERS = True
SESSION_COOKIE_NAME = "sessionid"
CSRF_COOKIE_NAME = "csrftoken"
SESSION_COOKIE_SECURE = False
CSRF_COOKIE_SECURE = False
SECURE_SSL_REDIRECT = False
OPERATOR_TOKEN = "test-operator-token-" + "t" * 20

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not memory: the races of the tests need several connections to one database.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(tempfile.gettempdir()) / f"koshflow-test-{os.getpid()}.sqlite3")}
    DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"

# Tests ask more often than people; those about limits set their own.
RATE_LIMITS = dict.fromkeys(("general", "address", "register", "pages"), "1000000/15m")
SLOW_DOWN = False
REPEATED_STATEMENTS_RAISE = True  # a request that runs one over and over fails its test, and says where
