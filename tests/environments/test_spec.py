"""environments.yml: every error names line, key and cure, and all are told at once."""

import pytest

from environments import spec
from environments.errors import EnvironmentsFileInvalid

VARIABLES = {"RASA_TOKEN": "s3cret-token", "REPLICAS": "3", "EMPTY": ""}
URL = "url: http://rasa-production:5005"


def parse(text):
    return spec.parse(text, VARIABLES)


def only(text):
    [environment] = parse(text).environments
    return environment


def errors_of(text):
    with pytest.raises(EnvironmentsFileInvalid) as refused:
        parse(text)
    return refused.value.errors


def production(*lines):
    """A file of one environment whose keys begin at line 3."""
    return "rasa:\n  production:\n" + "".join(f"    {line}\n" for line in lines)


def test_the_plain_format_of_rasa_x_is_valid():
    text = """
rasa:
  production:
    url: http://rasa-production:5005
    token: ${RASA_TOKEN}
  worker:
    url: http://rasa-worker:5005
    token: inline-token
"""
    live, worker = parse(text).environments
    assert (live.name, live.token, live.protected, live.kind, live.follows) == (
        "production",
        "s3cret-token",
        True,
        "serving",
        None,
    )
    assert (worker.token, worker.protected, worker.kind, worker.follows) == (
        "inline-token",
        False,
        "training",
        "production",
    )


def test_no_environments_at_all_is_valid():
    assert parse("rasa: {}").environments == ()
    assert parse("rasa: {}").projects == ("default",)


def test_every_key_is_understood():
    declared = only(
        production(
            URL,
            "token: ${RASA_TOKEN}",
            "replicas: 2",
            "workers: 4",
            "pull_interval: 0.5",
            "protected: false",
            "jwt_secret: signed",
            'color: "#ABCDEF"',
            "kind: training",
            "rasa_x_writes: refuse",
            "follows: null",
        )
    )
    assert declared == spec.DeclaredEnvironment(
        project="default",
        name="production",
        line=2,
        url="http://rasa-production:5005",
        token="s3cret-token",
        jwt_secret="signed",
        replicas=2,
        workers=4,
        pull_interval=0.5,
        protected=False,
        color="#abcdef",
        kind="training",
        rasa_x_writes="refuse",
        follows=None,
        token_variable="RASA_TOKEN",
    )


def test_what_is_left_out_has_its_default():
    declared = only(production(URL))
    assert (declared.replicas, declared.workers, declared.pull_interval, declared.pulls_once) == (1, 1, None, False)
    assert (declared.token, declared.jwt_secret, declared.color, declared.rasa_x_writes) == ("", "", None, "allow")


def test_a_pull_interval_of_null_means_pulls_once():
    declared = only(production(URL, "pull_interval: null"))
    assert (declared.pull_interval, declared.pulls_once) == (None, True)


def test_a_worker_without_production_follows_nobody():
    assert only("rasa: {worker: {url: 'http://w:1'}}").follows is None


def test_a_worker_may_own_its_tag():
    text = "rasa:\n  production: {url: 'http://p:1'}\n  worker:\n    url: http://w:1\n    follows:\n"
    assert parse(text).environments[1].follows is None


def test_further_projects_have_environments_of_their_own():
    text = (
        "rasa: {}\nprojects:\n  banking:\n    rasa:\n      production: {url: 'http://bank:5005'}\n  empty: {rasa: {}}\n"
    )
    declaration = parse(text)
    assert declaration.projects == ("default", "banking", "empty")
    assert [(item.project, item.name) for item in declaration.environments] == [("banking", "production")]


def test_variables_may_stand_inside_text_and_for_numbers():
    declared = only(production("url: http://rasa-${REPLICAS}:5005", "replicas: ${REPLICAS}", "token: ${EMPTY}"))
    assert (declared.url, declared.replicas, declared.token) == ("http://rasa-3:5005", 3, "")


def test_names_that_yaml_reads_as_something_else_stay_names():
    assert [
        item.name for item in parse("rasa:\n  1: {url: 'http://a:1'}\n  on: {url: 'http://b:1'}\n").environments
    ] == [
        "1",
        "on",
    ]


def test_secrets_are_not_in_the_repr():
    assert "s3cret" not in repr(only(production(URL, "token: ${RASA_TOKEN}", "jwt_secret: s3cret")))


