import inspect
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from environments import states
from environments.management.generated import GeneratorCommand

HEAD = """\
# States

What things can be, and how they get there. This file is generated from `environments/states.py`:
`manage.py document_states`.
"""

# Told as a diagram: the moves are a table, and a conditional update allows no other.
MACHINES: dict[str, tuple[Mapping[Any, frozenset[Any]], StrEnum]] = {
    "Promotion": (states.PROMOTION_MOVES, states.PromotionStatus.ROLLING_OUT),
    "Job": (states.JOB_MOVES, states.JobStatus.QUEUED),
    "Run of a pipeline": (states.RUN_MOVES, states.JobStatus.QUEUED),
    "Step of a run": (states.STEP_MOVES, states.StepStatus.WAITING),
}
# Told as a list: they are computed, never stored, so they have no moves.
COMPUTED = {"Sync": states.Sync, "Health": states.Health, "Replica": states.ReplicaState}


def machine(name: str, moves: Mapping[Any, frozenset[Any]], first: StrEnum) -> str:
    arrows = [
        f"    {source} --> {target}\n"
        for source, targets in moves.items()
        for target in type(source)
        if target in targets
    ]
    ends = [f"    {state} --> [*]\n" for state, targets in moves.items() if not targets]
    diagram = f"stateDiagram-v2\n    [*] --> {first}\n{''.join(arrows)}{''.join(ends)}"
    return f"\n## {name}\n\n```mermaid\n{diagram}```\n"


def computed(name: str, enum: type[StrEnum]) -> str:
    meaning = " ".join((inspect.getdoc(enum) or "").split())
    return f"\n## {name}\n\n{meaning}\n\n" + "".join(f"- `{state}`\n" for state in enum)


class Command(GeneratorCommand):
    help = "Write docs/states.md from the tables of states."
    path = "docs/states.md"

    def text(self) -> str:
        machines = [machine(name, *table) for name, table in MACHINES.items()]
        lists = [computed(name, enum) for name, enum in COMPUTED.items()]
        return HEAD + "".join(machines) + "".join(lists)
