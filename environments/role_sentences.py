"""Grants as people say them: what a role can do in one sentence, and what a change of it will change for whom.

Pure: it knows words (`environments.production.write`), names of environments and of people, and no database.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from accounts.grants_table import PROJECT_GRANTS

Words = frozenset[str]

READ = "environments.read"
MANAGE = "environments.manage"
# Instead of a name: the environments that will be defined later.
LATER = "*"
NAMED = 5

# What a role does with a grant, in the third person; reading and promoting are told apart from these.
DOES: dict[str, str] = {
    MANAGE: "defines environments",
    "models.write": "uploads and tags models",
    "models.delete": "deletes models",
    "training.write": "trains models",
    "evaluations.write": "evaluates models",
    "pipelines.write": "declares and runs pipelines",
    "settings.write": "changes settings",
    "conversations.write": "talks to the bot",
    "users.write": "manages accounts",
    "roles.write": "manages roles and who has them",
    "tokens.write": "makes API tokens",
}

# What is read, by the grant that shows it.
READS: dict[str, str] = {
    READ: "environments",
    "models.read": "models",
    "training.read": "trainings",
    "evaluations.read": "evaluations",
    "pipelines.read": "pipelines",
    "settings.read": "settings",
    "conversations.read": "conversations",
    "users.read": "users",
    "roles.read": "roles",
    "audit.read": "the audit trail",
}

# What somebody will be able to do, in the infinitive.
TO_DO: dict[str, str] = {word: f"read {what}" for word, what in READS.items()} | {
    READ: "see environments",
    MANAGE: "define environments",
    "models.write": "upload and tag models",
    "models.delete": "delete models",
    "training.write": "train models",
    "evaluations.write": "evaluate models",
    "pipelines.write": "declare and run pipelines",
    "settings.write": "change settings",
    "conversations.write": "talk to the bot",
    "users.write": "manage accounts",
    "roles.write": "manage roles",
    "tokens.write": "make API tokens",
}


@dataclass(frozen=True)
class Place:
    """An active environment that owns a tag. `by_api`: who may define environments can change it in the API."""

    name: str
    protected: bool = False
    by_api: bool = False


@dataclass(frozen=True)
class Holder:
    """Somebody with the role that changes. `other`: what their other roles give; `tokens`: to what each of their API
    tokens is narrowed, None for those that are not."""

    name: str
    is_service: bool = False
    other: Words = frozenset()
    tokens: tuple[Words | None, ...] = ()


@dataclass(frozen=True)
class Change:
    """One line of what a change changes."""

    gains: bool
    text: str


def listed(names: Sequence[str], last: str = "and") -> str:
    """`ana, ben and cy`."""
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else "".join(names)


def some(names: Sequence[str]) -> str:
    """The first of them, and how many others there are."""
    if len(names) <= NAMED + 1:
        return listed(names)
    return listed([*names[:NAMED], f"{len(names) - NAMED:,} others"])


# What a role can do


def held_on(words: Collection[str], name: str, action: str) -> bool:
    """Whether `action` on the environment is among the words, by its name or by the wildcard."""
    return f"environments.{name}.{action}" in words or f"environments.*.{action}" in words


def sentence(words: Collection[str], places: Sequence[Place]) -> str:
    """What a role with these grants can do: `May promote to staging; reads everything; cannot touch production.`"""
    if not words:
        return "May do nothing."
    if set(PROJECT_GRANTS) <= set(words):
        return "May do everything, in environments that come later too."
    parts = (_promotes(words, places), *_does(words), _reads(words), _cannot(words, places))
    clauses = [clause for clause in parts if clause]
    text = "; ".join(clauses)
    return f"{text[:1].upper()}{text[1:]}."


def _promotes(words: Collection[str], places: Sequence[Place]) -> str:
    if "environments.*.write" in words:
        where = "every environment, later ones too"
    else:
        where = listed([place.name for place in places if held_on(words, place.name, "write")])
    if not where:
        return ""
    forced = [place.name for place in places if _both(words, place.name)]
    if "environments.*.force" in words:
        against = ", and force it"
    else:
        against = f" and force it in {listed(forced)}" if forced else ""
    unseen = "" if READ in words else ", once another role shows them environments"
    return f"may promote to {where}{against}{unseen}"


def _both(words: Collection[str], name: str) -> bool:
    return held_on(words, name, "write") and held_on(words, name, "force")


def _does(words: Collection[str]) -> list[str]:
    done = {word: text for word, text in DOES.items() if word in words}
    if {"models.write", "models.delete"} <= done.keys():
        done["models.write"] = "uploads, tags and deletes models"
        del done["models.delete"]
    return list(done.values())


def _reads(words: Collection[str]) -> str:
    read = [what for word, what in READS.items() if word in words]
    if len(read) == len(READS):
        return "reads everything"
    return f"reads {listed(read)}" if read else "reads nothing"


def _cannot(words: Collection[str], places: Sequence[Place]) -> str:
    out_of_reach = [place for place in places if not _reaches(words, place)]
    if places and len(out_of_reach) == len(places):
        return "promotes nowhere"
    kept = [place.name for place in out_of_reach if place.protected]
    return f"cannot touch {listed(kept, 'or')}" if kept else ""


def _reaches(words: Collection[str], place: Place) -> bool:
    return held_on(words, place.name, "write") or (place.by_api and MANAGE in words)


# What a change changes

Ability = tuple[str, str]


def abilities(words: Collection[str], names: Collection[str]) -> frozenset[Ability]:
    """What these grants come to: (`promote`, environment), (`force`, environment) and (`grant`, word). Nobody promotes
    to what they do not see, nor forces where they may not promote."""
    found = {("grant", word) for word in words if word in TO_DO}
    if READ in words:
        for name in (*names, LATER):
            if held_on(words, name, "write"):
                found.add(("promote", name))
                if held_on(words, name, "force"):
                    found.add(("force", name))
    return frozenset(found)


def changes(
    before: Collection[str], after: Collection[str], holders: Iterable[Holder], places: Sequence[Place]
) -> list[Change]:
    """What changes for those who have a role when its grants change; nothing for what another role gives them too."""
    names = tuple(place.name for place in places)
    moved = _mover(frozenset(before), frozenset(after), names)
    groups: dict[tuple[bool, tuple[Holder, ...]], list[Ability]] = defaultdict(list)
    touched: dict[tuple[bool, Ability], list[Holder]] = defaultdict(list)
    for holder in holders:
        gained, lost = moved(holder.other)
        for ability in gained:
            touched[True, ability].append(holder)
        for ability in lost:
            touched[False, ability].append(holder)
    for (gains, ability), whom in touched.items():
        groups[gains, tuple(whom)].append(ability)
    lines = [(gains, whom, sorted(what, key=_place(names))) for (gains, whom), what in groups.items()]
    lines.sort(key=lambda line: (_place(names)(line[2][0]), not line[0]))
    return [Change(gains, _told(gains, whom, what, names)) for gains, whom, what in lines]


def _mover(
    before: Words, after: Words, names: tuple[str, ...]
) -> Callable[[Words], tuple[frozenset[Ability], frozenset[Ability]]]:
    """What is gained and lost by somebody whose other roles give `other`. Many have the same other roles."""

    @cache
    def moved(other: Words) -> tuple[frozenset[Ability], frozenset[Ability]]:
        then, now = abilities(after | other, names), abilities(before | other, names)
        return then - now, now - then

    return moved


def _place(names: Sequence[str]) -> Callable[[Ability], tuple[int, int]]:
    """Promoting is told first, in the order of environments, then the other grants as in their table."""
    kinds = ("promote", "force", "grant")
    environments = (*names, LATER)

    def place(ability: Ability) -> tuple[int, int]:
        kind, what = ability
        order = list(TO_DO).index(what) if kind == "grant" else environments.index(what)
        return kinds.index(kind), order

    return place


def _told(gains: bool, whom: Sequence[Holder], what: Sequence[Ability], names: Sequence[str]) -> str:
    verb = "will be able to" if gains else "will no longer be able to"
    called = some([f"{holder.name} (service account)" if holder.is_service else holder.name for holder in whom])
    told = frozenset(what)
    tokens = sum(
        narrowed is None or bool(abilities(narrowed, names) & told) for holder in whom for narrowed in holder.tokens
    )
    with_them = f" With them {_counted(tokens, 'API token', 'API tokens')}." if tokens else ""
    return f"{_who(whom)} {verb} {_to_do(what)}: {called}.{with_them}"


def _who(whom: Sequence[Holder]) -> str:
    services = sum(holder.is_service for holder in whom)
    people = len(whom) - services
    counted = [_counted(people, "person", "people")] if people else []
    return " and ".join(counted + ([_counted(services, "service account", "service accounts")] if services else []))


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _to_do(what: Sequence[Ability]) -> str:
    """`promote to production and staging, and train models`."""
    phrases = []
    for kind, words in (("promote", "promote to"), ("force", "force promotions to")):
        where = ["environments that come later" if name == LATER else name for done, name in what if done == kind]
        if where:
            phrases.append(f"{words} {listed(where)}")
    phrases += [TO_DO[word] for kind, word in what if kind == "grant"]
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])}, and {phrases[-1]}"
