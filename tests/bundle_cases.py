"""Projects with one thing wrong or odd in each, made by changing one that Rasa trains.

`REFUSED`: what a bundle is refused for, with the line that is told; no Rasa server could train it. `WARNED`: what is
taken with a warning, for Rasa trains it. `TAKEN`: what is taken without a word.
"""

CONFIG = """recipe: default.v1
language: en
assistant_id: otters
pipeline:
- name: WhitespaceTokenizer
- name: KeywordIntentClassifier
policies:
- name: MemoizationPolicy
- name: RulePolicy
"""
DOMAIN = """version: "3.1"
intents: [greet, bye]
entities: [city]
slots:
  city:
    type: text
    mappings: [{type: from_entity, entity: city}]
responses:
  utter_greet:
  - text: Hello
  utter_bye:
  - text: Bye
"""
NLU = """nlu:
- intent: greet
  examples: |
    - hi
    - hello
- intent: bye
  examples: |
    - bye
    - ciao
"""
STORIES = """stories:
- story: greeting
  steps:
  - intent: greet
  - action: utter_greet
rules:
- rule: leaving
  steps:
  - intent: bye
  - action: utter_bye
"""
PATHS = {"config": "config.yml", "domain": "domain.yml", "nlu": "data/nlu.yml", "stories": "data/stories.yml"}
TEXTS = {"config": CONFIG, "domain": DOMAIN, "nlu": NLU, "stories": STORIES}


def change(part: str, old: str = "", new: str = "") -> dict[str, str]:
    """The project with `old` replaced in one part, or with `new` at its end."""
    assert old in TEXTS[part]
    changed = TEXTS[part].replace(old, new, 1) if old else TEXTS[part] + new
    return {PATHS[name]: text for name, text in TEXTS.items()} | {PATHS[part]: changed}


def story(*steps: str) -> dict[str, str]:
    lines = "".join(f"  - {step}\n" for step in steps)
    return change("stories", STORIES, f"stories:\n- story: s\n  steps:\n  - intent: greet\n{lines}")


def rule(*steps: str) -> dict[str, str]:
    lines = "".join(f"  - {step}\n" for step in steps)
    return change("stories", STORIES, f"rules:\n- rule: r\n  steps:\n  - intent: greet\n{lines}")


SLOT = "  city:\n    type: text\n    mappings: [{type: from_entity, entity: city}]\n"
NEW_INTENT = "- intent: faq\n"

REFUSED = {
    "nlu: misspelt examples": (change("nlu", new=f"{NEW_INTENT}  exampels: |\n    - a\n"), "data/nlu.yml:11: "),
    "nlu: misspelt intent": (change("nlu", new="- intnt: faq\n  examples: |\n    - a\n"), "data/nlu.yml:10: "),
    "nlu: text in place of an item": (change("nlu", new="- faq\n"), "data/nlu.yml:10: "),
    "nlu: a list of texts": (change("nlu", new=f"{NEW_INTENT}  examples:\n  - a\n"), "data/nlu.yml:12: "),
    "nlu: a number as examples": (change("nlu", new=f"{NEW_INTENT}  examples: 5\n"), "data/nlu.yml:11: "),
    "nlu: a misspelt text": (change("nlu", new=f"{NEW_INTENT}  examples:\n  - txt: a\n"), "data/nlu.yml:12: "),
    "nlu: a number as intent": (change("nlu", new="- intent: 5\n  examples: |\n    - a\n"), "data/nlu.yml:10: "),
    "nlu: a file for a lookup": (change("nlu", new="- lookup: x\n  file: a.txt\n"), "data/nlu.yml:11: "),
    "nlu: two in one": (change("nlu", new=f"{NEW_INTENT}  synonym: y\n  examples: |\n    - a\n"), "data/nlu.yml:11: "),
    "rule: an unknown action": (rule("action: action_nope"), "data/stories.yml:5: "),
    "rule: an unknown response": (rule("action: utter_nope"), "data/stories.yml:5: "),
    "rule: an unknown slot": (rule("slot_was_set:\n    - nope: x", "action: utter_greet"), "data/stories.yml:5: "),
    "rule: an unknown form": (rule("action: utter_greet", "active_loop: nope_form"), "data/stories.yml:6: "),
    "rule: a condition on an unknown slot": (
        change("stories", "- rule: leaving\n", "- rule: leaving\n  condition:\n  - slot_was_set:\n    - nope: true\n"),
        "data/stories.yml:9: ",
    ),
    "rule: a bot's words": (rule("bot: hello"), "data/stories.yml:5: "),
    "rule: a checkpoint": (rule("checkpoint: here"), "data/stories.yml:5: "),
    "rule: the slot of no form": (
        rule("slot_was_set:\n    - requested_slot: city", "action: utter_greet"),
        "data/stories.yml:5: ",
    ),
    "story: an unknown slot": (story("slot_was_set:\n    - nope: x", "action: utter_greet"), "data/stories.yml:5: "),
    "story: an unknown slot's name": (
        story("slot_was_set:\n    - nope", "action: utter_greet"),
        "data/stories.yml:5: ",
    ),
    "story: an unknown form": (story("action: utter_greet", "active_loop: nope_form"), "data/stories.yml:6: "),
    "story: a misspelt action": (story("actoin: utter_greet"), "data/stories.yml:5: "),
    "story: text in place of a step": (story("utter_greet"), "data/stories.yml:5: "),
    "story: two in one step": (story("action: utter_greet\n    foo: bar"), "data/stories.yml:6: "),
    "story: a number as action": (story("action: 5"), "data/stories.yml:5: "),
    "story: a number as name": (change("stories", "story: greeting", "story: 5"), "data/stories.yml:2: "),
    "story: misspelt steps": (change("stories", "  steps:", "  stepz:"), "data/stories.yml:3: "),
    "story: text in place of it": (change("stories", STORIES, "stories:\n- foo\n"), "data/stories.yml:2: "),
    "story: a rule": (change("stories", "- story: greeting", "- rule: greeting"), "data/stories.yml:2: "),
    "story: metadata as a step": (story("action: utter_greet", "metadata: x"), "data/stories.yml:6: "),
    "response: text": (change("domain", new="  utter_x: hello\n"), "domain.yml:13: "),
    "response: nothing": (change("domain", new="  utter_x:\n"), "domain.yml:13: "),
    "response: a list of texts": (change("domain", new="  utter_x:\n  - hello\n"), "domain.yml:14: "),
    "slot: no type": (change("domain", "    type: text\n", ""), "domain.yml:5: "),
    "slot: an unknown type": (change("domain", "type: text", "type: txet"), "domain.yml:6: "),
    "slot: no mappings": (change("domain", SLOT, "  city:\n    type: text\n"), "domain.yml:5: "),
    "slot: of Rasa 2": (
        change("domain", "    type: text\n", "    type: text\n    auto_fill: false\n"),
        "domain.yml:7: ",
    ),
    "slot: text": (change("domain", SLOT, "  city: text\n"), "domain.yml:5: "),
    "intent: a number": (change("domain", "[greet, bye]", "[greet, bye, 5]"), "domain.yml:2: "),
    "form: nothing": (change("domain", new="forms:\n  a_form:\n"), "domain.yml:14: "),
    "form: a list": (change("domain", new="forms:\n- a_form\n"), "domain.yml:13: "),
    "form: an unknown key": (change("domain", new="forms:\n  a_form:\n    required: [city]\n"), "domain.yml:15: "),
    "session: a word": (change("domain", new="session_config:\n  session_expiration_time: soon\n"), "domain.yml:14: "),
    "config: an unknown recipe": (change("config", "default.v1", "default.v9"), "config.yml:1: "),
    "config: names of components": (
        change("config", "- name: WhitespaceTokenizer", "- WhitespaceTokenizer"),
        "config.yml:5: ",
    ),
    "config: a nameless component": (change("config", "- name: Whitesp", "- nam: Whitesp"), "config.yml:5: "),
    "config: a template": (
        change("config", CONFIG, "recipe: default.v1\nlanguage: en\npipeline: supervised_embeddings\n"),
        "config.yml:3: ",
    ),
}

