"""The audit log's face: what happened, by whom and to whom, in the transaction in which it happened."""

from security.audit.actions import ERASURES, Action, AuditClass, Outcome
from security.audit.addresses import address_indexes, reindex_addresses
from security.audit.agent import agent_family
from security.audit.disclosure import disclosed_values, erase_personal_values, proved
from security.audit.floods import Allowance, counted, windows
from security.audit.leaf import Leaf, LeafRefused
from security.audit.marks import NO_KEY, MarkWrong, check_mark, may_lack_key
from security.audit.models import ADDRESS_FIELD, AuditEvent, AuditIsAppendOnly, AuditPii, UnidentifiedSubject, take_out
from security.audit.noise import mark_refusal
from security.audit.search import CLOCKS, MOST_LOOKED_AT, Found, Wanted, find, least_id, places, walk
from security.audit.services import AuditOutsideTransaction, record, record_refusal
from security.audit.signals import event_recorded

__all__ = [
    "ADDRESS_FIELD",
    "CLOCKS",
    "ERASURES",
    "MOST_LOOKED_AT",
    "NO_KEY",
    "Action",
    "Allowance",
    "AuditClass",
    "AuditEvent",
    "AuditIsAppendOnly",
    "AuditOutsideTransaction",
    "AuditPii",
    "Found",
    "Leaf",
    "LeafRefused",
    "MarkWrong",
    "Outcome",
    "UnidentifiedSubject",
    "Wanted",
    "address_indexes",
    "agent_family",
    "check_mark",
    "counted",
    "disclosed_values",
    "erase_personal_values",
    "event_recorded",
    "find",
    "least_id",
    "mark_refusal",
    "may_lack_key",
    "places",
    "proved",
    "record",
    "record_refusal",
    "reindex_addresses",
    "take_out",
    "walk",
    "windows",
]
