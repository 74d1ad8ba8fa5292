"""Models to the control plane and back, byte for byte."""

import hashlib

import pytest

from tests.cpctl.scripted import answer


def test_a_model_is_pushed_listed_and_pulled_again(cpctl, archive):
    path = archive("pushed-otter")
    pushed = cpctl("models", "push", path, "--tag", "lts")
    assert (pushed.status, pushed.out) == (0, "pushed-otter\n"), pushed.err
    assert "was sent" in pushed.err
    assert "there already" in cpctl("models", "push", path).err
    listed = cpctl("models", "list")
    assert "pushed-otter" in listed.out
    assert "lts" in listed.out
    [found] = cpctl("models", "list", "--tag", "lts", "--json").json
    assert found["name"] == "pushed-otter"
    (cpctl.folder / "into").mkdir()
    pulled = cpctl("models", "pull", "pushed-otter", "--output", "into")
    assert (pulled.status, pulled.out) == (0, "into/pushed-otter.tar.gz\n"), pulled.err
    assert (cpctl.folder / "into" / "pushed-otter.tar.gz").read_bytes() == path.read_bytes()
    by_tag = cpctl("models", "pull", "--tag", "lts", "--output", "other.tar.gz", "--json").json
    assert by_tag["hash"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [file.name for file in (cpctl.folder / "into").iterdir()] == ["pushed-otter.tar.gz"]


def test_the_list_goes_over_several_pages(cpctl, archive):
    names = [f"paged-{number}" for number in range(3)]
    for name in names:
        assert cpctl("models", "push", archive(name)).status == 0
    assert [model["name"] for model in cpctl("models", "list", "--limit", 2, "--json").json] == names[:0:-1]
    assert len(cpctl("models", "list", "--json").json) >= 3


def test_other_bytes_under_a_taken_name_are_refused_in_one_line(cpctl, archive):
    cpctl("models", "push", archive("taken-otter"))
    refused = cpctl("models", "push", archive("taken-otter"), "--json")
    assert refused.status == 1
    assert refused.json["type"] == "/problems/name-taken"
    assert refused.json["existing"] == "taken-otter"
    assert refused.err.count("\n") == 1
    assert "There is another model named taken-otter" in refused.err


def test_what_is_no_model_is_refused_with_the_reason(cpctl):
    (cpctl.folder / "broken.tar.gz").write_bytes(b"not an archive")
    refused = cpctl("models", "push", "broken.tar.gz")
    assert (refused.status, refused.out) == (1, "")
    assert "gzip" in refused.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("push", "absent.tar.gz"), "absent.tar.gz cannot be read: No such file or directory."),
        (("push", "model.zip"), "is not named <name>.tar.gz"),
        (("push", "a.tar.gz", "b.tar.gz", "--tag", "lts"), "A tag is on one model"),
        (("pull",), "Name a model, or a tag"),
        (("pull", "otter", "--tag", "lts"), "Name a model, or a tag"),
        (("list", "--limit", "0"), "--limit: invalid count value: '0'"),
    ],
)
def test_wrong_usage_sends_nothing(cpctl, scripted, arguments, sentence):
    cpctl.environ["CPCTL_URL"] = scripted.url
    done = cpctl("models", *arguments)
    assert (done.status, done.out) == (2, "")
    assert sentence in done.err
    assert scripted.requests == []


def test_a_model_that_is_not_there_leaves_no_file(cpctl):
    done = cpctl("models", "pull", "nobody")
    assert done.status == 1
    assert "There is no model nobody." in done.err
    assert [path.name for path in cpctl.folder.iterdir()] == []


# What only a broken network or a broken server does.

BODY = bytes(range(256)) * 4096
HEADERS = {"ETag": f'"{hashlib.sha256(BODY).hexdigest()}"', "filename": "otter.tar.gz"}


@pytest.fixture
def broken(cpctl, scripted):
    cpctl.environ["CPCTL_URL"] = scripted.url
    return scripted


def test_a_download_that_breaks_off_is_taken_up_where_it_broke(cpctl, broken):
    def rest(handler):
        first = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        assert handler.headers["If-Range"] == HEADERS["ETag"]
        handler.send(206, HEADERS, BODY[first:])

    broken.answers = [lambda handler: handler.send(200, HEADERS, BODY, cut=300_000), rest]
    assert cpctl("models", "pull", "otter").status == 0
    assert (cpctl.folder / "otter.tar.gz").read_bytes() == BODY
    assert len(broken.requests) == 2


def test_a_model_that_became_another_one_meanwhile_is_fetched_from_its_start(cpctl, broken):
    other = {"ETag": f'"{"0" * 64}"', "filename": "otter.tar.gz"}
    broken.answers = [lambda handler: handler.send(200, other, BODY, cut=300_000), (200, HEADERS, BODY)]
    assert cpctl("models", "pull", "otter").status == 0
    assert (cpctl.folder / "otter.tar.gz").read_bytes() == BODY


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ({**HEADERS, "ETag": f'"{"0" * 64}"'}, "do not hash to"),
        ({**HEADERS, "ETag": '"weak"'}, "no ETag that is a SHA-256"),
        ({**HEADERS, "filename": "../../evil.tar.gz"}, "is no plain file name"),
    ],
)
def test_what_is_not_the_model_is_not_kept(cpctl, broken, headers, sentence):
    (cpctl.folder / "otter.tar.gz").write_bytes(b"the one before")
    broken.answers = [(200, headers, BODY)]
    done = cpctl("models", "pull", "otter")
    assert done.status == 3
    assert sentence in done.err
    assert [path.name for path in cpctl.folder.iterdir()] == ["otter.tar.gz"]
    assert (cpctl.folder / "otter.tar.gz").read_bytes() == b"the one before"


def test_a_busy_control_plane_is_asked_again_when_it_says(cpctl, broken):
    busy = answer(503, {"type": "/problems/busy", "title": "Busy", "detail": "Too many."}, **{"Retry-After": "0"})
    broken.answers = [busy, (200, HEADERS, BODY)]
    assert cpctl("models", "pull", "otter").status == 0
    assert len(broken.requests) == 2
