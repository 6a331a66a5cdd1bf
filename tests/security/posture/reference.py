"""Writes the findings in `docs/security-audit.md` from the registry: `python -m tests.security.posture.reference`."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "security-audit.md"
HEADING = "## Findings\n"


def table() -> str:
    """One section a finding, by id."""
    from security.posture.registry import Reads, rules

    lines = []
    for rule in rules():
        where = "production only" if rule.production_only else "everywhere"
        by = "system check and command" if rule.reads is Reads.CONFIGURATION else "command"
        lines += ["", f"### {rule.id} {rule.title}", "", f"*{rule.severity.value}, {where}, {by}.* {rule.why}", ""]
        lines += [f"**Remedy:** {rule.remedy}"]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The whole document: what people wrote above the heading, then the findings as the registry has them."""
    head, _, _ = PAGE.read_text().partition(HEADING)
    return head + HEADING + table()


def main() -> None:
    os.environ.setdefault("KOSHFLOW_ENV", "test")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "koshflow.settings")
    import django

    django.setup()
    PAGE.write_text(page())
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
