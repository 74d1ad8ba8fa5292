"""What compose itself, in every version that is installed, makes of the generated files."""

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from environments import deployment_folder, env_file
from environments.compose import override
from environments.compose.generating import generate
from tests import deploying
from tests.deploying import server

pytestmark = pytest.mark.compose

VERSIONS = sorted(deploying.versions())
SCHEMA = Path("/usr/lib/python3/dist-packages/compose/config/compose_spec.json")
# Whatever a process can be given, and the letters that YAML, compose or a shell read as something else more often.
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.one_of(
    st.text(LETTERS, max_size=20),
    st.text("'\"$\\\n\t:#{}[]&*!|>%@`-?, ~😀é\u2028\x85\x1b", max_size=12),
    st.sampled_from(["", "yes", "null", "1", "0x10", "1:30", "$$", "$A", "${", "{{.ID}}", " a ", "a\n"]),
).filter(lambda text: "${" not in text)


def laid(folder, servers, **env):
    made = generate(servers)
    assert not made.refusals
    deploying.lay(folder, made, override.merge(None, made), deploying.env_of(made, **env))
    return made


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("count", [1, 3, 200])
def test_compose_accepts_the_output_for(version, count, tmp_path):
    made = laid(tmp_path, [server(f"env-{number}", replicas=1 + number % 3) for number in range(count)])
    read = deploying.versions()[version].services(tmp_path)
    assert read.keys() == {item.name for item in made.services} | {"web", "postgres", "redis"}
    assert [read[item.name]["deploy"]["replicas"] for item in made.services] == [1 + n % 3 for n in range(count)]


@pytest.mark.parametrize("count", [1, 3, 200])
def test_the_schema_of_compose_accepts_the_output_for(count):
    jsonschema = pytest.importorskip("jsonschema")
    made = generate([server(f"env-{number}", replicas=2, deployment={"cpus": 0.5}) for number in range(count)])
    values = {"services": {item.name: item.definition for item in made.services}}
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).validate(json.loads(json.dumps(values)))


@pytest.mark.parametrize("version", VERSIONS)
def test_no_environment_at_all_is_a_file_too(version, tmp_path):
    laid(tmp_path, [])
    assert deploying.versions()[version].services(tmp_path).keys() == {"web", "postgres", "redis"}


@pytest.mark.parametrize("version", VERSIONS)
@given(values=st.lists(TEXTS, min_size=20, max_size=60))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large])
def test_every_value_reaches_its_service_as_it_was_declared(version, values, tmp_path):
    variables = {f"V{number}": text for number, text in enumerate(values)}
    arguments = tuple(f"--x={text}" for text in values)
    made = laid(tmp_path, [server(deployment={"environment": variables, "arguments": arguments})])
    read = deploying.versions()[version].services(tmp_path)["rasa-production"]
    assert {name: read["environment"][name] for name in variables} == variables
    assert read["command"][-len(values) :] == list(arguments)
    assert len(made.services) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_variables_are_filled_in_from_env_and_programs_arrive_whole(version, tmp_path):
    made = laid(
        tmp_path,
        [server(replicas=2, deployment={"environment": {"A": "a${MINE}b$"}, "image": "${BOT}", "memory": "2g"})],
        MINE="m",
        BOT="bot:1",
    )
    read = deploying.versions()[version].services(tmp_path)["rasa-production"]
    assert read["image"] == "bot:1"
    assert read["environment"]["A"] == "amb$"
    assert read["environment"]["RASA_TOKEN"] == "value-of-RASA_TOKEN"
    definition = made.services[0].definition
    assert read["entrypoint"] == definition["entrypoint"]
    assert read["healthcheck"]["test"] == definition["healthcheck"]["test"]
    assert read["labels"] == definition["labels"]
    assert str(read["mem_limit"]) in ("2g", "2147483648")
    assert read["volumes"][0]["source"] == str(tmp_path / "deploy/rasa/rasa-production")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_variable_that_is_not_set_is_an_error_that_names_it(version, tmp_path):
    made = generate([server()])
    deploying.lay(tmp_path, made, override.merge(None, made), "")
    with pytest.raises(deploying.ComposeRefused, match=r"manage\.py compose --env"):
        deploying.versions()[version].services(tmp_path)


@pytest.mark.parametrize("version", VERSIONS)
def test_services_by_hand_are_read_beside_the_generated_ones(version, tmp_path):
    made = generate([server()])
    text = override.merge("services:\n    mine:\n        image: mine\n", made)
    deploying.lay(tmp_path, made, text, deploying.env_of(made))
    assert {"mine", "rasa-production"} <= deploying.versions()[version].services(tmp_path).keys()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_services_of_the_committed_file_fit_the_stack_and_need_what_make_env_makes(version, tmp_path):
    """But for the service tokens, which hang on the database."""
    root = Path(__file__).parents[3]
    declared = deploying.declared((root / "environments.yml").read_text())
    stack = deployment_folder.stack_services(root)
    made = generate([item.server for item in declared.services], stack)
    tokens = [item.server.service_token for item in made.services]
    subprocess.run(["sh", root / "deploy" / "env.sh", tmp_path / ".env"], capture_output=True, check=True)
    env = (tmp_path / ".env").read_text() + "".join(f"{name}=cps_1_x\n" for name in tokens)
    deploying.lay(tmp_path, made, override.merge(None, made), env, stack=(root / "docker-compose.yml").read_text())
    read = deploying.versions()[version].services(tmp_path)
    assert stack >= {"web", "postgres", "redis"}
    assert {"rasa-production", "rasa-experimental", "rasa-worker"} <= read.keys()
    assert all(read[item.name]["environment"]["RASA_DB_PASSWORD"] for item in made.services)
    assert made.variables.keys() - env_file.values(env).keys() == set()
