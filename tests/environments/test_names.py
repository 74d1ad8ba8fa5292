"""Names of refs: as git lets them be, and nothing that git could read otherwise."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments import names
from environments.errors import InvalidName

REFS = ["main", "release/1.2", "v1.2+rc", "refs/heads/main", "0123abcd" * 5, "feature/ünï", "a@b"]
NO_REFS = ["", "-", "--upload-pack=x", "-b", "+main", "a..b", "a b", "a~1", "a^", "a:b", ":b", "a?", "a*", "a[b"]
NO_REFS += ["a\\b", "a@{1}", "@", "/a", "a/", "a//b", ".a", "a/.b", "a.", "a.lock", "a.lock/b", "a\nb", "a\x7f"]
NO_REFS += ["a\u202eb"]


@pytest.mark.parametrize("ref", REFS)
def test_a_branch_a_tag_and_a_commit_are_refs(ref):
    names.check_ref(ref)


@pytest.mark.parametrize("ref", [*NO_REFS, "a" * 300])
def test_anything_else_is_none(ref):
    with pytest.raises(InvalidName):
        names.check_ref(ref)


@pytest.mark.git
@given(st.text(st.sampled_from("abcde/.-@{}+~^:*lock"), min_size=1, max_size=8))
def test_what_is_taken_git_takes_too(ref):
    try:
        names.check_ref(ref)
    except InvalidName:
        return
    subprocess.run(["git", "check-ref-format", "--allow-onelevel", ref], check=True)
