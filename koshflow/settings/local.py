"""Every loosening of `KOSHFLOW_ENV=local`, each with its reason. DEBUG stays off even here."""

from secrets import token_urlsafe

from koshflow.settings.base import DATA_DIR, ENV, KEYRING, LOG_DIR, LOGGING, SECRET_KEY

# `make run` makes the keys in the data folder; nobody should have to name them for a laptop.
_secret_key, _keyring = DATA_DIR / "secret_key", DATA_DIR / "keyring.json"
if not SECRET_KEY:
    # Before there are any, a command such as keys_init runs under a key that ends with it.
    SECRET_KEY = _secret_key.read_text().strip() if _secret_key.exists() else token_urlsafe(48)
if not KEYRING:
    KEYRING = _keyring.read_text().strip() if _keyring.exists() else ""
    KEYRING_FILE = str(_keyring)

# Plain HTTP on a loopback address: a Secure or __Host- cookie would never come back.
SESSION_COOKIE_NAME = "sessionid"
CSRF_COOKIE_NAME = "csrftoken"
SESSION_COOKIE_SECURE = False
CSRF_COOKIE_SECURE = False
SECURE_HSTS_SECONDS = 0
SECURE_SSL_REDIRECT = False

# You are alone on this machine: the documentation is open.
API_DOCS_PUBLIC = True

# No relay on a laptop: outgoing mail lies as files in the data folder.
if not ENV["EMAIL_URL"]:
    EMAIL_BACKEND = "koshflow.mail_folder.MailFolder"
    EMAIL_FILE_PATH = DATA_DIR / "mail"

# Nobody collects the log of a laptop, and on its terminal somebody reads.
if not ENV["LOG_DIR"]:
    LOGGING["handlers"]["lines"] |= {"class": "koshflow.log_file.LaptopLines", "folder": LOG_DIR}
