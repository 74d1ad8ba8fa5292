"""Who acts, through which door: what every action takes as `by`."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from accounts import grants
from accounts.models import ApiToken, Project, User
from accounts.models.api_token import ApiTokenQuerySet
from accounts.problems import Unauthorized

# The doors. A promotion's origin and an audit event's `via` are one of these.
PAGE, API, RASA_X, JOB, PIPELINE, COMMAND, FILE = "page", "api", "rasa_x", "job", "pipeline", "command", "file"
# Without a user the installation acts under the name of its door: nobody else is called so.
DOORS = frozenset({PAGE, API, RASA_X, JOB, PIPELINE, COMMAND, FILE})


@dataclass(frozen=True)
class Actor:
    """A user at a door. Without a user it is the installation itself, which may do everything (`via` says why).

    `token` narrows: a token never gets more than its owner has now. `credential` names what was sent in place of one.
    """

    user: User | None
    via: str
    address: str = ""
    token: ApiToken | None = field(default=None, compare=False)
    credential: str = field(default="", compare=False)

    @cached_property
    def grants(self) -> grants.Grants:
        if self.user is None:
            return grants.EVERYTHING
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

    def anew(self) -> "Actor":
        """The same actor with what the database says now, for changes that come long after the request began, or that
        are made under a lock. Raises `Unauthorized` if the credential has ended meanwhile."""
        if self.user is None:
            return self
        if self.token and not self._tokens().filter(pk=self.token.pk).exists():
            raise Unauthorized("The API token was revoked or expired meanwhile.")
        user = User.objects.get(pk=self.user.pk)
        # API tokens outlive a change of password; sessions and JWTs end with the generation they hold.
        if self.token is None and user.credential_generation != self.user.credential_generation:
            raise Unauthorized("The account was changed meanwhile: every session and token of /api/auth has ended.")
        return replace(self, user=user)

    def _tokens(self) -> ApiTokenQuerySet:
        """Those that are good for what is done. A job that was submitted in time goes on when its token expires."""
        return ApiToken.objects.unrevoked() if self.via == JOB else ApiToken.objects.usable()

    def sees(self, project: Project) -> bool:
        return self.grants.touches(project)


def system(via: str) -> Actor:
    """The installation itself: the file's sync, the sweeper, the ledger."""
    return Actor(user=None, via=via)
