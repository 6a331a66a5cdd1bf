"""How far each key has come: its state, how much still needs it, and from when it may be removed."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Count, Q

from security.audit import AuditEvent
from security.crypto import Key, KeyDestroyed, KeyRing, SubjectKey, indexed_columns
from security.hashing import BcryptHmacHasher
from security.tlog import last_signed

_CLOCKS_DIFFER_BY = timedelta(minutes=1)
_ROWS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """A key without its secret. `rows` is how many rows need it; None for a token key, whose tokens are in no row.

    `free_at` is when the last token under a retired token key has expired; None for others, and where it is not known.
    """

    use: str
    id: str
    state: str
    created: datetime
    since: datetime | None
    rows: int | None
    free_at: datetime | None

    def why_kept(self, *, now: datetime) -> str:
        """Why a retired key may not be removed at `now`; empty when it may."""
        if self.use == "jwt":
            if self.free_at is None:
                return 'the ring does not say since when it is retired; write "since" into its entry'
            return f"tokens it signed live until {self.free_at:%Y-%m-%d %H:%M} UTC" if now < self.free_at else ""
        return f"{self.rows} {_NEED[self.use]}" if self.rows else ""


_NEED = {
    "kek": "data keys are wrapped under it; run --step rewrap",
    "index": "rows are indexed under it; run --step rewrap",
    "pepper": "passwords were hashed with it; each is hashed anew at its owner's next sign-in",
    "audit_mac": "events that no checkpoint covers yet carry its mark; wait for the next seal",
}


def standings(ring: KeyRing, *, uses: tuple[str, ...]) -> list[KeyStanding]:
    """The keys of `uses`, in the ring's order. Reads every row that has a blind index, where that use is asked for."""
    found = {use: _rows_by_key(use, ring=ring) for use in uses}
    return [
        KeyStanding(
            use=key.use,
            id=key.id,
            state=key.state,
            created=key.created,
            since=key.since,
            rows=None if key.use == "jwt" else found[key.use][key.id],
            free_at=_last_token_ends(key),
        )
        for key in ring.keys
        if key.use in uses
    ]


def _rows_by_key(use: str, *, ring: KeyRing) -> Counter[str]:
    if use == "kek":
        alive = SubjectKey.objects.filter(wrapped__isnull=False).values_list("kek_version")
        return Counter({str(version): count for version, count in alive.annotate(count=Count("pk"))})
    if use == "audit_mac":
        return unsealed_by_key()
    if use == "pepper":
        people = get_user_model()._default_manager
        prefix = BcryptHmacHasher.algorithm
        return Counter(
            {key.id: people.filter(password__startswith=f"{prefix}${key.id}$").count() for key in ring.all(use)}
        )
    if use == "index":
        found = AuditEvent.objects.filter(address_index__isnull=False).order_by().values_list("address_key")
        return Counter(_index_keys_in_use()) + Counter(dict(found.annotate(count=Count("pk"))))
    return Counter()


def unsealed_by_key() -> Counter[str]:
    """How many events no signed tree has yet under the mark of each key, also of one that the ring lacks.

    What has its place and no signature, since a seal ended half way, is looked at again before it is signed.
    """
    signed = last_signed()
    unsigned = Q(tree_index__isnull=True) | Q(tree_index__gte=signed.size if signed else 0)
    unsealed = AuditEvent.objects.filter(unsigned).order_by().values_list("mac_key")
    return Counter(dict(unsealed.annotate(count=Count("pk"))))


def _index_keys_in_use() -> Iterator[str]:
    """The id of the key behind each blind index that stands; "" for one that no key of the ring made."""
    for column in indexed_columns():
        rows = column.model._default_manager.exclude(**{f"{column.index}__isnull": True})
        for row in rows.iterator(chunk_size=_ROWS_AT_ONCE):
            try:
                made = column.indexes_of(getattr(row, column.text))
            except KeyDestroyed:
                continue
            stored = bytes(getattr(row, column.index))
            yield next((key_id for key_id, index in made.items() if index == stored), "")


def _last_token_ends(key: Key) -> datetime | None:
    if key.use != "jwt" or key.state != "retired" or key.since is None:
        return None
    longest = max(settings.SESSION_IDLE_SECONDS, settings.SESSION_ABSOLUTE_SECONDS, settings.ACCESS_TOKEN_SECONDS)
    return key.since + timedelta(seconds=longest) + _CLOCKS_DIFFER_BY
