"""Tokens that a stock Rasa server judges too: ours on its `rasa` channel, end users' on its HTTP API."""

import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests import forging, live
from tests.archives import real_archive

pytestmark = pytest.mark.rasa

PASSWORD = "a-password-for-the-api"
JWT_SECRET = "what-the-site-signs-its-users-tokens-with"
DECLARATION = """
rasa:
  production:
    url: http://127.0.0.1:{port}
    token: {token}
    jwt_secret: {secret}
    pull_interval: null
"""
RASA_TOKEN = "the-token-of-this-server"
# Somebody without any role: may not write in others' conversations.
CY = f"""
from accounts.models import User
User.objects.create_user("cy", "{PASSWORD}")
"""


@pytest.fixture(scope="module")
def port():
    return live.free_port()


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory, port):
    control_plane = live.ControlPlane(
        tmp_path_factory.mktemp("tokens"),
        DECLARATION.format(port=port, token=RASA_TOKEN, secret=JWT_SECRET),
        variables={"CONTROLPLANE_ADMIN_PASSWORD": PASSWORD},
    )
    control_plane.run(CY)
    yield control_plane
    control_plane.stop()


@pytest.fixture(scope="module")
def rasa_server(control_plane, start_rasa, port, tmp_path_factory):
    server = start_rasa(
        credentials=f"rest:\nrasa:\n  url: {control_plane.url}/api\n",
        token=RASA_TOKEN,
        jwt_secret=JWT_SECRET,
        port=port,
    )
    server.wait()
    archive = tmp_path_factory.mktemp("model") / "calm-heron.tar.gz"
    archive.write_bytes(real_archive("calm-heron"))
    loaded = httpx.put(
        f"{server.url}/model", params={"token": RASA_TOKEN}, json={"model_file": str(archive)}, timeout=60
    )
    assert loaded.status_code == 204
    return server


def sign_in(control_plane, username):
    answer = httpx.post(f"{control_plane.url}/api/auth", json={"username": username, "password": PASSWORD})
    assert answer.status_code == 200
    return answer.json()["access_token"]


def write(rasa_server, token, **body):
    """A message on the `rasa` channel."""
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{rasa_server.url}/webhooks/rasa/webhook"
    return httpx.post(url, json={"message": "hi"} | body, headers=headers, timeout=60)


def test_rasa_takes_our_token_and_its_sender_is_the_user(control_plane, rasa_server):
    answer = write(rasa_server, sign_in(control_plane, "admin"))
    assert answer.status_code == 200
    assert answer.json() == [{"recipient_id": "admin", "text": "Hello from calm-heron."}]


def test_who_may_talk_here_may_write_in_any_conversation_there(control_plane, rasa_server):
    answer = write(rasa_server, sign_in(control_plane, "admin"), conversation_id="tom")
    assert answer.json()[0]["recipient_id"] == "tom"
    token = sign_in(control_plane, "cy")
    assert write(rasa_server, token, conversation_id="cy").json()[0]["recipient_id"] == "cy"
    assert write(rasa_server, token, conversation_id="tom").status_code == 401


def test_rasa_takes_a_token_of_a_new_key_after_a_rotation(control_plane, rasa_server):
    assert write(rasa_server, sign_in(control_plane, "admin")).status_code == 200
    control_plane.manage("rotate_keys")
    assert write(rasa_server, sign_in(control_plane, "admin")).status_code == 200


def test_rasa_takes_no_forged_token(control_plane, rasa_server):
    token = sign_in(control_plane, "admin")
    key = httpx.get(f"{control_plane.url}/api/version").json()["keys"][0]["key"]
    header, claims = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    forged = {
        "none": forging.unsigned(header | {"alg": "none"}, claims),
        "no signature": forging.unsigned(header, claims),
        "HS256 with the public key": forging.signed(header | {"alg": "HS256"}, claims, key),
        "another key": jwt.encode(claims, foreign, algorithm="RS256", headers={"kid": header["kid"]}),
        "another user": forging.altered(token, username="cy"),
        "nonsense": "nonsense",
    }
    answers = {name: write(rasa_server, text) for name, text in forged.items()}
    # Its channel answers 500 where decoding raises, as it does for every one of these.
    assert {name: answer.status_code for name, answer in answers.items() if answer.status_code not in (401, 500)} == {}
    assert not [name for name, answer in answers.items() if "Hello" in answer.text]
    assert write(rasa_server, token).status_code == 200


def end_users_token(username, role, **claims):
    return jwt.encode({"user": {"username": username, "role": role}} | claims, JWT_SECRET, algorithm="HS256")


def test_an_end_users_token_opens_here_what_it_opens_there(control_plane, rasa_server):
    user = {"user": {"username": "mia", "role": "user"}}
    asked = {
        "own": (end_users_token("mia", "user", exp=int(time.time()) + 600), "mia", True),
        "another's": (end_users_token("mia", "user"), "tom", False),
        "an admin's": (end_users_token("boss", "admin"), "tom", True),
        "another role": (end_users_token("mia", "guest"), "mia", False),
        "without an end": (end_users_token("mia", "user"), "mia", True),
        "expired": (end_users_token("mia", "user", exp=1), "mia", False),
        "another secret": (forging.signed({"alg": "HS256"}, user, "another-secret"), "mia", False),
        "unsigned": (forging.unsigned({"alg": "none"}, user), "mia", False),
        "flat": (jwt.encode(user["user"], JWT_SECRET, algorithm="HS256"), "mia", False),
    }
    opened_there, opened_here = {}, {}
    for name, (token, conversation, _) in asked.items():
        headers = {"Authorization": f"Bearer {token}"}
        there = httpx.get(f"{rasa_server.url}/conversations/{conversation}/tracker", headers=headers, timeout=60)
        url = f"{control_plane.url}/api/conversations/{conversation}/messages"
        here = httpx.post(url, json={"message": "hi"}, headers=headers, timeout=60)
        opened_there[name], opened_here[name] = there.status_code == 200, here.status_code == 200
        assert here.status_code in (200, 401, 403)
    assert opened_here == opened_there == {name: opens for name, (_, _, opens) in asked.items()}