WARNED = {
    "nlu: no examples": (change("nlu", new=NEW_INTENT), "has no examples"),
    "nlu: nothing as examples": (change("nlu", new=f"{NEW_INTENT}  examples:\n"), "has no examples"),
    "nlu: lines without a dash": (change("nlu", new=f"{NEW_INTENT}  examples: |\n    a\n    - b\n"), "as 'a'"),
    "nlu: an empty name": (change("nlu", new="- intent: ''\n  examples: |\n    - a\n"), "has no name"),
    "nlu: no name": (change("nlu", new="- intent:\n  examples: |\n    - a\n"), "has no name"),
    "nlu: an unknown intent": (
        change("nlu", new=f"{NEW_INTENT}  examples: |\n    - a\n    - b\n"),
        "not in the domain",
    ),
    "story: an unknown action": (story("action: action_nope"), "The action action_nope is not in the domain"),
    "story: an unknown response": (story("action: utter_nope"), "Add it under responses"),
    "story: an unknown intent": (story("action: utter_greet", "intent: nope"), "The intent nope is not in the domain"),
    "story: no steps": (change("stories", STORIES, "stories:\n- story: s\n"), "without steps is skipped"),
    "story: no name": (change("stories", "- story: greeting\n  steps", "- steps"), "A story has no name"),
    "domain: an unknown key": (change("domain", new="intentz: [a]\n"), "intentz means nothing in a domain"),
    "response: no action": (change("domain", new="  greeting:\n  - text: a\n"), "does not begin with utter_"),
    "response: no variation": (change("domain", new="  utter_x: []\n"), "has no variation"),
    "config: no policies": (change("config", CONFIG[CONFIG.index("policies") :], ""), "There is no policies"),
}

TAKEN = {
    "as it is": change("nlu", new=""),
    "examples with metadata": change("nlu", new="- intent: bye\n  examples:\n  - text: a\n    metadata: {x: 1}\n"),
    "a lookup": change("nlu", new="- lookup: cities\n  examples: |\n    - rome\n"),
    "an intent twice": change("nlu", new="- intent: greet\n  examples: |\n    - moin\n"),
    "default actions": story("action: action_listen", "action: action_restart"),
    "a rule with a default action": rule("action: action_restart"),
    "the slot of a form": rule("slot_was_set:\n    - requested_slot: city", "action: utter_greet")
    | {"domain.yml": f"{DOMAIN}forms:\n  a_form:\n    required_slots: [city]\n"},
    "either of two": story("action: utter_greet", "or:\n    - intent: greet\n    - intent: bye", "action: utter_bye"),
    "an answer with a payload": change("domain", new="  utter_x:\n  - custom: {a: 1}\n"),
    "a slot of a class of its own": change(
        "domain", SLOT, "  city:\n    type: rasa.shared.core.slots.AnySlot\n    mappings: [{type: custom}]\n"
    ),
    "a form": change("domain", new="forms:\n  a_form:\n    required_slots: [city]\n    ignored_intents: [bye]\n"),
    "an active loop that ends": rule("action: utter_greet", "active_loop: null"),
    "options of an intent": change("domain", "[greet, bye]", "[greet, {bye: {use_entities: []}}]"),
    "options of a component": change(
        "config", "- name: MemoizationPolicy", "- name: MemoizationPolicy\n  max_history: 3"
    ),
}
