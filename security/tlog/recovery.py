"""Lets an older database that was put back go on: under a new epoch, whose first event quotes what was lost.

The old epoch never signs again, so nobody can be shown two histories of it; whoever kept its last checkpoint can see
which events the restored database lacks.
"""

import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from security.audit import Action, record
from security.operator_account import check_reason
from security.tlog.epochs import Epochs
from security.tlog.heartbeats import LONGEST_SILENCE
from security.tlog.models import AuditLog
from security.tlog.note import Checkpoint, NoteInvalid, VerifierKey, open_note
from security.tlog.sealing import MISPLACED, NEVER_SIGNED, SealRefused, append_to_tree
from security.tlog.signer import Signer, hold_signer
from security.tlog.store import hold_tree, last_checkpoint, misplaced, stored_nodes
from security.tlog.tiles import TileMissing
from security.tlog.tree import EMPTY_ROOT, root_of

_ELSE = "; restore another backup"


class NothingToRecover(RuntimeError):  # noqa: N818 - named for what happened
    """Database and signer agree: sealing goes on by itself."""


@dataclass(frozen=True, slots=True)
class Loss:
    """The last tree that is known to have been signed, and the one that the database still has.

    `epoch` and `key` are of the epoch that ends, as the database has them: 0 and "" where it has none.
    """

    signed: Checkpoint
    kept: Checkpoint
    epoch: int = 0
    key: str = ""

    @property
    def events(self) -> int:
        """How many sealed events the database lacks at least."""
        return max(0, self.signed.size - self.kept.size)


def recover(*, operator: str, reason: str, is_dry: bool) -> Loss:
    """Begin a new epoch on the database's last signed tree. With `is_dry` only say what is lost.

    Raises ReasonRefused, NothingToRecover, SealRefused where the database's own tree does not hold, SignerUnavailable.
    """
    check_reason(reason)
    host = urlsplit(settings.PUBLIC_URL).netloc
    with hold_signer(settings.AUDIT_SIGNER_DIR, host=host, may_create=not is_dry) as signer:
        with transaction.atomic(durable=True):
            if not hold_tree():
                raise SealRefused("another process is sealing; try again")
            loss = _loss(signer)
        if is_dry:
            return loss
        if signer.lost != loss.signed:  # else a run before this one ended between the two
            epoch = max(signer.epoch, loss.epoch) + 1
            signer.begin_epoch(epoch, size=loss.kept.size, root=loss.kept.root, lost=loss.signed)
        with transaction.atomic(durable=True):
            if not hold_tree():
                raise SealRefused("another process is sealing; try again")
            _open_epoch(signer, loss, operator=operator, reason=reason)
        return loss


def _loss(signer: Signer) -> Loss:
    signed, last = signer.last.checkpoint, last_checkpoint()
    log, epochs = AuditLog.objects.order_by("-epoch").first(), Epochs()
    _check_rows(epochs, size=last.size if last else 0)
    if log and log.origin == signer.origin and log.verifier_key != str(signer.key):
        raise SealRefused(f"the database names a key of {log.origin} that is not the signer's{_ELSE}")
    kept = Checkpoint(origin=log.origin if log else "", size=0, root=EMPTY_ROOT)
    if last is not None:
        kept = last.as_checkpoint()
        if not last.note and kept.origin == signer.origin and (kept.size > signed.size or kept == signed):
            raise NothingToRecover("a seal ended half way, and nothing is to recover: audit_seal signs what it left")
        try:
            opened = open_note(last.note, [VerifierKey.parse(last.log.verifier_key)])
            tiles = root_of(stored_nodes(), kept.size)
        except (NoteInvalid, TileMissing) as wrong:
            raise SealRefused(f"checkpoint {kept.size} does not hold: {wrong}{_ELSE}") from wrong
        if opened.text != kept.text or not hmac.compare_digest(tiles, kept.root):
            raise SealRefused(f"checkpoint {kept.size} is not what the tiles give{_ELSE}")
        if last.log != epochs.of(kept.size):
            raise SealRefused(f"checkpoint {kept.size} is of {kept.origin}, which does not sign that size{_ELSE}")
        if not signer.last.note:  # a new signer, after one was lost: only the database tells what that one signed
            if last.created_at > timezone.now() - LONGEST_SILENCE:
                what = f"the log was sealed at {last.created_at:%H:%M:%S} UTC, and its signer is not in this folder"
                raise SealRefused(f"{what}: run this where it is or, if it is lost, half an hour after that")
            signed = kept
        elif kept.size > signed.size:
            raise SealRefused(f"the database ends at {kept.size} events, {NEVER_SIGNED.format(signed.size)}{_ELSE}")
    if (signed.size, signed.root) == (kept.size, kept.root):
        if log is None or log.origin == signer.origin:
            raise NothingToRecover("database and signer agree; nothing is to recover")
        signed = signer.lost or signed
    return Loss(signed=signed, kept=kept, epoch=log.epoch if log else 0, key=log.verifier_key if log else "")


def _check_rows(epochs: Epochs, *, size: int) -> None:
    """Raises SealRefused for what somebody put in: a log that the tree does not tell of, an event that it has not."""
    for strange in epochs.strange:
        what = f"the database names the log {strange.verifier_key}, which the tree does not tell of"
        raise SealRefused(f"{what}{_ELSE}")
    if (event := misplaced(size)) is not None:
        raise SealRefused(f"event {event.event_id} {MISPLACED}{_ELSE}")


def _open_epoch(signer: Signer, loss: Loss, *, operator: str, reason: str) -> None:
    log = AuditLog.objects.create(epoch=signer.epoch, origin=signer.origin, verifier_key=str(signer.key))
    event = record(
        Action.AUDIT_LOG_RECOVERED,
        data={
            "operator": operator,
            "reason": reason,
            "origin": signer.origin,
            "ended": loss.key,
            "lost": {
                "origin": loss.signed.origin,
                "size": loss.signed.size,
                "root": loss.signed.root.hex(),
            },
        },
    )
    append_to_tree(log, size=loss.kept.size, root=loss.kept.root, only=event.pk)
