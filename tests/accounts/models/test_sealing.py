"""Secrets that must be read back: sealed in the database, opened with the installation key alone."""

import pytest
from django.apps import apps
from django.core import serializers

from accounts import sealing
from accounts.models import SealingKey, sealing_key
from accounts.problems import SecretUnreadable
from environments.models import Environment
from tests.factories import EnvironmentFactory

EARLIER = "an earlier installation key, long enough for one"
LATER = "a later installation key, which is long enough too"


@pytest.fixture
def shop(project):
    """An environment whose secrets were given under the earlier installation key."""
    environment = EnvironmentFactory.build(project=project, name="shop", rasa_token="s3cret", jwt_secret="s1gn")
    environment.save()
    return environment


@pytest.fixture(autouse=True)
def installation_key(settings):
    settings.SECRET_KEY = EARLIER


def again(environment):
    """As another request reads it."""
    return Environment.objects.get(pk=environment.pk)


def test_a_secret_is_read_back_and_does_not_stand_in_the_database(shop):
    assert (again(shop).rasa_token, again(shop).jwt_secret) == ("s3cret", "s1gn")
    assert "s3cret" not in shop.sealed_rasa_token


def test_two_equal_secrets_are_not_seen_to_be_equal(shop):
    assert sealing_key.seal("same").partition(":")[2] != sealing_key.seal("same").partition(":")[2]


def test_no_secret_takes_no_key(project):
    environment = EnvironmentFactory(project=project, name="open")
    environment.rasa_token = ""
    assert (environment.sealed_rasa_token, environment.rasa_token) == ("", "")
    assert not SealingKey.objects.exists()


def test_the_same_secret_given_again_changes_nothing_and_another_does(shop):
    before = shop.sealed_rasa_token
    shop.rasa_token = "s3cret"
    assert shop.sealed_rasa_token == before
    shop.rasa_token = "n3w"
    assert shop.sealed_rasa_token != before
    assert shop.rasa_token == "n3w"


def test_a_process_reads_a_key_once(shop, django_assert_num_queries):
    sealing_key._opened.cache_clear()
    found = again(shop)
    with django_assert_num_queries(1):
        assert (found.rasa_token, found.jwt_secret, found.rasa_token) == ("s3cret", "s1gn", "s3cret")


def test_one_key_seals_all_until_it_is_rotated(shop):
    assert sealing_key.key_of(shop.sealed_rasa_token) == sealing_key.key_of(shop.sealed_jwt_secret)
    assert SealingKey.objects.count() == 1


def test_under_another_installation_key_it_is_told_which_one_is_missing(shop, settings):
    settings.SECRET_KEY = LATER
    with pytest.raises(SecretUnreadable) as refused:
        _ = again(shop).rasa_token
    assert refused.value.detail.startswith("The rasa_token of the environment shop was sealed under another")
    assert sealing.fingerprint(EARLIER) in refused.value.detail
    assert "CONTROLPLANE_SECRET_KEY_FALLBACKS" in refused.value.detail
    assert "s3cret" not in refused.value.detail


def test_the_earlier_installation_key_opens_as_a_fallback(shop, settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = LATER, ["one of long ago, and of no use here", EARLIER]
    assert again(shop).rasa_token == "s3cret"


def test_giving_the_secret_again_heals_it_without_the_earlier_key(shop, settings):
    settings.SECRET_KEY = LATER
    shop.rasa_token = "s3cret"
    shop.save()
    assert again(shop).rasa_token == "s3cret"
    assert SealingKey.objects.count() == 2


def test_a_key_that_the_database_lost_is_named(shop):
    name = SealingKey.objects.get().name
    SealingKey.objects.all().delete()
    sealing_key._opened.cache_clear()
    with pytest.raises(SecretUnreadable, match=f"the key {name} that the database does not have"):
        _ = again(shop).rasa_token


def test_a_damaged_text_is_told_as_one(shop):
    shop.sealed_rasa_token = shop.sealed_rasa_token[:-4] + "AAA="
    with pytest.raises(SecretUnreadable, match="is damaged in the database"):
        _ = shop.rasa_token


def test_what_was_never_sealed_is_not_repeated(shop):
    shop.sealed_rasa_token = "plain"
    with pytest.raises(SecretUnreadable) as refused:
        _ = shop.rasa_token
    assert "plain" not in refused.value.detail


def test_a_dump_of_the_database_reveals_nothing_without_the_installation_key(shop, settings):
    dump = serializers.serialize("json", [row for model in apps.get_models() for row in model._base_manager.all()])
    assert shop.sealed_rasa_token in dump
    for secret in ("s3cret", "s1gn", EARLIER):
        assert secret not in dump
    for wrapped in SealingKey.objects.values_list("wrapped", flat=True):
        assert sealing.unwrap(wrapped, (LATER,)) is None
        assert sealing.unwrap(wrapped, (EARLIER,)) is not None
