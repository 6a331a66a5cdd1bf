"""Runnable request bodies of the document. `tests/contract/test_openapi.py` sends each of them, in this order.

What only an earlier answer can tell (a refresh token, a code of the authenticator app, the token of a mail) stands
here as a sample of the right form; whoever runs the example puts the real one in its place.
"""

from typing import Any

Body = dict[str, Any]

_EMAIL, _PASSWORD = "asha@lotus.example.in", "Monsoon-Ledger-47"

EXAMPLES: dict[str, Body] = {
    "register": {
        "companyName": "Lotus Traders",
        "companyEmail": "office@lotus.example.in",
        "adminName": "Asha Rao",
        "adminEmail": _EMAIL,
        "password": _PASSWORD,
        "phone": "+91 98765 43210",
    },
    "login": {"email": _EMAIL, "password": _PASSWORD},
    "refresh": {"refreshToken": "eyJ0eXAiOiJydCtqd3QiLCJhbGciOiJFZERTQSJ9.…"},
    "me_update": {"name": "Asha R. Rao", "phone": "+91 98450 12345"},
    "company_update": {"name": "Lotus Traders and Sons"},
    "audit_export_create": {"financialYear": "2026-27", "format": "jsonl"},
    "two_factor_setup": {"password": _PASSWORD},
    "two_factor_verify": {"token": "492039"},
    "two_factor_recovery_codes": {"token": "492039", "password": _PASSWORD},
    "two_factor_disable": {"token": "492039", "password": _PASSWORD},
    "change_password": {"currentPassword": _PASSWORD, "newPassword": "Another-Harvest-58"},
    "logout": {"allDevices": True},
    "password_reset": {"email": _EMAIL},
    "password_reset_confirm": {
        "token": "b1Zt0aUuWl3X7cQK5v9e2nRkY8sHjD4mPqTfLgCxWoE",
        "newPassword": "Harbour-Lantern-29",
    },
}

# Further ways to call one operation: operation id → what it shows → body.
MORE_EXAMPLES: dict[str, dict[str, Body]] = {
    "audit_export_create": {
        "any time": {"from": "2026-11-01T00:00:00+05:30", "to": "2026-12-01T00:00:00+05:30", "format": "csv"},
    },
    "login": {
        "password and code": {"email": _EMAIL, "password": _PASSWORD, "twoFactorCode": "492039"},
        "answer to a challenge": {
            "challengeToken": "eyJ0eXAiOiJtZmErand0IiwiYWxnIjoiRWREU0EifQ.…",
            "twoFactorCode": "492039",
        },
    },
}
