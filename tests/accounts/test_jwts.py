"""Tokens of `/api/auth`: who has one is the user it names, and nobody who forged one is anybody."""

import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts import jwts
from accounts.actions import keys, tokens
from accounts.actor import COMMAND, RASA_X, Actor, system
from accounts.models import AuditEvent, SigningKey, signing_key
from accounts.problems import Unauthorized
from tests import forging
from tests.factories import give, jwt_of, take

HOUR = 3600
ME, MODELS = "/api/v1/me/", "/api/projects/default/models"


@pytest.fixture
def token(ben):
    return jwt_of(ben)


@pytest.fixture
def key(token):
    return SigningKey.objects.get()


@pytest.fixture
def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def client_with(token):
    return Client(headers={"authorization": f"Bearer {token}"})


def pem(private_key):
    return private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_a_token_holds_what_rasa_reads_and_expires_after_eight_hours(token, claims, key, ben):
    assert claims["username"] == "ben"
    assert claims["exp"] - claims["iat"] == 8 * HOUR
    assert abs(claims["iat"] - time.time()) < 5
    assert "aud" not in claims
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "kid": key.kid}
    assert jwt.decode(token, key.public_key, algorithms=["RS256"]) == claims


def test_who_may_talk_somewhere_may_write_in_any_conversation_of_the_channel(ben, cy, claims):
    assert claims["scopes"] == ["clientEvents:create"]
    assert jwt.decode(jwt_of(cy), options={"verify_signature": False})["scopes"] == []


@pytest.mark.parametrize("url", [ME, MODELS])
def test_it_is_the_user_on_native_and_rasa_x_routes(token, url):
    assert client_with(token).get(url).status_code == 200


def test_it_is_no_more_than_its_user_may_now(token, ben, experimental):
    client = client_with(token)
    assert "models.read" in client.get(ME).json()["projects"][0]["grants"]
    take(ben, "models.read")
    assert client.get(MODELS).status_code == 403
    give(ben, experimental.project, "models.read")
    assert client.get(MODELS).status_code == 200


def test_it_costs_two_queries_to_know_whose_it_is(token, django_assert_num_queries):
    with django_assert_num_queries(2):
        assert jwts.verify(token).username == "ben"


def test_tokens_of_a_key_that_was_rotated_are_good_while_it_is_published(token):
    newer = signing_key.make()
    assert jwts.verify(token).username == "ben"
    assert next(iter(jwts.published())) == newer
    SigningKey.objects.exclude(pk=newer.pk).delete()
    with pytest.raises(Unauthorized, match="not made here, or long ago"):
        jwts.verify(token)


def test_each_key_that_is_made_is_told_once(ben, settings):
    for _ in range(2):
        tokens.issue(user=ben, by=Actor(user=ben, via=RASA_X))
    settings.SECRET_KEY = "another installation key, which knows nothing"
    tokens.issue(user=ben, by=Actor(user=ben, via=RASA_X))
    newer, older = SigningKey.objects.all()
    first, second = AuditEvent.objects.filter(action="keys.make").order_by("pk")
    assert (first.actor, first.before, first.after) == ("ben", None, {"signing_key": older.kid})
    assert (second.before, second.after) == ({"unreadable": older.kid}, {"signing_key": newer.kid})


def test_the_first_start_tells_of_the_key_it_makes(db):
    for _ in range(2):
        keys.ensure_signing(by=system(COMMAND))
    assert AuditEvent.objects.get(action="keys.make").after == {"signing_key": SigningKey.objects.get().kid}


def test_a_lost_installation_key_costs_a_new_sign_in_and_no_more(token, ben, settings):
    settings.SECRET_KEY = "another installation key, which knows nothing"
    again = jwt_of(ben)
    assert SigningKey.objects.count() == 2
    assert jwts.verify(again) == ben


@pytest.mark.parametrize("change", [{"is_active": False}, {"credential_generation": 2}, {"username": "benjamin"}])
def test_a_change_of_the_account_ends_it(token, ben, change):
    for name, value in change.items():
        setattr(ben, name, value)
    ben.save()
    assert client_with(token).get(ME).status_code == 401


