"""Invented values that no sink may ever hold, valid in form."""

SECRETS = (
    "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl",
    "Bearer s3cr3t-operator-token-value",
    "postgres://koshflow:hunter2hunter2@db.example.in/koshflow",
    "password=Monsoon-Ledger-47",
    "otpauth://totp/KoshFlow:asha?secret=JBSWY3DPEHPK3PXP",
)
PERSONAL = (
    "asha.rao@lotus.example.in",
    "आशा@उदाहरण.भारत",
    "+919876543210",
    "+91 98765 43210",
    "9876543210",
    "ABCPE1234F",
    "29ABCPE1234F1Z5",
    "203.0.113.7",
    "2001:db8::7",
    "fe80::1ff:fe23:4567:890a",
)