@pytest.mark.parametrize(
    ("lines", "key", "message"),
    [
        ([URL, "tokn: x"], "tokn", "line 4: is an unknown key. Did you mean token?"),
        ([URL, "zzz: x"], "zzz", "line 4: is an unknown key. Known are: color,"),
        ([URL, URL], "url", "line 4: stands here again, after line 3. Remove one"),
        (["token: x"], "url", "line 2: is missing. Write the address"),
        ([URL, "token: ${NOT_SET}"], "token", "line 4: the variable NOT_SET is not set. Set it"),
        ([URL, "token: ${NOT_SET:-x}"], "token", "line 4: has a ${…} that is not understood. Only ${NAME} is"),
        ([URL, "token: ${RASA_TOKEN"], "token", "line 4: has a ${…} that is not understood"),
        ([URL, "token: 12345"], "token", "line 4: is not of the right type. Write text, in quotes"),
        ([URL, "token: [x]"], "token", "line 4: is not of the right type"),
        ([URL, "token:"], "token", "line 4: is not of the right type"),
        ([URL, "token: !vault x"], "token", "line 4: is not of the right type"),
        ([URL, "jwt_secret: true"], "jwt_secret", "line 4: is not of the right type"),
        ([URL, "replicas: two"], "replicas", "line 4: is not of the right type. Write a whole number from 1 to 1000."),
        ([URL, "replicas: 0"], "replicas", "line 4: is out of range. Write a whole number from 1 to 1000."),
        ([URL, "replicas: -1"], "replicas", "line 4: is out of range"),
        ([URL, "replicas: 1.5"], "replicas", "line 4: is not of the right type"),
        ([URL, "replicas: ${RASA_TOKEN}"], "replicas", "line 4: is out of range"),
        ([URL, "workers: 0"], "workers", "line 4: is out of range"),
        ([URL, "workers: 99999999999999999999"], "workers", "line 4: is out of range"),
        ([URL, "pull_interval: 0"], "pull_interval", "line 4: is out of range. Write seconds, more than 0"),
        ([URL, "pull_interval: -5"], "pull_interval", "line 4: is out of range"),
        ([URL, "pull_interval: .inf"], "pull_interval", "line 4: is out of range"),
        ([URL, "pull_interval: .nan"], "pull_interval", "line 4: is out of range"),
        ([URL, "pull_interval: 10s"], "pull_interval", "line 4: is not of the right type"),
        ([URL, "protected: yes"], "protected", "line 4: is not of the right type. Write true or false."),
        ([URL, "protected: ${REPLICAS}"], "protected", "line 4: is neither true nor false"),
        ([URL, "color: teal"], "color", "line 4: is not a colour. Write six hexadecimal digits in quotes"),
        ([URL, "color: #0e7490"], "color", "line 4: is not of the right type. Write six hexadecimal digits in quotes"),
        ([URL, "kind: trainning"], "kind", "line 4: is not known. Write one of: serving, training."),
        ([URL, "rasa_x_writes: deny"], "rasa_x_writes", "line 4: is not known. Write one of: allow, refuse."),
        ([URL, "follows: production"], "follows", "line 4: names the environment itself"),
        ([URL, "follows: staging"], "follows", "line 4: names no environment of this project. Known are: none."),
        ([URL, "? [a, b]\n    : c"], "", "line 4: has a key that is not a word"),
        (["url: ftp://rasa:1"], "url", "line 3: The address does not begin with http:// or https://"),
        (["url: rasa-production"], "url", "line 3: The address has no usable host or port"),
        (["url: 5005"], "url", "line 3: is not of the right type. Write an address like"),
        (["url: http://me:s3cret@rasa:1"], "url", "line 3: The address holds a user or password"),
        (["url: http://rasa:1?token=s3cret"], "url", "line 3: The address has a query or fragment"),
        (["url: http://169.254.169.254"], "url", "line 3: The address is a link-local one"),
    ],
)
def test_an_error_in_an_environment_names_line_key_and_cure(lines, key, message):
    errors = errors_of(production(*lines))
    [sentence] = errors[f"rasa.production.{key}" if key else "rasa.production"]
    assert sentence.startswith(message)
    assert len(errors) == 1
    assert "s3cret" not in sentence


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("", "rasa", "line 1: is missing. Write `rasa: {production:"),
        ("# nothing\n", "rasa", "line 1: is missing"),
        ("projects: {}", "rasa", "line 1: is missing"),
        ("rasa:", "rasa", "line 1: is not a mapping. Write it like this: `rasa:"),
        ("rasa: []", "rasa", "line 1: is not a mapping"),
        ("rasa: {production: }", "rasa.production", "line 1: is not a mapping. Write it like this: `production: {url:"),
        ("rasa: {production: http://rasa:5005}", "rasa.production", "line 1: is not a mapping"),
        ("rasa: {}\nproject: {}\n", "project", "line 2: is an unknown key. Did you mean projects?"),
        ("rasa: {}\nrasa: {}\n", "rasa", "line 2: stands here again, after line 1"),
        ("rasa: {}\nprojects: []\n", "projects", "line 2: is not a mapping. Write it like this: `projects:"),
        ("rasa: {}\nprojects:\n  bank: {}\n", "projects.bank.rasa", "line 3: is missing"),
        (
            "rasa: {}\nprojects:\n  bank: {rassa: {}, rasa: {}}\n",
            "projects.bank.rassa",
            "line 3: is an unknown key. Did",
        ),
        (
            "rasa: {}\nprojects:\n  Bank: {rasa: {}}\n",
            "projects.Bank",
            "line 3: The project name 'Bank' cannot be used.",
        ),
        (
            "rasa: {}\nprojects:\n  default: {rasa: {}}\n",
            "projects.default",
            "line 3: is the project of `rasa` at the top",
        ),
        (
            "rasa:\n  Prod: {url: 'http://a:1'}\n",
            "rasa.Prod",
            "line 2: The environment name 'Prod' cannot be used. Take",
        ),
        ("rasa:\n  latest: {url: 'http://a:1'}\n", "rasa.latest", "line 2: latest always means something else"),
        ("rasa:\n  production: [}\n", "", "line 2: the YAML cannot be read"),
        ("rasa:\n\tproduction: x\n", "", "line 2: the YAML cannot be read"),
        ("rasa: {}\n---\nrasa: {}\n", "", "line 2: the YAML cannot be read (but found another document)"),
        ("rasa: {}\nprojects: \x01\n", "", "line 2: holds a character that YAML does not allow"),
    ],
)
def test_an_error_of_the_file_names_line_key_and_cure(text, key, message):
    errors = errors_of(text)
    assert list(errors) == [key]
    assert errors[key][0].startswith(message)


