"""What can go wrong with an engine, each as a sentence that says what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import RequestException, Timeout
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as Late

MAX_MESSAGE = 500


class DockerError(Exception):
    """The engine did not do what it was asked. The text is a sentence."""


class EngineUnreachable(DockerError):
    """No connection, no answer in time, or an answer that broke off."""


class EngineRefused(DockerError):
    """The engine answered with an error, or a proxy before it did."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Gone(EngineRefused):
    """There is no such container, or no such image, on the engine."""


@contextmanager
def told() -> Iterator[None]:
    """The SDK's errors, and those of what is below it, as this module's."""
    try:
        yield
    except NotFound as error:
        raise Gone(404, _message(error)) from error
    except APIError as error:
        raise _refusal(error) from error
    except (DockerException, RequestException, HTTPError, OSError) as error:
        raise EngineUnreachable(_sentence(error)) from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise EngineUnreachable("What answers there is no Docker engine.") from error


def _refusal(error: APIError) -> DockerError:
    status = error.status_code or 500
    if status == 403:
        return EngineRefused(
            403, "The socket proxy does not let this call through. docs/engine.md lists what it needs."
        )
    if status in (502, 503, 504):
        return EngineUnreachable("The socket proxy answers, and the engine behind it does not.")
    return EngineRefused(status, _message(error))


def _message(error: APIError) -> str:
    said = " ".join(str(error.explanation or "The engine gave no reason.").split())[:MAX_MESSAGE]
    return said[:1].upper() + said[1:]


def _sentence(error: Exception) -> str:
    causes = list(_causes(error))
    if any(isinstance(cause, Timeout | TimeoutError | Late) for cause in causes):
        return "The engine did not answer in time."
    match next((cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno), None):
        case errno.EACCES | errno.EPERM:
            return "The control plane's user may not use the socket. Give it the socket's group, or use a socket proxy."
        case errno.ENOENT:
            return "There is no such socket. Mount it into the container, or correct CONTROLPLANE_DOCKER_URL."
        case errno.ECONNREFUSED:
            return "Nothing listens at the socket: the engine does not run."
    return "No connection to the engine could be made, or it broke off."


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, whichever way each layer kept it."""
    waiting, seen = [error], set()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        below = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        waiting.extend(one for one in below if isinstance(one, BaseException))
