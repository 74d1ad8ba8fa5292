"""The tallies of some projects, read at once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from accounts.models import Project
from environments.metric_families import Family
from environments.models import Tally


@dataclass(frozen=True)
class Counts:
    """By metric, project and subject: what each label has."""

    values: Mapping[tuple[str, int, str], Mapping[str, float]]

    @classmethod
    def of(cls, projects: Sequence[Project]) -> "Counts":
        found: dict[tuple[str, int, str], dict[str, float]] = defaultdict(dict)
        rows = Tally.objects.filter(project__in=projects)
        for metric, project, subject, label, value in rows.values_list(
            "metric", "project", "subject", "label", "value"
        ):
            found[metric, project, subject][label] = value
        return cls(found)

    def all(self, family: Family, project_id: int, subject: str) -> Mapping[str, float]:
        return self.values.get((family.name, project_id, subject), {})

    def one(self, family: Family, project_id: int, subject: str, label: str = "") -> float:
        return self.all(family, project_id, subject).get(label, 0.0)
