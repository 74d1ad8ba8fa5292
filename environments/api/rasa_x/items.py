"""A model as Rasa X shows it (rasa-facts, section 4), with the members that only older clients read."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Project
from environments.models import ServerCheck, TrainedModel
from environments.names import ACTIVE, PRODUCTION
from environments.versions import is_older


class ItemSerializer(serializers.Serializer[TrainedModel]):
    """`trained_at` in seconds since 1970. `is_compatible`: production's last known server takes it; unknown is true."""

    project = serializers.CharField(source="project.name")
    model = serializers.CharField(source="name")
    path = serializers.CharField(source="filename")
    hash = serializers.CharField()
    version = serializers.CharField()
    trained_at = serializers.SerializerMethodField()
    type = serializers.SerializerMethodField()
    tags = serializers.SerializerMethodField()
    is_compatible = serializers.SerializerMethodField()

    def get_trained_at(self, model: TrainedModel) -> float:
        return model.trained_at.timestamp()

    @extend_schema_field(serializers.ChoiceField(["rasa", "nlu", "core"]))
    def get_type(self, model: TrainedModel) -> str:
        """Rasa names partial models so that this can be told."""
        prefix = model.name.partition("-")[0]
        return prefix if prefix in ("nlu", "core") else "rasa"

    def get_tags(self, model: TrainedModel) -> list[str]:
        tags = [tag.name for tag in model.tags.all()]
        return [*tags, ACTIVE] if self.context["with_active"] and PRODUCTION in tags else tags

    def get_is_compatible(self, model: TrainedModel) -> bool:
        return not is_older(model.version, self.context["minimum"])


def items(project: Project, models: Iterable[TrainedModel], *, with_active: bool = False) -> list[Any]:
    """`with_active` lists the tag `active` where `production` is, as Rasa Platform did."""
    checks = ServerCheck.objects.filter(environment__project=project, environment__name=PRODUCTION)
    minimum = checks.values_list("minimum_compatible_version", flat=True).first() or ""
    context = {"minimum": minimum, "with_active": with_active}
    return [ItemSerializer(model, context=context).data for model in models]
