"""`deployment` in environments.yml: each key is read, or refused with line, key and cure."""

import pytest

from environments import spec
from environments.deployment_spec import Deployment, Edition
from environments.errors import EnvironmentsFileInvalid

URL = "url: http://rasa-production:5005"


def parse(text):
    return spec.parse(text, {"MEMORY": "2g"})


def deployment(*lines):
    text = "".join(f"      {line}\n" for line in lines)
    [item] = parse(f"rasa:\n  production:\n    {URL}\n    deployment:\n{text}").environments
    return item.deployed.deployment


def refusal(*lines):
    """What is told of the one line that is wrong."""
    with pytest.raises(EnvironmentsFileInvalid) as refused:
        deployment(*lines)
    [(key, [told])] = refused.value.errors.items()
    return key.removeprefix("rasa.production.deployment").removeprefix("."), told


def test_every_key_is_understood():
    assert deployment(
        "enabled: true",
        "image: example/rasa-pro",
        "version: 3.21.0",
        "edition: pro",
        "license: ${OUR_LICENSE}",
        "memory: 2G",
        "memory_reservation: ${MEMORY}",
        "cpus: 1.5",
        'arguments: [--debug, --cors, "*"]',
        "environment: {LOG_LEVEL: DEBUG, MORE: 'a${B}c'}",
    ) == Deployment(
        enabled=True,
        image="example/rasa-pro",
        version="3.21.0",
        edition=Edition.PRO,
        license="${OUR_LICENSE}",
        memory="2g",
        memory_reservation="2g",
        cpus=1.5,
        arguments=("--debug", "--cors", "*"),
        environment={"LOG_LEVEL": "DEBUG", "MORE": "a${B}c"},
    )


def test_variables_stay_variables_whether_they_are_set_or_not():
    assert deployment('image: "${BOT}"', "environment: {A: $B, C: '${D}'}").environment == {"A": "$B", "C": "${D}"}


@pytest.mark.parametrize(
    "image", ["rasa/rasa", "rasa:3.6", "localhost:5000/a/b_c:v1", "example.com/x@sha256:" + "0" * 64]
)
def test_an_image_may_be_anywhere(image):
    assert deployment(f"image: {image}").image == image


@pytest.mark.parametrize(
    ("lines", "key", "told"),
    [
        (["imgae: x"], "imgae", "line 5: is an unknown key. Did you mean image?"),
        (["image: Rasa/Rasa"], "image", "line 5: is not the name of an image"),
        (["image: http://x/y"], "image", "is not the name of an image"),
        (["image: rasa/rasa:3.6", "version: '3.7'"], "version", "line 6: is said twice"),
        (["version: 3.6"], "version", "is not of the right type. Write it in quotes"),
        (["version: a/b"], "version", "is not a tag"),
        (["edition: enterprise"], "edition", "Write one of: open-source, pro"),
        (["license: s3cret"], "license", "is named here by its variable alone"),
        (["license: a${B}"], "license", "is named here by its variable alone"),
        (["memory: much"], "memory", "Write it like 512m or 2g"),
        (["memory: 0"], "memory", "Write it like 512m or 2g"),
        (["memory: 2 g"], "memory", "Write it like 512m or 2g"),
        (["cpus: 0"], "cpus", "is out of range"),
        (["arguments: --debug"], "arguments", "is not a list"),
        (["arguments: [1]"], "arguments", "is not of the right type"),
        (["arguments: [--auth-token=x]"], "arguments", "holds --auth-token, which the control plane says itself"),
        (["arguments: [-p, '1']"], "arguments", "holds -p,"),
        (["environment: {A B: x}"], "environment", "has a name that no variable can have"),
        (["environment: {A: 1}"], "environment.A", "in quotes if it looks like a number"),
        (["environment: {RASA_ENVIRONMENT: x}"], "environment.RASA_ENVIRONMENT", "is set by the control plane itself"),
        (["environment: {A: '${B'}"], "environment.A", "has a ${…} that is not understood"),
        (["environment: {A: '${B:-c}'}"], "environment.A", "has a ${…} that is not understood"),
        (['environment: {A: "a\\0b"}'], "environment.A", "a NUL, or half of a pair"),
        (['environment: {A: "a\\ud800b"}'], "environment.A", "a NUL, or half of a pair"),
        (["enabled: maybe"], "enabled", "Write true or false"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_its_key_and_the_cure(lines, key, told):
    where, reason = refusal(*lines)
    assert where == key
    assert told in reason


def test_it_is_a_mapping():
    with pytest.raises(EnvironmentsFileInvalid, match="is not a mapping"):
        parse(f"rasa: {{production: {{{URL.replace('http://rasa-production:5005', 'x')}, deployment: 3.6.21}}}}")


def test_another_image_has_a_version_and_an_edition_of_its_own():
    default = Deployment(image="a", version="1", edition=Edition.PRO, memory="1g")
    assert Deployment(image="b:2").over(default) == Deployment(image="b:2", memory="1g")
    assert Deployment(version="3").over(default) == Deployment(image="a", version="3", edition=Edition.PRO, memory="1g")
    assert Deployment(arguments=()).over(Deployment(arguments=("--debug",))).arguments == ()
