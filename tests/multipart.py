"""Multipart bodies to the byte, hostile ones too."""

from collections.abc import Iterable

BOUNDARY = "cut-here"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
END = f"--{BOUNDARY}--\r\n".encode()


def part(disposition: bytes | str, content: bytes) -> bytes:
    raw = disposition.encode() if isinstance(disposition, str) else disposition
    return b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (BOUNDARY.encode(), raw, content)


def field(name: str, value: str) -> bytes:
    return part(f'name="{name}"', value.encode())


def file(name: str, filename: str, content: bytes) -> bytes:
    return part(f'name="{name}"; filename="{filename}"', content)


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + END


def upload(filename: str, content: bytes, fields: Iterable[tuple[str, str]] = ()) -> bytes:
    """The body of a model upload."""
    return body(*(field(name, value) for name, value in fields), file("model", filename, content))
