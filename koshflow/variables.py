"""The table of every variable the product reads: name, meaning, default. `koshflow.env` reads them."""

from pathlib import Path

from koshflow.alert_variables import ALERTS
from koshflow.server_variables import SERVER
from koshflow.variable import Variable

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ("production", "local", "test")

GROUPS: tuple[tuple[str, tuple[Variable, ...]], ...] = (
    (
        "Where it runs",
        (
            Variable(
                name="KOSHFLOW_ENV",
                default="production",
                choices=ENVIRONMENTS,
                why="production refuses weak settings; local is what `make run` uses.",
            ),
            Variable(
                name="KOSHFLOW_DATA_DIR",
                default=str(ROOT / "var"),
                example="/var/lib/koshflow",
                why="Folder (mode 0700) for the SQLite database, static files, keys, and on a laptop mail and log.",
            ),
            Variable(
                name="AUDIT_SIGNER_DIR",
                default="",
                example="/var/lib/koshflow-audit",
                why="Folder of the audit log's signing key and memory, apart from the database and its backups; empty: "
                "audit-log in the data folder. Hosts that seal share one.",
            ),
            Variable(
                name="AUDIT_WITNESSES",
                kind="list",
                default=[],
                example="https://witness.example.in witness.example.in+0d7d7b34+BKk...",
                why="Witnesses of the audit log, separated by commas: where each is reached, a space, and the key that "
                "`audit_witness --init` printed.",
            ),
            Variable(
                name="AUDIT_RETENTION_DAYS",
                kind="list",
                default=[],
                example="auth=730,noise=365",
                why="Days for which classes of audit events are kept beyond their floors, before `audit_retention` may "
                "archive and delete them; less than a floor is refused. Empty: the floors.",
            ),
            Variable(
                name="AUDIT_SYSLOG",
                default="",
                example="tls://siem.example.in:6514",
                why="Syslog receiver (tls://, tcp:// or udp://, host:port) that the sealed audit log is forwarded to; "
                "empty: none.",
            ),
            Variable(
                name="AUDIT_SYSLOG_CA",
                default="",
                example="/etc/koshflow/siem-ca.pem",
                why="File of the authorities that may vouch for a tls:// receiver; empty: the system's.",
            ),
            Variable(
                name="AUDIT_SIEM_FORMAT",
                default="json",
                choices=("json", "cef", "ocsf"),
                why="What a forwarded event looks like inside its syslog message.",
            ),
            Variable(
                name="ALLOWED_HOSTS",
                kind="list",
                relaxed=["localhost", "127.0.0.1", "[::1]", "testserver"],
                example="api.example.in",
                why="Host names this server answers to, separated by commas. `*` is refused in production.",
            ),
            Variable(
                name="PUBLIC_URL",
                relaxed="http://127.0.0.1:8000",
                example="https://api.example.in",
                why="How clients reach this server; it is the issuer of our tokens.",
            ),
            Variable(
                name="WEB_URL",
                relaxed="http://127.0.0.1:3000",
                example="https://app.example.in",
                why="Where the web application is served; links in mails to people lead there.",
            ),
            Variable(
                name="TRUSTED_PROXIES",
                kind="list",
                default=[],
                example="10.0.5.10/32",
                why="PROXIES' OWN ADDRESSES ONLY (CIDR): a client inside can forge whom X-Forwarded-For says it is.",
            ),
            Variable(
                name="CORS_ALLOWED_ORIGINS",
                kind="list",
                default=[],
                example="https://app.example.in",
                why="Web origins that may call the API from a browser. `*` is refused.",
            ),
        ),
    ),
    (
        "Secrets",
        (
            Variable(
                name="SECRET_KEY",
                secret=True,
                minimum=50,
                why="Signs the admin's session and CSRF cookies; at least 50 random characters.",
            ),
            Variable(
                name="KEYRING",
                secret=True,
                minimum=100,
                why="JSON ring of versioned keys; made by `KOSHFLOW_ENV=local python manage.py keys_init FILE`.",
            ),
        ),
    ),
    (
        "Stores",
        (
            Variable(
                name="DATABASE_URL",
                example="postgres://koshflow:secret@db.example.in:5432/koshflow?sslmode=verify-full",
                secret=True,
                relaxed="",
                why="PostgreSQL; empty under local and test means SQLite in the data folder.",
            ),
            Variable(
                name="REDIS_URL",
                example="rediss://:secret@cache.example.in:6379/0",
                secret=True,
                relaxed="",
                why="Redis; empty under local and test means a cache inside the one process.",
            ),
        ),
    ),
    (
        "Mail",
        (
            Variable(
                name="EMAIL_URL",
                secret=True,
                relaxed="",
                example="submission://user:secret@mail.example.in:587",
                why="Mail relay, submission:// for TLS; empty under local and test means files in the data folder.",
            ),
            Variable(
                name="DEFAULT_FROM_EMAIL",
                default="KoshFlow <no-reply@koshflow.com>",
                why="Sender of mails to people.",
            ),
        ),
    ),
    ALERTS,
    (
        "Policy",
        (
            Variable(
                name="SECURITY_PROFILE",
                default="default",
                choices=("default", "asvs"),
                why="asvs sets PASSWORD_POLICY=asvs, REQUIRE_2FA=all, ENUMERATION_SAFE=1 and TOTP_STRICT=1.",
            ),
            Variable(
                name="PASSWORD_POLICY",
                default="default",
                choices=("default", "asvs"),
                why="default: 8 characters of four classes; asvs: 15 characters (8 with a second factor), no classes.",
            ),
            Variable(
                name="TOTP_STRICT",
                kind="bool",
                default=False,
                why="Accept only the current 30-second code, not one step either way.",
            ),
            Variable(
                name="REQUIRE_2FA",
                default="staff",
                choices=("staff", "all"),
                why="Who must have a second factor: staff (the admin asks for it), or all (the API does too).",
            ),
            Variable(
                name="SESSION_BINDING",
                default="family",
                # Trying things out, you sign in with curl and go on in Swagger UI.
                relaxed="off",
                choices=("off", "family", "strict"),
                why="What ends a session: another kind of client (family), another network too (strict), or neither "
                "(off, the default of local).",
            ),
            Variable(
                name="SCREENING",
                default="observe",
                choices=("observe", "enforce"),
                why="Requests that look like attacks are recorded (observe), or refused as well (enforce).",
            ),
            Variable(
                name="SCREENING_THRESHOLD",
                kind="int",
                default=5,
                why="Score from which `enforce` refuses, 3 to 20; an ordinary request has 0.",
            ),
            Variable(
                name="BREACHED_PASSWORDS_FILE",
                default="",
                example="/srv/breached/sha1-sorted.txt",
                why="Sorted file of upper-case SHA-1 lines whose passwords are refused.",
            ),
            Variable(
                name="API_DOCS_PUBLIC",
                kind="bool",
                default=False,
                why="Show /api-docs to everyone; otherwise staff only (local always shows it).",
            ),
            Variable(
                name="OPERATOR_TOKEN",
                default="",
                secret=True,
                minimum=32,
                why="Bearer token for /health/detailed and /metrics, at least 32 characters; empty: no such token.",
            ),
            Variable(
                name="OPERATOR_NETWORKS",
                kind="list",
                default=[],
                example="127.0.0.1/32",
                why="Networks (CIDR) that may read /health/detailed and /metrics without a token.",
            ),
        ),
    ),
    (
        "Limits",
        (
            Variable(
                name="RATE_LIMIT_GENERAL",
                default="100/15m",
                why="Requests of one person to the API (of one address, without a sign-in): number/period.",
            ),
            Variable(
                name="RATE_LIMIT_ADDRESS",
                default="3000/15m",
                why="Requests from one address, whoever sends them; wide, because an office shares one.",
            ),
            Variable(name="RATE_LIMIT_REGISTER", default="20/1h", why="Registrations tried from one address."),
            Variable(name="RATE_LIMIT_PAGES", default="600/15m", why="Pages of the admin and the docs, per address."),
            Variable(
                name="SLOW_DOWN",
                kind="bool",
                default=True,
                why="Hold answers back a little (at most half a second) once half of RATE_LIMIT_GENERAL is used.",
            ),
        ),
    ),
    SERVER,
    (
        "Numbers",
        (
            Variable(name="MAX_BODY_BYTES", kind="int", default=1_000_000, why="Largest request body, in bytes."),
            Variable(
                name="BCRYPT_ROUNDS",
                kind="int",
                default=14,
                why="bcrypt cost of new password hashes, 10 to 16.",
            ),
            Variable(
                name="SLOW_QUERY_MS",
                kind="int",
                default=200,
                why="SQL statements that take so many milliseconds or longer are logged, without their values.",
            ),
            Variable(
                name="DATABASE_POOL",
                kind="int",
                default=0,
                why="Most connections of one process to PostgreSQL, kept in a pool; 0: each thread keeps its own.",
            ),
            Variable(name="LOG_LEVEL", default="INFO", why="Least level that is logged; the audit log's always are."),
            Variable(
                name="LOG_DIR",
                default="",
                example="/var/log/koshflow",
                why="Folder that log lines are written to; empty: standard output, and in place of a terminal logs "
                "in the data folder.",
            ),
        ),
    ),
)
VARIABLES = {variable.name: variable for _, group in GROUPS for variable in group}
