"""Lets an older database that was put back go on: under a new epoch, whose first event quotes what was lost.

The old epoch never signs again, so nobody can be shown two histories of it; whoever kept its last checkpoint can see
which events the restored database lacks.
"""

import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from security.audit import Action, record
from security.operator_account import check_reason
from security.tlog.models import AuditLog
from security.tlog.note import Checkpoint, NoteInvalid, VerifierKey, open_note
from security.tlog.sealing import SealRefused, append_to_tree
from security.tlog.signer import Signer, hold_signer
from security.tlog.store import hold_tree, last_checkpoint, stored_nodes
from security.tlog.tiles import TileMissing
from security.tlog.tree import EMPTY_ROOT, root_of


class NothingToRecover(RuntimeError):  # noqa: N818 - named for what happened
    """Database and signer agree: sealing goes on by itself."""


@dataclass(frozen=True, slots=True)
class Loss:
    """The last tree that was signed, and the one that the database still has."""

    signed: Checkpoint
    kept: Checkpoint

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
            signer.begin_epoch(size=loss.kept.size, root=loss.kept.root)
        with transaction.atomic(durable=True):
            if not hold_tree():
                raise SealRefused("another process is sealing; try again")
            _open_epoch(signer, loss, operator=operator, reason=reason)
        return loss


def _loss(signer: Signer) -> Loss:
    signed, last = signer.last.checkpoint, last_checkpoint()
    log = AuditLog.objects.order_by("-epoch").first()
    kept = Checkpoint(origin=log.origin if log else "", size=0, root=EMPTY_ROOT)
    if last is not None:
        kept = last.as_checkpoint()
        try:
            opened = open_note(last.note, [VerifierKey.parse(last.log.verifier_key)])
            tiles = root_of(stored_nodes(), kept.size)
        except (NoteInvalid, TileMissing) as wrong:
            raise SealRefused(f"checkpoint {kept.size} does not hold: {wrong}; restore another backup") from wrong
        if opened.text != kept.text or not hmac.compare_digest(tiles, kept.root):
            raise SealRefused(f"checkpoint {kept.size} is not what the tiles give; restore another backup")
    if (signed.size, signed.root) == (kept.size, kept.root):
        if log is None or log.origin == signer.origin:
            raise NothingToRecover("database and signer agree; nothing is to recover")
        signed = signer.lost or signed
    return Loss(signed=signed, kept=kept)


def _open_epoch(signer: Signer, loss: Loss, *, operator: str, reason: str) -> None:
    epoch = int(signer.origin.rpartition("/")[2])
    log = AuditLog.objects.create(epoch=epoch, origin=signer.origin, verifier_key=str(signer.key))
    event = record(
        Action.AUDIT_LOG_RECOVERED,
        data={
            "operator": operator,
            "reason": reason,
            "origin": signer.origin,
            "lost": {
                "origin": loss.signed.origin,
                "size": loss.signed.size,
                "root": loss.signed.root.hex(),
            },
        },
    )
    append_to_tree(log, size=loss.kept.size, root=loss.kept.root, only=event.pk)
