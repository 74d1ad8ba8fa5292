"""How passwords are stored: argon2 with little memory, and what was hashed before is hashed anew."""

import threading

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password

from accounts.models import User
from tests.factories import UserFactory

PASSWORD = "otters swim in rivers"


@pytest.fixture(autouse=True)
def real_hashers(settings):
    settings.PASSWORD_HASHERS = ["accounts.hashers.Argon2", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]


def test_the_settings_are_these(settings):
    with open(settings.BASE_DIR / "controlplane/settings.py") as source:
        assert f"PASSWORD_HASHERS = {str(settings.PASSWORD_HASHERS).replace(chr(39), chr(34))}\n" in source.read()


def test_a_password_is_kept_by_argon2_with_the_parameters_of_owasp():
    assert make_password(PASSWORD).startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def test_an_old_hash_is_replaced_when_its_owner_signs_in(client, project):
    old = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1000)
    eva = UserFactory(username="eva", password=old)
    assert client.post("/sign-in/", {"username": "eva", "password": "wrong"}).status_code == 200
    assert User.objects.get(pk=eva.pk).password == old
    assert client.post("/sign-in/", {"username": "eva", "password": PASSWORD}).status_code == 302
    assert User.objects.get(pk=eva.pk).password.startswith("argon2$")
    assert client.post("/sign-out/").status_code == 302
    assert client.post("/sign-in/", {"username": "eva", "password": PASSWORD}).status_code == 302


@pytest.mark.parametrize("password", [None, "herons stand in reeds"])
def test_a_sign_in_that_replaces_an_old_hash_takes_no_change_back(project, password):
    old = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1000)
    eva = UserFactory(username="eva", password=old)
    signing_in = User.objects.get(pk=eva.pk)
    eva.set_password(password)
    eva.save()
    assert signing_in.check_password(PASSWORD)
    assert User.objects.get(pk=eva.pk).password == eva.password


def test_sixteen_at_once_take_little_memory():
    def peak() -> int:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

    before = peak()
    threads = [threading.Thread(target=make_password, args=(PASSWORD,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert peak() - before < 16 * 20 * 1024 + 30 * 1024
