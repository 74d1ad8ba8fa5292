from django.apps import AppConfig
from django.core.checks import register

from controlplane import checks


class ControlplaneConfig(AppConfig):
    name = "controlplane"

    def ready(self) -> None:
        register(checks.check_configuration)
        register(checks.check_deployment, deploy=True)
