"""`endpoints` and `credentials` in environments.yml: Rasa's own keys, each read, or refused with line, key and cure."""

import pytest

from environments import spec
from environments.errors import EnvironmentsFileInvalid


def parse(lines, section="endpoints"):
    text = "".join(f"  {line}\n" for line in lines)
    return getattr(spec.parse(f"rasa: {{}}\n{section}:\n{text}", {}).deployed, section)


def refusal(*lines, section="endpoints"):
    with pytest.raises(EnvironmentsFileInvalid) as refused:
        parse(lines, section)
    [(key, [told])] = refused.value.errors.items()
    return key.removeprefix(f"{section}."), told


@pytest.mark.parametrize(
    ("line", "section"),
    [
        (
            "tracker_store: {type: sql, dialect: postgresql, url: db, port: 5432, db: rasa, username: u, "
            "password: '${P}', login_db: postgres, query: {driver: x}}",
            {
                "type": "SQL",
                "dialect": "postgresql",
                "url": "db",
                "port": 5432,
                "db": "rasa",
                "username": "u",
                "password": "${P}",
                "login_db": "postgres",
                "query": {"driver": "x"},
            },
        ),
        ("tracker_store: {type: redis, url: r, port: '${PORT}', db: 0, use_ssl: true, record_exp: 60}", None),
        ("tracker_store: {type: mongod, url: 'mongodb://m:27017', db: rasa, auth_source: admin, collection: c}", None),
        ("tracker_store: {type: dynamo, table_name: t, region: eu}", None),
        ("tracker_store: {type: my.Store, anything: [1, {a: null}], b: 1.5, c: true}", None),
        ("tracker_store: {type: SQL, password: {source: secrets_manager.vault, secret_key: k}}", None),
        ("lock_store: {type: in_memory}", None),
        ("lock_store: {type: redis, url: r, key_prefix: abc, socket_timeout: 5}", None),
        ("lock_store: {type: concurrent_redis, host: r}", None),
        ("event_broker: {type: pika, url: r, username: u, password: p, queues: [a, b], exchange_name: x}", None),
        ("event_broker: {type: kafka, url: [a, b], topic: t, partition_by_sender: true, security_protocol: SSL}", None),
        ("event_broker: {type: file, path: /tmp/x}", None),
        ("action_endpoint: {url: 'http://app:5055/webhook', token: '${T}'}", None),
        ("nlg: {url: 'http://nlg', headers: {A: 'Bearer ${T}'}, basic_auth: {username: u, password: '${P}'}}", None),
        ("secrets_manager: {type: vault, token: '${T}', url: 'http://v', secrets_path: rasa}", None),
        ("nlg: null", None),
    ],
)
def test_the_sections_of_rasa_are_understood(line, section):
    [(name, found)] = parse([line]).items()
    assert found == (section or found)
    assert name == line.partition(":")[0]
    assert (found is None) == (line == "nlg: null")


@pytest.mark.parametrize(
    ("line", "key", "told"),
    [
        ("trackers: {}", "trackers", "line 3: is an unknown key. Did you mean tracker_store?"),
        ("models: {url: x}", "models", "is written by the control plane"),
        ("tracker_store: {url: x}", "tracker_store.type", "is missing. Write one of: SQL, redis, mongod, dynamo, or"),
        ("tracker_store: {type: mysql}", "tracker_store.type", "is not known"),
        ("tracker_store: {type: SQL, adress: x}", "tracker_store.adress", "is an unknown key"),
        ("tracker_store: {type: redis}", "tracker_store.url", "is missing"),
        ("tracker_store: {type: SQL, port: 0}", "tracker_store.port", "from 1 to 65535, or a variable"),
        ("tracker_store: {type: SQL, port: 0x50}", "tracker_store.port", "from 1 to 65535, or a variable"),
        ("tracker_store: {type: SQL, port: '80'}", "tracker_store.port", "from 1 to 65535, or a variable"),
        ("tracker_store: {type: SQL, password: 0123}", "tracker_store.password", "in quotes if it looks like a number"),
        (
            "tracker_store: {type: SQL, password: {source: x, secret_key: k}}",
            "tracker_store.password.source",
            "secrets_manager.vault",
        ),
        ("tracker_store: {type: redis, url: r, key_prefix: a-b}", "tracker_store.key_prefix", "of letters and digits"),
        ("lock_store: {type: redis}", "lock_store.url", "is missing"),
        ("event_broker: {type: pika, url: r, password: p}", "event_broker.username", "is missing"),
        ("event_broker: {type: kafka, url: k, security_protocol: TLS}", "event_broker.security_protocol", "one of:"),
        ("action_endpoint: http://app", "action_endpoint", "is not a mapping"),
        ("action_endpoint: {token: x}", "action_endpoint.url", "is missing"),
        ("secrets_manager: {type: my.Vault}", "secrets_manager.type", "is not known. Write one of: vault."),
        ("nlg: {url: 'a: ${B}'}", "nlg.url", "mixes a variable"),
        ("nlg: {url: '#${B}'}", "nlg.url", "mixes a variable"),
        ("nlg: {url: '$A${B}'}", "nlg.url", "mixes a variable"),
        ("nlg: {url: ' ${B}'}", "nlg.url", "mixes a variable"),
        ('nlg: {url: "${B}\\n"}', "nlg.url", "mixes a variable"),
        ("nlg: {url: '${1}'}", "nlg.url", "has a ${…} that is not understood"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_its_key_and_the_cure(line, key, told):
    where, reason = refusal(line)
    assert where == key
    assert reason.startswith("line 3: ")
    assert told in reason


def test_no_error_repeats_a_value():
    assert "s3cret" not in " ".join(refusal("tracker_store: {type: s3cret}"))
    assert "s3cret" not in " ".join(refusal("nlg: {url: 's3cret: ${B}'}"))


def test_channels_are_taken_as_they_are():
    lines = ["slack: {slack_token: '${T}', slack_channel: C1, n: 3, deep: {a: [x, 1.5, true, null]}}", "rest:"]
    assert parse(lines, "credentials") == {
        "slack": {"slack_token": "${T}", "slack_channel": "C1", "n": 3, "deep": {"a": ["x", 1.5, True, None]}},
        "rest": None,
    }


@pytest.mark.parametrize(
    ("line", "key", "told"),
    [
        ("slack: token", "slack", "is not a mapping"),
        ("slack: {n: 0123}", "slack.n", "in quotes if it looks like a number"),
        ("slack: {n: .inf}", "slack.n", "in quotes if it looks like a number"),
        ("slack: {n: 2020-01-01}", "slack.n", "in quotes if it looks like a number"),
        ("slack: {a: {b: '${'}}", "slack.a.b", "is not understood"),
    ],
)
def test_a_channel_that_cannot_be_written_as_it_is_is_refused(line, key, told):
    where, reason = refusal(line, section="credentials")
    assert where == key
    assert told in reason
