"""Rules about what people get: how many requests fail, and how long the others take."""

from monitoring.alerts.rules import Family, Peak, Quantile, Rate, Ratio, Rule, Severity
from monitoring.rollups import MEMORY_USED, REQUESTS, Selector

_HOUR, _DAY = 3600, 24 * 3600
_ALL, _FAILED = Selector(REQUESTS.name), Selector(REQUESTS.name, having=(("status_class", "5xx"),))
_DURATIONS = "kf_http_request_duration_seconds_bucket"
# A flood of sign-ins is refused with 503 so that all others go on: no fault, and `password_queue` tells of it.
_BUSY = Selector("kf_refusals_total", having=(("code", "BUSY"),))
# They hash a password, which takes a second by itself: at night they are most of what there is.
HASHING = tuple(
    ("route", route)
    for route in (
        "/api/auth/login",
        "/api/auth/register",
        "/api/auth/change-password",
        "/api/auth/password-reset/confirm",
        "/api/auth/2fa/disable",
        "/admin/login/",
        "/admin/password_change/",
    )
)
# 99.9 % of requests answered without a fault of ours.
_BUDGET = 0.001

ERRORS = (
    Rule(
        name="server_errors",
        family=Family.ERRORS,
        severity=Severity.WARNING,
        title="More than 5 % of requests fail",
        expression=Ratio(part=_FAILED, whole=_ALL, less=_BUSY, windows=(300, 60), calm=300, least=5),
        threshold=0.05,
        clear=0.025,
        inhibits=("error_budget_fast", "error_budget_slow", "error_budget_ticket"),
    ),
    Rule(
        name="server_errors_critical",
        family=Family.ERRORS,
        severity=Severity.CRITICAL,
        title="More than a quarter of requests fail",
        expression=Ratio(part=_FAILED, whole=_ALL, less=_BUSY, windows=(60, 30), calm=300, least=5),
        threshold=0.25,
        clear=0.125,
        inhibits=("server_errors", "error_budget_fast", "error_budget_slow", "error_budget_ticket"),
    ),
    Rule(
        name="error_budget_fast",
        family=Family.ERRORS,
        severity=Severity.WARNING,
        title="Errors use up a month's budget in two days",
        expression=Ratio(part=_FAILED, whole=_ALL, less=_BUSY, windows=(_HOUR, 300), calm=300, least=5),
        threshold=14.4 * _BUDGET,
        clear=7.2 * _BUDGET,
        inhibits=("error_budget_slow", "error_budget_ticket"),
    ),
    Rule(
        name="error_budget_slow",
        family=Family.ERRORS,
        severity=Severity.WARNING,
        title="Errors use up a month's budget in five days",
        expression=Ratio(part=_FAILED, whole=_ALL, less=_BUSY, windows=(6 * _HOUR, 1800), calm=1800, least=10),
        threshold=6 * _BUDGET,
        clear=3 * _BUDGET,
        every_seconds=60,
        inhibits=("error_budget_ticket",),
    ),
    Rule(
        name="error_budget_ticket",
        family=Family.ERRORS,
        severity=Severity.INFO,
        title="For days errors have been above their budget",
        expression=Ratio(part=_FAILED, whole=_ALL, less=_BUSY, windows=(3 * _DAY, 6 * _HOUR), calm=6 * _HOUR, least=30),
        threshold=2 * _BUDGET,
        clear=1.5 * _BUDGET,
        every_seconds=300,
    ),
)
GROUPS = (
    Rule(
        name="error_new",
        family=Family.ERRORS,
        severity=Severity.INFO,
        title="A failure was logged that is unlike all before",
        expression=Rate(of=Selector("kf_error_groups_total", having=(("event", "new"),)), seconds=300),
        threshold=0,
    ),
    Rule(
        name="error_returned",
        family=Family.ERRORS,
        severity=Severity.WARNING,
        title="A failure that was called resolved came back",
        expression=Rate(of=Selector("kf_error_groups_total", having=(("event", "regressed"),)), seconds=300),
        threshold=0,
    ),
)
PERFORMANCE = (
    Rule(
        name="slow_requests",
        family=Family.PERFORMANCE,
        severity=Severity.WARNING,
        title="One request in twenty takes more than a second",
        expression=Quantile(of=Selector(_DURATIONS, without=HASHING), q=0.95, seconds=300),
        threshold=1.0,
        clear=0.75,
        for_seconds=600,
    ),
    Rule(
        name="password_queue",
        family=Family.PERFORMANCE,
        severity=Severity.WARNING,
        title="Sign-ins wait more than half a second for their turn to hash",
        expression=Quantile(of=Selector("kf_password_hash_queue_seconds_bucket"), q=0.95, seconds=300),
        threshold=0.5,
        clear=0.25,
        for_seconds=60,
    ),
    Rule(
        name="n_plus_one",
        family=Family.PERFORMANCE,
        severity=Severity.INFO,
        title="More than 5 % of requests run one statement again and again",
        # A request counts once for each place that repeats: two places in half of them are 100 %.
        expression=Ratio(part=Selector("kf_db_n_plus_one_total"), whole=_ALL, windows=(600, 60), calm=600, least=20),
        threshold=0.05,
        clear=0.025,
    ),
    Rule(
        name="memory_high",
        family=Family.PERFORMANCE,
        severity=Severity.WARNING,
        title="The server's processes take more than 80 % of the memory there is",
        expression=Peak(of=Selector(MEMORY_USED), seconds=60),
        threshold=0.8,
        clear=0.75,
        for_seconds=120,
    ),
)
