"""After a restore: what the servers of an environment have, held against what the backup says of it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from environments.models import TrainedModel
from environments.serving.members import ReplicaReport, live_ones
from environments.serving.reports import EnvironmentReport


@dataclass(frozen=True)
class Served:
    """What some of the servers have. `archive` is its SHA-256, None of a server that does not poll; `model` is None
    where the backup does not know it, or where it was deleted: its bytes must be uploaded first."""

    archive: str | None
    name: str
    model: TrainedModel | None
    replicas: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """What a person decides about `report.environment`. `served` is what servers have that were heard since the
    restore, `empty` names those that have nothing and `silent` those that were not heard since."""

    report: EnvironmentReport
    served: tuple[Served, ...]
    empty: tuple[str, ...]
    silent: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return any(served.model is None or served.model != self.report.model for served in self.served)

    @property
    def others(self) -> list[Served]:
        """What servers have, is known, and is not what the backup says: what one could go on with in its place."""
        return [served for served in self.served if served.model is not None and served.model != self.report.model]

    @property
    def kept(self) -> TrainedModel | None:
        """The one model that all servers have which have any, None where there is none such."""
        models = {served.model for served in self.served}
        return models.pop() if len(models) == 1 else None


def decision(report: EnvironmentReport, followers: Sequence[EnvironmentReport] = ()) -> Decision:
    """What is known of a frozen environment; servers of those that follow it count, under the names of both."""
    groups: dict[tuple[str | None, str], list[str]] = defaultdict(list)
    empty, silent = [], []
    for place in (report, *followers):
        prefix = "" if place is report else f"{place.environment.name}: "
        heard = [member for member in live_ones(place.members) if _was_heard(member, report)]
        silent += [prefix + member.name for member in place.members if member not in heard]
        for member in heard:
            if member.archive or member.model:
                groups[member.archive, member.model or ""].append(prefix + member.name)
            else:
                empty.append(prefix + member.name)
    served = [
        Served(archive, name, _model(report, archive, name), tuple(replicas))
        for (archive, name), replicas in sorted(groups.items(), key=str)
    ]
    return Decision(report, tuple(served), tuple(empty), tuple(silent))


def _was_heard(member: ReplicaReport, report: EnvironmentReport) -> bool:
    """Since the restore: what the backup tells of servers is not what they have now."""
    since = report.environment.frozen_at
    return since is None or member.last_poll_at is None or member.last_poll_at >= since


def _model(report: EnvironmentReport, archive: str | None, name: str) -> TrainedModel | None:
    models = TrainedModel.objects.present().filter(project_id=report.environment.project_id).defer("metadata")
    return models.filter(hash=archive).first() if archive else models.filter(name=name).first()


def decisions(reports: Sequence[EnvironmentReport]) -> list[Decision]:
    """The decisions that wait among these environments, in their order."""
    owners = [report for report in reports if report.environment.follows_id is None and report.environment.is_frozen]
    return [
        decision(owner, [report for report in reports if report.environment.follows_id == owner.environment.pk])
        for owner in owners
    ]
