"""Members of bodies are of the JSON types that the document names; nothing is read into them."""

import pytest
from rest_framework import serializers

from environments.api.bodies import Body, Typed


class Example(Body):
    text = serializers.CharField(required=False, allow_null=True)
    flag = serializers.BooleanField(required=False)
    count = serializers.IntegerField(required=False)
    tags = serializers.ListField(child=serializers.CharField(), required=False)


class Open(Typed):
    text = serializers.CharField()


@pytest.mark.parametrize(
    "members",
    [{"text": "5"}, {"text": None}, {"flag": False}, {"count": 5}, {"tags": []}, {"tags": ["a", "b"]}],
)
def test_members_of_their_type_are_taken_as_they_are(members):
    body = Example(data=members)
    assert body.is_valid()
    assert body.validated_data == members


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"text": 5}, "Not a string."),
        ({"text": True}, "Not a string."),
        ({"text": ["a"]}, "Not a string."),
        ({"flag": 0}, "Not a boolean."),
        ({"flag": "false"}, "Not a boolean."),
        ({"count": True}, "Not a whole number."),
        ({"count": "5"}, "Not a whole number."),
        ({"count": 5.0}, "Not a whole number."),
        ({"tags": ["a", 5]}, "Not a string."),
    ],
)
def test_members_of_another_type_are_refused(members, told):
    body = Example(data=members)
    assert not body.is_valid()
    assert body.errors == {next(iter(members)): [told]}


@pytest.mark.parametrize("pull_interval", ["1.5", True, "soon"])
def test_an_interval_is_a_number_null_or_learned(as_ana, experimental, pull_interval):
    url = "/api/v1/environments/experimental/"
    refused = as_ana.patch(url, {"pull_interval": pull_interval}, content_type="application/json")
    assert refused.status_code == 400
    assert refused.json()["errors"] == {"pull_interval": ["Give a number of seconds, null or learned."]}


def test_an_interval_too_large_for_a_float_is_refused(as_ana, experimental):
    body = b'{"pull_interval": 1' + b"0" * 400 + b"}"
    refused = as_ana.patch("/api/v1/environments/experimental/", body, content_type="application/json")
    assert refused.status_code == 400
    assert "pull_interval" in refused.json()["errors"]


def test_further_members_are_refused_only_where_they_could_mean_harm():
    assert Example(data={"txet": "a"}).is_valid() is False
    assert Open(data={"text": "a", "further": 1}).is_valid()
