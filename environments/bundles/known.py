"""What a project declares, so that what its stories and rules name can be looked up."""

from dataclasses import dataclass
from typing import Any

from environments.bundles.loading import Document

# Rasa's own. Rasa Pro has more of each; its projects have flows, and are only warned.
DEFAULT_INTENTS = frozenset({"restart", "back", "out_of_scope", "session_start", "nlu_fallback"})
DEFAULT_ACTIONS = frozenset(
    {
        "...",
        "action_back",
        "action_deactivate_loop",
        "action_default_ask_affirmation",
        "action_default_ask_rephrase",
        "action_default_fallback",
        "action_extract_slots",
        "action_listen",
        "action_restart",
        "action_revert_fallback_events",
        "action_session_start",
        "action_two_stage_fallback",
        "action_unlikely_intent",
    }
)
DEFAULT_SLOTS = frozenset(
    {
        "session_started_metadata",
        "knowledge_base_last_object",
        "knowledge_base_last_object_type",
        "knowledge_base_listed_objects",
    }
)


@dataclass(frozen=True)
class Known:
    """Names by kind. `strict`: a Rasa server must know them all, so that one which is missing is certainly wrong."""

    intents: frozenset[str]
    entities: frozenset[str]
    slots: frozenset[str]
    forms: frozenset[str]
    actions: frozenset[str]
    strict: bool
    has_rule_policy: bool


def known(config: Document, domain: Document, training: Document) -> Known:
    responses = {*_names(domain.get("responses")), *_names(training.get("responses"))}
    forms = _names(domain.get("forms"))
    slots = _names(domain.get("slots"))
    actions = {*_names(domain.get("actions")), *_names(domain.get("e2e_actions")), *forms, *responses}
    # Answers of a retrieval intent (utter_faq/ask) are one action, and forms are validated by one.
    actions |= {name.partition("/")[0] for name in responses}
    policies = [_name(item) for item in _list(config.get("policies"))]
    return Known(
        intents=_names(domain.get("intents")) | DEFAULT_INTENTS,
        entities=_names(domain.get("entities")),
        # Forms bring a slot of their own.
        slots=slots | DEFAULT_SLOTS | (frozenset({"requested_slot"}) if forms else frozenset()),
        forms=forms,
        actions=frozenset(actions) | DEFAULT_ACTIONS,
        strict=not training.get("flows"),
        # Without any policies Rasa chooses, RulePolicy among them. One of its own may be made from it.
        has_rule_policy=not policies or "RulePolicy" in policies,
    )


def _names(value: Any) -> frozenset[str]:
    """Of a mapping by name, or of a list of names and `{name: options}`."""
    if isinstance(value, dict):
        return frozenset(str(name) for name in value)
    return frozenset(str(next(iter(item), "")) if isinstance(item, dict) else str(item) for item in _list(value))


def _name(item: Any) -> str:
    return str(item.get("name", "")).rpartition(".")[2] if isinstance(item, dict) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
