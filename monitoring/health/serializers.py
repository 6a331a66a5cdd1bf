"""What the probes answer, for the documentation; the documents themselves are built by `documents.py`."""

from typing import Any

from rest_framework import serializers

from monitoring.health.readings import Health, Status


class LiveSerializer(serializers.Serializer[Any]):
    """The process runs."""

    status = serializers.ChoiceField(choices=["ok"])


class HealthSerializer(serializers.Serializer[Any]):
    """Whether this process can serve; no versions, hosts or errors."""

    status = serializers.ChoiceField(choices=[member.value for member in Health])
    timestamp = serializers.DateTimeField()
    uptime = serializers.IntegerField(help_text="Seconds.")


class CheckSerializer(serializers.Serializer[Any]):
    """One measurement."""

    status = serializers.ChoiceField(choices=[member.value for member in Status])
    observedValue = serializers.FloatField(required=False)  # noqa: N815 - the draft's name
    observedUnit = serializers.CharField(required=False)  # noqa: N815
    output = serializers.CharField(required=False, help_text="The kind of fault.")
    time = serializers.DateTimeField()


class DetailedHealthSerializer(HealthSerializer):
    """The same with every measurement, by `component:measurement`."""

    version = serializers.CharField()
    checks = serializers.DictField(child=CheckSerializer(many=True))