def test_a_file_that_is_no_mapping_is_refused():
    assert errors_of("- rasa\n")[""] == [
        "line 1: is not a mapping. Write it like this: "
        "`rasa: {production: {url: http://rasa-production:5005}}`, or `rasa: {}` for none."
    ]


def test_two_environments_with_one_url_are_refused_whatever_its_spelling():
    text = "rasa:\n  production: {url: 'http://rasa:80/'}\nprojects:\n  bank: {rasa: {live: {url: 'HTTP://Rasa'}}}\n"
    assert errors_of(text) == {
        "projects.bank.rasa.live.url": [
            "line 4: is also the address of rasa.production (line 2). Give each its own Rasa server."
        ]
    }


def test_following_has_no_chains():
    text = (
        "rasa:\n  production: {url: 'http://a:1'}\n  eu: {url: 'http://b:1', follows: production}\n"
        "  us: {url: 'http://c:1', follows: eu}\n"
    )
    assert errors_of(text) == {
        "rasa.us.follows": ["line 4: eu follows production itself: there are no chains. Follow production."]
    }


def test_a_misspelt_environment_to_follow_is_guessed():
    text = "rasa:\n  production: {url: 'http://a:1'}\n  eu: {url: 'http://b:1', follows: prodction}\n"
    assert errors_of(text)["rasa.eu.follows"] == [
        "line 3: names no environment of this project. Did you mean production?"
    ]


def test_following_across_projects_is_refused():
    text = (
        "rasa: {production: {url: 'http://a:1'}}\nprojects: {b: {rasa: {eu: {url: 'http://b:1', follows: production}}}}"
    )
    assert "projects.b.rasa.eu.follows" in errors_of(text)


def test_all_errors_are_told_at_once_in_the_order_of_the_file():
    text = "rasa:\n  Prod:\n    replicas: 0\n  worker:\n    url: http://w:1\n    token: ${A} ${B}\n    nope: 1\n"
    with pytest.raises(EnvironmentsFileInvalid) as refused:
        parse(text)
    told = refused.value.detail.splitlines()
    assert told[0] == "environments.yml could not be applied:"
    assert [line.split(": ")[:2] for line in told[1:]] == [
        ["  line 2", "rasa.Prod"],
        ["  line 2", "rasa.Prod.url"],
        ["  line 3", "rasa.Prod.replicas"],
        ["  line 6", "rasa.worker.token"],
        ["  line 6", "rasa.worker.token"],
        ["  line 7", "rasa.worker.nope"],
    ]


def test_a_syntax_error_does_not_repeat_the_file():
    with pytest.raises(EnvironmentsFileInvalid) as refused:
        parse("rasa:\n  production:\n    token: s3cret: x\n")
    assert "s3cret" not in refused.value.detail


def test_a_file_that_is_not_there_says_what_to_do(tmp_path):
    with pytest.raises(EnvironmentsFileInvalid, match="CONTROLPLANE_ENVIRONMENTS"):
        spec.load(tmp_path / "environments.yml", {})


def test_a_file_that_is_not_utf8_says_where(tmp_path):
    path = tmp_path / "environments.yml"
    path.write_bytes(b"rasa: {}\n# caf\xe9\n")
    with pytest.raises(EnvironmentsFileInvalid, match="line 2: is not UTF-8"):
        spec.load(path, {})


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "environments.yml"
    path.write_text("\ufeffrasa: {}\n")
    assert spec.load(path, {}).environments == ()


def test_a_recursive_alias_ends():
    assert "rasa.production.production" in errors_of("rasa: &a\n  production: *a\n")


def test_colours_are_fixed_by_name_and_then_by_the_palette():
    assert spec.default_color("production", []) == "#0e7490"
    assert spec.default_color("experimental", []) == "#7c3aed"
    assert spec.default_color("worker", []) == "#64748b"
    first = spec.default_color("staging", [])
    second = spec.default_color("canary", [first])
    assert first != second
    assert spec.default_color("many", spec.OTHER_COLORS) in spec.OTHER_COLORS
