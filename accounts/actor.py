"""Who acts, through which door: what every action takes as `by`."""

from dataclasses import dataclass, field
from functools import cached_property

from accounts import grants
from accounts.models import ApiToken, Project, User

# The doors. A promotion's origin and an audit event's `via` are one of these.
PAGE, API, RASA_X, JOB, COMMAND, FILE = "page", "api", "rasa_x", "job", "command", "file"


@dataclass(frozen=True)
class Actor:
    """A user at a door. Without a user it is the installation itself, which may do everything (`via` says why).

    `token` narrows: a token never gets more than its owner has now.
    """

    user: User | None
    via: str
    address: str = ""
    token: ApiToken | None = field(default=None, compare=False)

    @cached_property
    def grants(self) -> grants.Grants:
        if self.user is None:
            return grants.Grants(everything=True, held={})
        return grants.of(self.user)

    @property
    def name(self) -> str:
        return self.user.username if self.user else self.via

    def _token_allows(self, grant: str) -> bool:
        return self.token is None or self.token.grants is None or grant in self.token.grants

    def may(self, project: Project, grant: str) -> bool:
        return self._token_allows(grant) and self.grants.on_project(project, grant)

    def may_on_environment(self, project_id: int, environment_id: int, name: str, action: str) -> bool:
        allowed = self._token_allows(f"environments.{name}.{action}") or self._token_allows(f"environments.*.{action}")
        return allowed and self.grants.on_environment(project_id, environment_id, action)

    def sees(self, project: Project) -> bool:
        return self.grants.touches(project)


def system(via: str) -> Actor:
    """The installation itself: the file's sync, the sweeper, the ledger."""
    return Actor(user=None, via=via)
