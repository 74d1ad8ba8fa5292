"""Git repositories that bundles come from: define, change, remove, and fetch a bundle from one."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from environments import permissions
from environments.actions import repositories
from environments.api import bodies
from environments.api.bodies import Body
from environments.api.schema import PAGE, paged, refusals
from environments.api.scope import find_repository
from environments.api.v1.jobs import JobSerializer
from environments.api.v1.paging import page
from environments.api.views import NativeView
from environments.models import Repository

TEXT: dict[str, Any] = {"required": False, "allow_blank": True, "trim_whitespace": False}


class RepositorySerializer(serializers.Serializer[Repository]):
    """A git repository. Its credentials are never told, only whether there are any."""

    name = serializers.CharField()
    url = serializers.CharField()
    ref = serializers.CharField(help_text="the branch, tag or commit that is fetched unless another is named")
    folder = serializers.CharField(help_text="where in it the Rasa project lies; empty: its root")
    username = serializers.CharField()
    has_token = serializers.BooleanField(source="sealed_token")
    has_ssh_key = serializers.BooleanField(source="sealed_ssh_key")
    known_hosts = serializers.CharField()
    by = serializers.CharField(source="by_name")
    created_at = serializers.DateTimeField()


class RepositoryChangeBody(Body):
    """What is absent stays. Another scheme, host or port of `url` clears the credentials that are not sent with it."""

    url = serializers.CharField(required=False, help_text="https:// or ssh://, without a password")
    ref = serializers.CharField(required=False, trim_whitespace=False)
    folder = serializers.CharField(**TEXT)
    username = serializers.CharField(**TEXT, help_text="for https, beside the token; many servers take any")
    token = serializers.CharField(**TEXT, write_only=True, help_text="for https; empty: none")
    ssh_key = serializers.CharField(**TEXT, write_only=True, help_text="a private key, for ssh; empty: none")
    known_hosts = serializers.CharField(**TEXT, help_text="the server's host keys, for ssh, as ssh-keyscan prints them")


class RepositoryBody(RepositoryChangeBody):
    """A new one."""

    name = serializers.CharField(trim_whitespace=False)
    url = serializers.CharField(help_text="https:// or ssh://, without a password")


class FetchBody(Body):
    """Without `ref` the repository's own is taken."""

    ref = serializers.CharField(required=False, trim_whitespace=False, help_text="a branch, a tag or a commit")


class Repositories(NativeView):
    @extend_schema(parameters=PAGE, responses={200: paged(RepositorySerializer), **refusals(403)})
    def get(self, request: Request) -> Response:
        """The repositories of the project, newest first."""
        permissions.check_can_read_training(self.actor, self.project)
        rows = Repository.objects.visible_to(self.actor, self.project).filter(removed_at=None)
        return Response(page(request, rows, lambda found: [RepositorySerializer(row).data for row in found]))

    @extend_schema(request=RepositoryBody, responses={201: RepositorySerializer, **refusals(403, 409, 415)})
    def post(self, request: Request) -> Response:
        """Define one. It is not reached before something is fetched from it."""
        permissions.check_can_train(self.actor, self.project)
        members = bodies.read(request, RepositoryBody)
        repository = repositories.define(project=self.project, by=self.actor, **members)
        return Response(RepositorySerializer(repository).data, status=201)


class OneRepository(NativeView):
    @extend_schema(responses={200: RepositorySerializer, **refusals(403)})
    def get(self, request: Request, name: str) -> Response:
        """One repository."""
        return Response(RepositorySerializer(find_repository(self.actor, self.project, name)).data)

    @extend_schema(request=RepositoryChangeBody, responses={200: RepositorySerializer, **refusals(403, 415)})
    def patch(self, request: Request, name: str) -> Response:
        """Change what is sent."""
        repository = find_repository(self.actor, self.project, name)
        permissions.check_can_train(self.actor, self.project)
        members = bodies.read(request, RepositoryChangeBody)
        changed = repositories.change(repository=repository, by=self.actor, **members)
        return Response(RepositorySerializer(changed).data)

    @extend_schema(responses={204: None, **refusals(403)})
    def delete(self, request: Request, name: str) -> Response:
        """Remove it with its credentials; bundles that came from it stay."""
        repository = find_repository(self.actor, self.project, name)
        repositories.remove(repository=repository, by=self.actor)
        return Response(status=204)


class Fetch(NativeView):
    @extend_schema(request=FetchBody, responses={201: JobSerializer, **refusals(403, 415, 422)})
    def post(self, request: Request, name: str) -> Response:
        """Make a bundle of what the repository holds at `ref`: a job, whose `bundle` is there when it has succeeded.

        The same content again is the same bundle.
        """
        repository = find_repository(self.actor, self.project, name)
        permissions.check_can_train(self.actor, self.project)
        members = bodies.read(request, FetchBody)
        job = repositories.fetch(repository=repository, by=self.actor, ref=members.get("ref", ""))
        return Response(JobSerializer(job).data, status=201)
