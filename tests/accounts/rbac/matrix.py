"""Who may call what: the table that a test holds against the running API and that becomes `docs/permissions.md`."""

from security.rbac import Role

EVERYBODY = "everybody"
SIGNED_IN = frozenset({*Role, "staff"})
PEOPLE_WHO_SEE_THE_COMPANY = frozenset({Role.ADMIN, Role.ACCOUNTANT, Role.VIEWER})

# (method, path) → who gets past authentication and permission.
MATRIX: dict[tuple[str, str], frozenset[str] | str] = {
    ("POST", "/api/auth/register"): EVERYBODY,
    ("POST", "/api/auth/login"): EVERYBODY,
    ("POST", "/api/auth/refresh"): EVERYBODY,
    ("POST", "/api/auth/password-reset"): EVERYBODY,
    ("POST", "/api/auth/password-reset/confirm"): EVERYBODY,
    ("GET", "/.well-known/jwks.json"): EVERYBODY,
    ("GET", "/.well-known/security.txt"): EVERYBODY,
    ("GET", "/.well-known/change-password"): EVERYBODY,
    ("GET", "/errors"): EVERYBODY,
    ("GET", "/security-policy"): EVERYBODY,
    ("POST", "/csp-report"): EVERYBODY,
    ("GET", "/health"): EVERYBODY,
    ("GET", "/health/live"): EVERYBODY,
    ("GET", "/health/ready"): EVERYBODY,
    ("GET", "/api-docs/openapi.json"): EVERYBODY,
    ("GET", "/api/auth/me"): SIGNED_IN,
    ("PATCH", "/api/auth/me"): SIGNED_IN,
    ("POST", "/api/auth/logout"): SIGNED_IN,
    ("POST", "/api/auth/change-password"): SIGNED_IN,
    ("GET", "/api/auth/sessions"): SIGNED_IN,
    ("DELETE", "/api/auth/sessions"): SIGNED_IN,
    ("DELETE", "/api/auth/sessions/{id}"): SIGNED_IN,
    ("GET", "/api/auth/2fa"): SIGNED_IN,
    ("POST", "/api/auth/2fa/setup"): SIGNED_IN,
    ("POST", "/api/auth/2fa/verify"): SIGNED_IN,
    ("POST", "/api/auth/2fa/disable"): SIGNED_IN,
    ("POST", "/api/auth/2fa/recovery-codes"): SIGNED_IN,
    ("GET", "/api/company"): PEOPLE_WHO_SEE_THE_COMPANY,
    ("PATCH", "/api/company"): frozenset({Role.ADMIN}),
    ("GET", "/api/audit/events"): frozenset({Role.ADMIN}),
    ("GET", "/api/audit/events/{id}"): frozenset({Role.ADMIN}),
    ("GET", "/api/audit/checkpoints"): frozenset({Role.ADMIN}),
    ("GET", "/api/audit/exports"): frozenset({Role.ADMIN}),
    ("POST", "/api/audit/exports"): frozenset({Role.ADMIN}),
    ("GET", "/api/audit/exports/{id}"): frozenset({Role.ADMIN}),
    ("GET", "/api/audit/exports/{id}/file"): frozenset({Role.ADMIN}),
    # Staff whose group is Auditor or Administrator; staff of no group stand here.
    ("GET", "/api/audit/log/checkpoint"): frozenset(),
    ("GET", "/api/audit/log/tile/{place}"): frozenset(),
    # By operator token, listed network or a verified staff session; an access token of the API opens neither.
    ("GET", "/health/detailed"): frozenset(),
    ("GET", "/metrics"): frozenset(),
}


def page() -> str:
    """`docs/permissions.md`."""
    columns = ["no sign-in", *(role.value for role in Role), "staff"]
    lines = [
        "# Who may call what",
        "",
        "Roles belong to a person in their company; what a role may do is one table, `security/rbac/policy.py`. A test",
        "calls every row as every column. `yes` means past sign-in and permission: bad input is still refused. Staff",
        "have no role; they work in the admin, by their groups, and reach only their own account through the API.",
        "`/health/detailed` and `/metrics` open to the operator token, to listed networks and to staff in the admin.",
        "`/api/audit/log` and `/api/audit/exports` open to staff with the right to the audit log, by their group.",
        "The documentation is open to everybody locally and where `API_DOCS_PUBLIC=1`, else to staff in the admin.",
        "",
        "| method | path | " + " | ".join(columns) + " |",
        "| --- | --- |" + " --- |" * len(columns),
    ]
    for (method, path), allowed in MATRIX.items():
        who = {"no sign-in", *SIGNED_IN} if allowed == EVERYBODY else allowed
        cells = ["yes" if column in who else "–" for column in columns]
        lines.append(f"| {method} | `{path}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
