"""Git repositories: what is taken as one, who may, and that nobody ever sees their credentials again."""

import json
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from accounts.models import AuditEvent, Project
from accounts.problems import InvalidFields, MissingGrant, NotFound
from environments import errors
from environments.actions import repositories
from environments.models import Job, Repository
from tests.factories import take

HTTPS, SSH = "https://git.example.com/team/assistant.git", "ssh://git@git.example.com:2222/team/assistant.git"
TOKEN = "glpat-Secret.7Yx2mB0nQ"
KNOWN_HOSTS = "[git.example.com]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHhZ"
OPENSSH, PKCS8 = serialization.PrivateFormat.OpenSSH, serialization.PrivateFormat.PKCS8


def private_key(made=None, form=OPENSSH, password: bytes = b"") -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    made = made or ed25519.Ed25519PrivateKey.generate()
    return made.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def define(by, name="assistant", **fields) -> Repository:
    return repositories.define(project=Project.objects.get(), name=name, by=by, **{"url": HTTPS, **fields})


def fields_of(refusal) -> set[str]:
    return set(refusal.value.errors)


def test_a_repository_is_defined_with_sealed_credentials(by_ben):
    made = define(by_ben, username="robot", token=TOKEN, folder="bots/bank", ref="release/1.2")
    stored = Repository.objects.get()
    assert stored.token == TOKEN
    assert TOKEN not in "".join(str(value) for value in Repository.objects.values_list().get())
    assert (stored.ref, stored.folder, stored.by_name) == ("release/1.2", "bots/bank", "ben")
    told = AuditEvent.objects.get(action="repository.create")
    assert told.object == "repository:assistant"
    assert told.after["has_token"]
    assert TOKEN not in json.dumps([told.before, told.after])
    assert repr(made) == "<Repository: assistant>"


@pytest.mark.parametrize(
    "key",
    [
        private_key(),
        private_key(rsa.generate_private_key(65537, 2048), serialization.PrivateFormat.TraditionalOpenSSL),
        private_key(form=PKCS8),
        f"\n{private_key()}\r\n\n",
    ],
    ids=["openssh", "rsa", "pkcs8", "with space around it"],
)
def test_an_ssh_repository_takes_a_key_and_host_keys(by_ben, key):
    define(by_ben, url=SSH, ssh_key=key, known_hosts=f"# theirs\n{KNOWN_HOSTS}\n")
    assert Repository.objects.get().ssh_key == key


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"url": SSH, "ssh_key": "no key", "known_hosts": KNOWN_HOSTS}, "ssh_key"),
        ({"url": SSH, "ssh_key": private_key(form=PKCS8, password=b"x"), "known_hosts": KNOWN_HOSTS}, "ssh_key"),
        ({"ssh_key": private_key()}, "ssh_key"),
        ({"url": SSH, "ssh_key": private_key()}, "known_hosts"),
        ({"url": SSH, "ssh_key": private_key(), "known_hosts": "git.example.com"}, "known_hosts"),
        ({"url": SSH, "ssh_key": private_key(), "known_hosts": "a ssh-rsa !!!"}, "known_hosts"),
        ({"url": SSH, "token": TOKEN, "known_hosts": KNOWN_HOSTS}, "token"),
        ({"token": "two\nlines"}, "token"),
        ({"username": "a\nb"}, "username"),
        ({"folder": "/etc"}, "folder"),
        ({"folder": "a/../.."}, "folder"),
        ({"folder": "a//b"}, "folder"),
        ({"folder": "a\\b"}, "folder"),
    ],
)
def test_what_cannot_be_used_is_refused_by_the_name_of_its_field(by_ben, fields, wrong):
    with pytest.raises(InvalidFields) as refused:
        define(by_ben, **fields)
    assert fields_of(refused) == {wrong}
    assert not Repository.objects.exists()
    assert TOKEN not in str(refused.value.detail)


@pytest.mark.sshd
def test_a_key_with_a_passphrase_is_refused_as_nobody_could_type_it(by_ben, tmp_path):
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", str(tmp_path / "key")]
    subprocess.run(made, check=True)
    with pytest.raises(InvalidFields, match="has a passphrase"):
        define(by_ben, url=SSH, ssh_key=(tmp_path / "key").read_text(), known_hosts=KNOWN_HOSTS)


def test_an_address_or_a_ref_that_is_none_is_refused(by_ben):
    with pytest.raises(errors.InvalidUrl):
        define(by_ben, url="file:///etc")
    with pytest.raises(errors.InvalidName):
        define(by_ben, ref="--upload-pack=x")


def test_a_name_is_taken_once_and_free_again_when_it_was_removed(by_ben):
    first = define(by_ben, token=TOKEN)
    with pytest.raises(errors.RepositoryExists):
        define(by_ben)
    repositories.remove(repository=first, by=by_ben)
    first.refresh_from_db()
    assert first.sealed_token == ""
    assert define(by_ben).pk != first.pk
    with pytest.raises(errors.RepositoryRefused, match="was removed"):
        repositories.fetch(repository=first, by=by_ben)


def test_another_server_does_not_get_the_token(by_ben):
    made = define(by_ben, token=TOKEN)
    moved = repositories.change(repository=made, by=by_ben, url="https://git.example.com/other/place.git")
    assert moved.token == TOKEN
    moved = repositories.change(repository=made, by=by_ben, url="https://evil.example.com/team/assistant.git")
    assert moved.token == ""
    again = repositories.change(repository=made, by=by_ben, url=HTTPS, token="another")
    assert again.token == "another"


def test_a_change_is_audited_once_and_tells_that_a_secret_is_new(by_ben):
    made = define(by_ben, token=TOKEN)
    repositories.change(repository=made, by=by_ben, ref="main")
    repositories.change(repository=made, by=by_ben, token=TOKEN)
    assert not AuditEvent.objects.filter(action="repository.update").exists()
    repositories.change(repository=made, by=by_ben, token=TOKEN + "2")
    told = AuditEvent.objects.get(action="repository.update")
    assert told.after["replaced"] == ["token"]
    assert TOKEN not in json.dumps([told.before, told.after])


def test_a_refused_change_changes_nothing(by_ben):
    made = define(by_ben, token=TOKEN)
    with pytest.raises(InvalidFields):
        repositories.change(repository=made, by=by_ben, url="https://other.example.com/a.git", folder="..")
    made.refresh_from_db()
    assert (made.url, made.token) == (HTTPS, TOKEN)


def test_a_fetch_is_a_job_for_a_ref(by_ben, sent, django_capture_on_commit_callbacks):
    made = define(by_ben)
    with django_capture_on_commit_callbacks(execute=True):
        job = repositories.fetch(repository=made, by=by_ben, ref="v1.2")
    assert (job.kind, job.options) == ("fetch", {"repository": made.pk, "ref": "v1.2"})
    assert sent == [("workers.fetch", [job.pk])]
    assert repositories.fetch(repository=made, by=by_ben).options["ref"] == "main"
    with pytest.raises(errors.InvalidName):
        repositories.fetch(repository=made, by=by_ben, ref="-x")


def test_who_may_not_train_does_none_of_it(by_ben, ben, by_cy):
    made = define(by_ben)
    take(ben, "training.write")
    for kind, by in ((NotFound, by_cy), (MissingGrant, by_ben)):
        for attempt in (
            lambda by: define(by, "another"),
            lambda by: repositories.change(repository=made, by=by, ref="x"),
            lambda by: repositories.remove(repository=made, by=by),
            lambda by: repositories.fetch(repository=made, by=by),
        ):
            with pytest.raises(kind):
                attempt(by)
    assert not Job.objects.exists()
