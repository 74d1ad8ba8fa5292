"""Archives of a banking assistant, with contents that are worth looking at."""

from datetime import datetime
from typing import Any

from tests.archives import rasa_archive

INTENTS = [
    "greet",
    "goodbye",
    "affirm",
    "deny",
    "bot_challenge",
    "ask_help",
    "thank",
    "ask_balance",
    "transfer_money",
    "block_card",
    "unblock_card",
    "order_card",
    "report_fraud",
    "change_pin",
    "find_atm",
    "opening_hours",
    "ask_iban",
    "ask_fees",
    "ask_interest",
    "open_account",
    "close_account",
    "update_address",
    "update_phone",
    "ask_limit",
    "raise_limit",
    "list_transactions",
    "dispute_transaction",
    "schedule_payment",
    "cancel_payment",
    "ask_exchange_rate",
    "talk_to_human",
    "feedback_good",
    "feedback_bad",
    "ask_loan",
    "apply_loan",
    "ask_mortgage",
    "book_appointment",
    "cancel_appointment",
    "holiday_notice",
]
SLOTS = ("account", "amount", "iban", "card", "recipient", "date", "branch")
FORMS = ("transfer_form", "block_card_form", "appointment_form")
ACTIONS = ("action_check_balance", "action_transfer", "action_block_card", "action_find_atm", "action_book")
PIPELINE = ("WhitespaceTokenizer", "RegexFeaturizer", "CountVectorsFeaturizer", "DIETClassifier", "FallbackClassifier")
POLICIES = ("MemoizationPolicy", "RulePolicy", "TEDPolicy")


def graph(pipeline: tuple[str, ...], policies: tuple[str, ...]) -> dict[str, Any]:
    """The `predict_schema` that Rasa writes for these components."""
    nodes: dict[str, Any] = {}
    before = "nlu_message_converter"
    for index, name in enumerate(pipeline):
        node = f"run_{name}{index}"
        config = {"epochs": 100} if name == "DIETClassifier" else {}
        nodes[node] = {"uses": f"rasa.nlu.{name}", "needs": {"messages": before}, "config": config}
        before = node
    nodes["run_RegexMessageHandler"] = {"uses": "rasa.nlu.RegexMessageHandler", "needs": {"messages": before}}
    for index, name in enumerate(policies):
        nodes[f"run_{name}{index}"] = {"uses": f"rasa.core.{name}", "config": {"priority": index + 1}}
    needs = {f"policy{index}": f"run_{name}{index}" for index, name in enumerate(policies)}
    nodes["select_prediction"] = {"uses": "rasa.core.DefaultPolicyPredictionEnsemble", "needs": needs}
    return {"nodes": nodes}


def archive(name: str, trained_at: datetime, intents: int, slots: int, *, version: str = "3.6.21") -> bytes:
    """An archive with this many of `INTENTS` and `SLOTS`."""
    used = INTENTS[:intents]
    domain = {
        "entities": ["amount", "iban", "card_type", "place"],
        "slots": {slot: {"type": "text", "mappings": []} for slot in SLOTS[:slots]},
        "responses": {f"utter_{intent}": [{"text": f"About {intent}, {intents}"}] for intent in used},
        "actions": list(ACTIONS),
        "forms": {form: {"required_slots": []} for form in FORMS},
    }
    return rasa_archive(
        name,
        intents=used,
        trained_at=trained_at.replace(tzinfo=None).isoformat(),
        version=version,
        domain=domain,
        predict_schema=graph(PIPELINE, POLICIES),
        assistant_id="banking",
    )