def forgeries(token, claims, key, ana):
    """Each way to forge a token, by name: none of them may work."""
    header = {"alg": "RS256", "typ": "JWT", "kid": key.kid}
    private = key.private_key
    now = int(time.time())
    foreign = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    curve = pem(ec.generate_private_key(ec.SECP256R1()))

    def sign(more, **options):
        changed = {name: value for name, value in (claims | more).items() if value is not ...}
        made = {"key": private, "algorithm": "RS256", "headers": {"kid": key.kid}} | options
        return jwt.encode(changed, **made)

    made = {
        "none": forging.unsigned(header | {"alg": "none"}, claims),
        "None": forging.unsigned(header | {"alg": "None"}, claims),
        "none without a dot": forging.unsigned(header | {"alg": "none"}, claims).rstrip("."),
        "no algorithm": forging.unsigned({"kid": key.kid}, claims),
        "no signature": token.rpartition(".")[0] + ".",
        "HS256 with the public key": forging.signed(header | {"alg": "HS256"}, claims, key.public_key),
        "HS256 with the stripped public key": forging.signed(header | {"alg": "HS256"}, claims, key.public_key.strip()),
        "HS256 said to be RS256": forging.signed(header, claims, key.public_key),
        "HS256 with the name of the key": forging.signed(header | {"alg": "HS256"}, claims, key.kid),
        "another key": sign({}, key=foreign),
        "another key of its own header": sign({}, key=foreign, headers={"kid": key.kid, "jwk": {"kty": "RSA"}}),
        "RS512 of our key": sign({}, algorithm="RS512"),
        "PS256 of our key": sign({}, algorithm="PS256"),
        "ES256": sign({}, key=curve, algorithm="ES256"),
        "an unknown kid": sign({}, headers={"kid": "0" * 16}),
        "no kid": sign({}, headers={}),
        "a kid that is a path": sign({}, headers={"kid": "../../dev/null"}),
        "a kid with NUL": sign({}, headers={"kid": "\0" * 16}),
        "a critical extension": sign({}, headers={"kid": key.kid, "crit": ["exp"]}),
        "expired": sign({"exp": now - 60}),
        "expired long ago": sign({"exp": 0}),
        "not yet valid": sign({"nbf": now + 60}),
        "made in the future": sign({"iat": now + 60}),
        "another audience": sign({"aud": "somebody"}),
        "another user under the old signature": forging.altered(token, username="ana", sub=str(ana.pk)),
        "another user's name": sign({"username": "ana"}),
        "the name in other letters": sign({"username": "BEN"}),
        "a user who is not": sign({"sub": "999999"}),
        "a later generation": sign({"gen": claims["gen"] + 1}),
        "an earlier generation": sign({"gen": claims["gen"] - 1}),
        "claims that are a list": forging.signed(header, ["ben"], key.public_key),
    }
    for name in ("sub", "username", "scopes", "exp", "iat", "gen"):
        made[f"without {name}"] = sign({name: ...})
    for name, wrong in (
        ("username", 1),
        ("scopes", "clientEvents:create"),
        ("gen", True),
        ("gen", "1"),
        ("gen", 1.0),
        ("gen", None),
        ("exp", str(now + HOUR)),
        ("exp", now + HOUR + 0.5),
        ("exp", float("inf")),
        ("exp", float("nan")),
        ("exp", None),
        ("iat", None),
        ("iat", [now]),
        ("nbf", None),
    ):
        payload = json.dumps(claims | {name: wrong}).encode()
        made[f"{name} is {wrong!r}"] = jwt.api_jws.encode(payload, private, "RS256", headers={"kid": key.kid})
    return made


def test_every_forged_token_is_refused_on_every_kind_of_route(token, claims, key, ana):
    made = forgeries(token, claims, key, ana)
    assert len(made) > 40
    for url in (ME, MODELS):
        answers = {name: client_with(forged).get(url) for name, forged in made.items()}
        assert {name: answer.status_code for name, answer in answers.items() if answer.status_code != 401} == {}
        for answer in answers.values():
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert client_with(token).get(ME).status_code == 200


@pytest.mark.parametrize(
    "text",
    ["a", "a.b", "a.b.c", "..", "a.b.c.d", "e30.e30.e30", "x" * 5000, forging.part(b"[" * 5000) + ".e30.e30", "ÿ.ÿ.ÿ"],
)
def test_what_is_no_token_is_refused(project, text):
    answer = client_with(text.encode().decode("latin-1")).get(ME)
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthorized")


@given(st.text(max_size=200))
def test_no_text_breaks_the_decoding(text):
    with pytest.raises(Unauthorized):
        jwts.decode(text, key="k" * 40, algorithm="HS256", claims={})


@pytest.mark.parametrize("secret", ["cps_1_wrong", "the-installation-wide-token"])
def test_the_token_of_a_rasa_server_is_told_from_a_forged_one(project, settings, secret):
    settings.RASA_X_TOKEN = "the-installation-wide-token"
    for url, sentence in ((ME, "detail"), (MODELS, "message")):
        answer = client_with(secret).get(url)
        assert answer.status_code == 401
        assert "the token of a Rasa server" in answer.json()[sentence]


def test_in_the_query_an_api_token_is_taken_and_nothing_else(token, project):
    for secret in (token, "cps_1_wrong", "nonsense", ""):
        assert Client().get(MODELS, {"api_token": secret}).status_code == 401
    assert Client().get(ME, {"api_token": token}).status_code == 401
