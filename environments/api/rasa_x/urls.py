"""The routes of Rasa X, and the short forms for endpoints.yml."""

from django.urls import path

from environments.api.rasa_x.auth import AuthView
from environments.api.rasa_x.conversations import ConversationsView
from environments.api.rasa_x.environments import EnvironmentList
from environments.api.rasa_x.evaluations import EvaluationList, EvaluationView
from environments.api.rasa_x.guest_links import ChatTokenView, GuestView
from environments.api.rasa_x.installation import ConfigView, HealthView, VersionView
from environments.api.rasa_x.models import ModelsView, ModelView, PlatformModelsView
from environments.api.rasa_x.pulls import ROUTES
from environments.api.rasa_x.roles import RolesView, RoleUsersView, RoleView
from environments.api.rasa_x.routes import in_project
from environments.api.rasa_x.tags import ModelTagView
from environments.api.rasa_x.training import TrainingView
from environments.api.rasa_x.user import OwnAccountView, OwnPasswordView
from environments.api.rasa_x.users import UserRolesView, UserRoleView, UsersView, UserView

urlpatterns = [
    # What Rasa servers poll.
    *ROUTES,
    # Rasa Platform.
    *in_project("models/nlu", PlatformModelsView),
    *in_project("models/nlu/<str:model>/tags/<str:tag>", ModelTagView),
    *in_project("models/jobs", TrainingView),
    # Models; no model can be named like a route.
    *in_project("models", ModelsView),
    *in_project("models/<str:model>", ModelView),
    *in_project("models/<str:model>/tags/<str:tag>", ModelTagView),
    # Tests of models.
    *in_project("evaluations", EvaluationList),
    *in_project("evaluations/<str:model>", EvaluationView),
    # What was said to bots. Each conversation is in `environments.urls`, behind its messages.
    *in_project("conversations", ConversationsView),
    path("api/environments", EnvironmentList.as_view()),
    # Sign-in.
    path("api/auth", AuthView.as_view()),
    # People and what they may do.
    path("api/user", OwnAccountView.as_view()),
    path("api/user/password", OwnPasswordView.as_view()),
    path("api/users", UsersView.as_view()),
    path("api/users/<str:user>", UserView.as_view()),
    path("api/users/<str:user>/roles", UserRolesView.as_view()),
    path("api/users/<str:user>/roles/<str:role>", UserRoleView.as_view()),
    path("api/roles", RolesView.as_view()),
    path("api/roles/<str:role>", RoleView.as_view()),
    path("api/roles/<str:role>/users", RoleUsersView.as_view()),
    # Guests of a bot.
    path("api/chatToken", ChatTokenView.as_view()),
    path("api/auth/jwt", GuestView.as_view()),
    # The installation.
    path("api/health", HealthView.as_view()),
    path("api/version", VersionView.as_view()),
    path("api/config", ConfigView.as_view()),
]
