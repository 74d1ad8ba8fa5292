"""Generated files agree with what they are generated from, and the check notices when they do not."""

import pytest
from django.core.management import CommandError, call_command

GENERATED = {"document_errors": "docs/errors.md", "document_states": "docs/states.md"}


@pytest.mark.parametrize("command", GENERATED)
def test_the_file_is_up_to_date(command):
    call_command(command, check=True)


@pytest.mark.parametrize(("command", "path"), GENERATED.items())
def test_a_file_that_is_not_is_told_and_written(settings, tmp_path, capsys, command, path):
    settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()
    with pytest.raises(CommandError, match=f"{path} is not up to date. Run: .*manage.py {command}"):
        call_command(command, check=True)
    call_command(command)
    call_command(command, check=True)
    assert (tmp_path / path).read_text().startswith("# ")
