"""Rotation: new keys, every secret sealed again, nothing lost on the way."""

import io
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from accounts.actions import keys
from accounts.actor import COMMAND, system
from accounts.models import AuditEvent, SealingKey, SigningKey, sealing_key, signing_key
from environments.models import Environment
from tests.factories import EnvironmentFactory

EARLIER = "an earlier installation key, long enough for one"
LATER = "a later installation key, which is long enough too"
BY = system(COMMAND)
AN_HOUR = timedelta(hours=1, seconds=1)
A_DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def installation_key(settings):
    settings.SECRET_KEY = EARLIER


@pytest.fixture
def shops(project):
    made = []
    for number in range(3):
        shop = EnvironmentFactory.build(project=project, name=f"shop-{number}", rasa_token=f"s3cret-{number}")
        shop.save()
        made.append(shop)
    return made


def secrets():
    return [shop.rasa_token for shop in Environment.objects.order_by("name")]


ALL = ["s3cret-0", "s3cret-1", "s3cret-2"]


def sealed_with():
    return {sealing_key.key_of(shop.sealed_rasa_token) for shop in Environment.objects.all()}


def test_every_secret_is_sealed_with_the_new_key_and_is_the_same(shops):
    before = sealed_with()
    rotated = keys.rotate(by=BY)
    assert sealed_with() == {rotated.sealing_key} != before
    assert (rotated.secrets, rotated.unreadable, secrets()) == (3, [], ALL)


def test_private_keys_are_among_the_secrets(project):
    first = signing_key.make()
    rotated = keys.rotate(by=BY)
    again = SigningKey.objects.get(pk=first.pk)
    assert sealing_key.key_of(again.sealed_private_key) == rotated.sealing_key
    assert again.private_key == first.private_key


def test_what_a_request_read_before_is_good_for_an_hour_and_its_key_goes_then(shops):
    keys.rotate(by=BY)
    sealing_key._opened.cache_clear()
    assert [shop.rasa_token for shop in shops] == ALL
    assert keys.tidy() == 0
    assert keys.tidy(SealingKey.objects.first().created_at + AN_HOUR) == 1
    assert SealingKey.objects.count() == 1
    assert secrets() == ALL


def test_who_writes_an_old_row_back_after_the_rotation_loses_nothing(shops):
    keys.rotate(by=BY)
    shops[0].save()
    keys.tidy(SealingKey.objects.first().created_at + AN_HOUR)
    sealing_key._opened.cache_clear()
    assert secrets() == ALL
    assert SealingKey.objects.count() == 1


def test_after_it_the_earlier_installation_key_is_needed_no_more(shops, settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = LATER, [EARLIER]
    keys.rotate(by=BY)
    settings.SECRET_KEY_FALLBACKS = []
    sealing_key._opened.cache_clear()
    assert secrets() == ALL
    assert [shop.rasa_token for shop in shops] == ALL


def test_what_cannot_be_read_is_left_with_its_key_and_told(shops, settings):
    settings.SECRET_KEY = LATER
    shops[0].rasa_token = "s3cret-0"
    shops[0].save()
    rotated = keys.rotate(by=BY)
    assert rotated.unreadable == ["environment shop-1: rasa_token", "environment shop-2: rasa_token"]
    assert rotated.secrets == 1
    keys.tidy(SealingKey.objects.first().created_at + AN_HOUR)
    settings.SECRET_KEY_FALLBACKS = [EARLIER]
    assert secrets() == ALL


def test_a_signing_key_is_published_until_its_tokens_have_expired(project):
    first = signing_key.make()
    rotated = keys.rotate(by=BY)
    replaced_at = SigningKey.objects.first().created_at
    keys.tidy(replaced_at + timedelta(hours=8))
    assert [key.kid for key in SigningKey.objects.all()] == [rotated.signing_key, first.kid]
    keys.tidy(replaced_at + A_DAY)
    assert [key.kid for key in SigningKey.objects.all()] == [rotated.signing_key]


def test_it_is_audited_without_any_secret(shops):
    keys.rotate(by=BY)
    event = AuditEvent.objects.get(action="keys.rotate")
    assert event.after["secrets"] == 3
    assert "s3cret" not in str(event.after)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["accounts_auditevent", "accounts_signingkey"])
def test_a_rotation_that_breaks_off_changes_nothing(shops, table):
    if connection.vendor != "sqlite":
        pytest.skip("the trigger is SQLite's")
    before = sealed_with()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")
    try:
        with pytest.raises(DatabaseError), transaction.atomic():
            keys.rotate(by=BY)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER broken")
    assert sealed_with() == before
    assert SealingKey.objects.count() == 1
    assert secrets() == ALL


def test_the_command_says_what_it_did(shops, settings):
    out = io.StringIO()
    call_command("rotate_keys", stdout=out)
    assert f"with the new key {SealingKey.objects.first()}: 3." in out.getvalue()
    assert SigningKey.objects.get().kid in out.getvalue()
    settings.SECRET_KEY = LATER
    out = io.StringIO()
    call_command("rotate_keys", stdout=out)
    assert "its key is missing: environment shop-1: rasa_token" in out.getvalue()
