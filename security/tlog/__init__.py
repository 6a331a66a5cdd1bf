"""The transparency log over the audit events: sealed into a tree, signed, verified, and taken away as proof.

Formats of c2sp.org (tlog-tiles, tlog-checkpoint, signed-note), so that tools which are not ours can check it.
"""

from security.tlog.anchoring import (
    WitnessMisnamed,
    configured_witnesses,
    newest_cosigned,
    witness_checkpoint,
    witness_lag,
)
from security.tlog.epochs import Epochs
from security.tlog.export import VERIFIER, Only, cosigned_notes, member, stream_bundle, write_bundle
from security.tlog.findings import Report
from security.tlog.heartbeats import Gap, Heartbeat, beat, gaps_between, heartbeats, longest_gap
from security.tlog.history import keep_verification, last_verification, verify_on_schedule
from security.tlog.inclusion import Proof, ProofWrong, Standing, log_standing, prove, standing_of
from security.tlog.models import AuditAnchor, AuditCheckpoint, AuditLog, AuditPruned, AuditTile, AuditVerification
from security.tlog.progress import progress
from security.tlog.pruned import (
    Digest,
    Pruning,
    as_bits,
    is_agreed,
    leaf_hashes,
    may_be_archived,
    note_taken,
    prunings,
    was_taken,
)
from security.tlog.recovery import NothingToRecover, recover
from security.tlog.sealing import SealRefused, first_of_full_batch, seal_on_schedule, seal_pending
from security.tlog.serving import serve_tile
from security.tlog.signer import LogForked, SignerUnavailable
from security.tlog.store import NotSealed, last_signed, oldest_pending, require_signed, signed_tree
from security.tlog.testimony import read_witness_note
from security.tlog.verification import verify_log

__all__ = [
    "VERIFIER",
    "AuditAnchor",
    "AuditCheckpoint",
    "AuditLog",
    "AuditPruned",
    "AuditTile",
    "AuditVerification",
    "Digest",
    "Epochs",
    "Gap",
    "Heartbeat",
    "LogForked",
    "NotSealed",
    "NothingToRecover",
    "Only",
    "Proof",
    "ProofWrong",
    "Pruning",
    "Report",
    "SealRefused",
    "SignerUnavailable",
    "Standing",
    "WitnessMisnamed",
    "as_bits",
    "beat",
    "configured_witnesses",
    "cosigned_notes",
    "first_of_full_batch",
    "gaps_between",
    "heartbeats",
    "is_agreed",
    "keep_verification",
    "last_signed",
    "last_verification",
    "leaf_hashes",
    "log_standing",
    "longest_gap",
    "may_be_archived",
    "member",
    "newest_cosigned",
    "note_taken",
    "oldest_pending",
    "progress",
    "prove",
    "prunings",
    "read_witness_note",
    "recover",
    "require_signed",
    "seal_on_schedule",
    "seal_pending",
    "serve_tile",
    "signed_tree",
    "standing_of",
    "stream_bundle",
    "verify_log",
    "verify_on_schedule",
    "was_taken",
    "witness_checkpoint",
    "witness_lag",
    "write_bundle",
]
