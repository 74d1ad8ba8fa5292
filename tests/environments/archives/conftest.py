import io

import pytest

from environments import archives

LIMITS = archives.Limits(packed=1_000_000, unpacked=4_000_000, members=50, metadata=20_000)


@pytest.fixture
def inspect(tmp_path):
    """Inspect bytes as an upload; limits by keyword."""

    def inspect(content: bytes, into: io.BytesIO | None = None, **limits: int) -> archives.Inspected:
        chosen = archives.Limits(**{**vars(LIMITS), **limits})
        return archives.inspect(io.BytesIO(content), into or io.BytesIO(), chosen, tmp_path)

    return inspect
