"""What the routes of the audit trail ask for and show."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts.audit.labels import Kind, Label
from accounts.audit.trail import Told, Trail
from accounts.identity.documents import rfc3339
from security.audit import Action, AuditClass, AuditEvent, Outcome, Wanted
from security.tlog import AuditCheckpoint

_LONGEST = 128


class _Short:
    """Judges the length before anything reads the text, and says nothing of it afterwards."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if isinstance(data, str) and len(data) > _LONGEST:
            raise serializers.ValidationError("This field is too long.", code="max_length")
        return super().run_validation(data)  # type: ignore[misc] # of the field beside it


class MomentField(_Short, serializers.DateTimeField):
    """A time without a zone is India's."""

    def enforce_timezone(self, value: datetime) -> Any:
        try:
            return super().enforce_timezone(value)
        except OverflowError:  # in UTC it lies before the calendar begins
            self.fail("overflow")


class _IdField(_Short, serializers.UUIDField):
    pass


class _AddressField(_Short, serializers.IPAddressField):
    pass


class TextField(_Short, serializers.CharField):
    pass


class WordField(_Short, serializers.ChoiceField):
    default_error_messages = {"invalid_choice": "Use one of the words of the documentation."}


class EventSearchSerializer(serializers.Serializer[Any]):
    """Criteria of a search; each may be left out. Times are RFC 3339, `until` itself is left out."""

    since = MomentField(required=False)
    until = MomentField(required=False)
    actor = _IdField(required=False, help_text="Id of a person of your company: who did it.")
    target = _IdField(required=False, help_text="Id of a person of your company: to whom.")
    action = WordField(required=False, choices=[action.type for action in Action])
    outcome = WordField(required=False, choices=[outcome.value for outcome in Outcome])
    requestId = TextField(required=False, max_length=_LONGEST)  # noqa: N815 - the wire's name
    address = _AddressField(required=False, help_text="Of the client.")
    auditClass = WordField(required=False, choices=[c.value for c in AuditClass])  # noqa: N815

    def wanted(self) -> Wanted:
        """What a valid form asks for."""
        names = {"action": "type", "requestId": "request_id", "auditClass": "audit_class"}
        return Wanted(**{names.get(name, name): value for name, value in self.validated_data.items()})


class SubjectSerializer(serializers.Serializer[Any]):
    """Whom an event names. `id` and `name` are null for staff of the service and for who was erased."""

    kind = serializers.ChoiceField(choices=["person", "company", "staff", "erased"])
    id = serializers.UUIDField(allow_null=True)
    name = serializers.CharField(allow_null=True)


class EventSerializer(serializers.Serializer[Any]):
    """An event in a list. `index` is its place in the log, null until it is sealed."""

    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    action = serializers.CharField()
    auditClass = serializers.CharField()  # noqa: N815
    outcome = serializers.ChoiceField(choices=[outcome.value for outcome in Outcome])
    actor = SubjectSerializer(allow_null=True)
    target = SubjectSerializer(allow_null=True)
    requestId = serializers.CharField()  # noqa: N815
    index = serializers.IntegerField(allow_null=True)
    sealed = serializers.BooleanField()


class EventPageSerializer(serializers.Serializer[Any]):
    """A page, newest first. It may be shorter than asked for, even empty, where `next` leads on."""

    results = EventSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True, help_text="Always null: keep the addresses you came by.")


@extend_schema_serializer(component_name="AuditEvent")
class ToldSerializer(serializers.Serializer[Any]):
    """One event as it was sealed, with pseudonyms in place of people, and its proof (c2sp.org/tlog-proof)."""

    id = serializers.UUIDField()
    standing = serializers.ChoiceField(choices=["pending", "sealed", "changed"])
    event = serializers.DictField(allow_null=True, help_text="What was sealed: its canonical JSON is the leaf.")
    proof = serializers.CharField(allow_null=True)
    personal = serializers.ListField(
        child=serializers.CharField(), help_text="Names of the personal values that it commits to and that are kept."
    )

    def to_representation(self, instance: Told) -> dict[str, Any]:
        standing = "changed" if instance.is_changed else "sealed" if instance.proof else "pending"
        return {
            "id": str(instance.event.event_id),
            "standing": standing,
            "event": json.loads(bytes(instance.event.leaf)) if instance.leaf else None,
            "proof": instance.proof or None,
            "personal": instance.held,
        }


class CheckpointSerializer(serializers.Serializer[AuditCheckpoint]):
    """What the log signed over its first `size` events. `note` is the signed text (c2sp.org/tlog-checkpoint)."""

    size = serializers.IntegerField()
    createdAt = serializers.DateTimeField()  # noqa: N815
    note = serializers.CharField()

    def to_representation(self, instance: AuditCheckpoint) -> dict[str, Any]:
        return {"size": instance.size, "createdAt": rfc3339(instance.created_at), "note": instance.note}


def event_row(event: AuditEvent, trail: Trail, *, company: UUID) -> dict[str, Any]:
    """The document of an event in the list of the company of this id."""
    return {
        "id": str(event.event_id),
        "at": rfc3339(event.occurred_at),
        "action": event.type,
        "auditClass": event.audit_class,
        "outcome": event.outcome,
        "actor": _subject(trail.labels.get(event.actor) if event.actor else None, company=company),
        "target": _subject(trail.labels.get(event.target) if event.target else None, company=company),
        "requestId": event.request_id,
        "index": event.tree_index,
        "sealed": event.is_among(trail.sealed),
    }


def _subject(label: Label | None, *, company: UUID) -> dict[str, Any] | None:
    if label is None:
        return None
    if label.company == company:
        return {"kind": label.kind.value, "id": str(label.id), "name": label.text}
    # Somebody else's name is not theirs to see: staff who helped them, say.
    return {"kind": "staff" if label.kind is Kind.PERSON else "erased", "id": None, "name": None}
