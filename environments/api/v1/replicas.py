"""The replicas of an environment: which model each one proves, and another try for one that is stuck."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from environments.api.schema import refusals
from environments.api.scope import find_environment
from environments.api.views import NativeView
from environments.serving import replicas, reports
from environments.serving.members import ReplicaReport
from environments.states import ReplicaState, choices


class ReplicaSerializer(serializers.Serializer[ReplicaReport]):
    """One Rasa server process as its polls show it. `model` is what it has loaded, `interval` the seconds between its
    polls; `reason` says why it is not simply serving."""

    name = serializers.CharField()
    address = serializers.CharField()
    state = serializers.ChoiceField(choices(ReplicaState))
    model = serializers.CharField(allow_null=True)
    since = serializers.DateTimeField()
    last_poll_at = serializers.DateTimeField(allow_null=True)
    downloads = serializers.IntegerField()
    interval = serializers.FloatField(allow_null=True)
    reason = serializers.CharField()
    proved = serializers.BooleanField(help_text="whether it proved the environment's model")


class Replicas(NativeView):
    @extend_schema(responses={200: ReplicaSerializer(many=True), **refusals()})
    def get(self, request: Request, name: str) -> Response:
        """All replicas that are remembered."""
        report = reports.report(find_environment(self.actor, self.project, name))
        return Response([ReplicaSerializer(member).data for member in report.members])


class Retry(NativeView):
    @extend_schema(request=None, responses={204: None, **refusals(403)})
    def post(self, request: Request, name: str, replica: str) -> Response:
        """Give the replica the environment's model again at its next poll, whatever it tried before."""
        environment = find_environment(self.actor, self.project, name)
        replicas.retry(environment=environment, name=replica, by=self.actor)
        return Response(status=204)
