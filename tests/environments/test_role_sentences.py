"""Grants as people say them."""

import pytest

from accounts.grants_table import BUILT_IN_ROLES, PROJECT_GRANTS
from environments.role_sentences import DOES, READS, TO_DO, Holder, Place, changes, sentence

PRODUCTION = Place("production", protected=True)
STAGING, EXPERIMENTAL = Place("staging"), Place("experimental")
PLACES = [PRODUCTION, EXPERIMENTAL, STAGING]
READ_ALL = frozenset(READS)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (frozenset(), "May do nothing."),
        (frozenset(PROJECT_GRANTS), "May do everything, in environments that come later too."),
        (
            READ_ALL | {"environments.experimental.write", "environments.staging.write"},
            "May promote to experimental and staging; reads everything; cannot touch production.",
        ),
        (
            {"environments.read", "environments.production.write", "environments.production.force"},
            "May promote to production and force it in production; reads environments.",
        ),
        (
            {"environments.read", "environments.*.write", "environments.*.force"},
            "May promote to every environment, later ones too, and force it; reads environments.",
        ),
        (
            {"environments.production.write"},
            "May promote to production, once another role shows them environments; reads nothing.",
        ),
        (
            frozenset(BUILT_IN_ROLES["tester"].grants),
            "Talks to the bot; reads environments and models; promotes nowhere.",
        ),
        (
            {"models.read", "models.write", "models.delete", "environments.staging.write", "environments.read"},
            "May promote to staging; uploads, tags and deletes models; reads environments and models; "
            "cannot touch production.",
        ),
        ({"environments.*.force", "environments.read"}, "Reads environments; promotes nowhere."),
    ],
)
def test_what_a_role_can_do_is_a_sentence(words, told):
    assert sentence(words, PLACES) == told


def test_who_defines_environments_can_touch_those_of_the_api():
    of_the_api = Place("production", protected=True, by_api=True)
    words = {"environments.manage", "environments.read", "environments.staging.write"}
    assert "cannot touch production" in sentence(words, PLACES)
    assert "cannot touch" not in sentence(words, [of_the_api, STAGING])


def test_every_grant_has_words():
    plain = {grant for grant in PROJECT_GRANTS if "*" not in grant}
    assert set(TO_DO) == plain
    assert DOES.keys() | READS.keys() == plain


def texts(before, after, *holders):
    return [change.text for change in changes(before, after, holders, PLACES)]


SEES = frozenset({"environments.read"})
PROMOTES = SEES | {"environments.production.write"}


def test_who_will_be_able_to_promote_is_counted_and_named():
    told = texts(SEES, PROMOTES, Holder("ana"), Holder("ben"), Holder("cy"))
    assert told == ["3 people will be able to promote to production: ana, ben and cy."]


def test_who_loses_it_is_told_too():
    (change,) = changes(PROMOTES, SEES, [Holder("ana")], PLACES)
    assert change.text == "1 person will no longer be able to promote to production: ana."
    assert not change.gains


def test_what_another_role_gives_is_neither_gained_nor_lost():
    assert texts(SEES, PROMOTES, Holder("ana", other=PROMOTES), Holder("ben")) == [
        "1 person will be able to promote to production: ben."
    ]
    assert texts(PROMOTES, frozenset(), Holder("ana", other=PROMOTES)) == []


def test_the_wildcard_holds_what_one_environment_loses():
    wild = SEES | {"environments.*.write"}
    assert texts(wild | PROMOTES, wild, Holder("ana")) == []


def test_the_wildcard_reaches_every_environment_and_later_ones():
    assert texts(SEES, SEES | {"environments.*.write"}, Holder("ana")) == [
        "1 person will be able to promote to production, experimental, staging and environments that come later: ana."
    ]


def test_seeing_environments_brings_what_another_role_could_not():
    writes = frozenset({"environments.production.write"})
    assert texts(frozenset(), SEES, Holder("ana", other=writes)) == [
        "1 person will be able to promote to production, and see environments: ana."
    ]


def test_force_alone_is_nothing():
    assert texts(SEES, SEES | {"environments.production.force"}, Holder("ana")) == []
    assert texts(PROMOTES, PROMOTES | {"environments.production.force"}, Holder("ana")) == [
        "1 person will be able to force promotions to production: ana."
    ]


def test_service_accounts_and_tokens_are_told():
    ben = Holder("ben", tokens=(None, frozenset({"models.read"}), PROMOTES))
    ci = Holder("ci", is_service=True, tokens=(frozenset({"environments.*.write", "environments.read"}),))
    assert texts(SEES, PROMOTES, ben, ci) == [
        "1 person and 1 service account will be able to promote to production: ben and ci (service account). "
        "With them 3 API tokens."
    ]


def test_gains_and_losses_of_the_same_people_are_one_line_each():
    after = SEES | {"models.read", "models.write"}
    assert texts(PROMOTES, after, Holder("ana")) == [
        "1 person will no longer be able to promote to production: ana.",
        "1 person will be able to read models, and upload and tag models: ana.",
    ]


def test_of_many_only_some_are_named():
    (told,) = texts(SEES, PROMOTES, *(Holder(f"user-{number}") for number in range(10_000)))
    assert told == (
        "10,000 people will be able to promote to production: user-0, user-1, user-2, user-3, user-4 and 9,995 others."
    )
