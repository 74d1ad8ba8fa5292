"""A config.yml: what Rasa's schema refuses, and what it chooses by itself where nothing is said."""

from environments.bundles.findings import Findings
from environments.bundles.loading import Source
from environments.bundles.shapes import list_of, mapping_of, shown

RECIPES = frozenset({"default.v1", "graph.v1"})


def check(source: Source, findings: Findings) -> None:
    recipe = source.document.get("recipe")
    if recipe is not None and recipe not in RECIPES:
        findings.refuse(source, ("recipe",), f"There is no recipe {shown(recipe)}. Write `recipe: default.v1`.")
    for key in ("pipeline", "policies"):
        for number, component in enumerate(list_of(source, key, findings)):
            what = f"A component of {key}"
            if mapping_of(source, (key, number), component, what, findings) and "name" not in component:
                findings.refuse(
                    source,
                    (
                        key,
                        number,
                    ),
                    f"{what} has no name. Write it as `- name: …`.",
                )
        if not source.document.get(key) and recipe != "graph.v1":
            findings.warn(source, (), f"There is no {key}: Rasa takes one of its own making. Name what you mean.")
