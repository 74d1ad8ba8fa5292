from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from accounts.models.project import DEFAULT
from accounts.problems import Problem
from environments import helm
from environments.helm import Chart, Release
from environments.management import helm_release

CONTROL_PLANE = "http://controlplane-polls:5002"


class Command(BaseCommand):
    help = "Print the values with which a Helm chart of Rasa's runs the servers of an environment."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("environment")
        parser.add_argument("--project", default=DEFAULT)
        charts = [chart.value for chart in Chart]
        parser.add_argument("--chart", choices=charts, help="default: by the edition that environments.yml says")
        parser.add_argument("--control-plane", default=CONTROL_PLANE, help=f"its address inside; {CONTROL_PLANE}")
        parser.add_argument("--secret", default="", help="name of the Kubernetes secret; default: rasa-<environment>")
        parser.add_argument(
            "--secrets", action="store_true", help="print what that secret holds, for `kubectl create secret` to read"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            release = helm_release.release(
                project=options["project"],
                name=options["environment"],
                chart=Chart(options["chart"]) if options["chart"] else None,
                control_plane=options["control_plane"],
                secret=options["secret"],
            )
            refused = helm.refusals(release)
            if refused:
                raise CommandError("\n".join(["No values were written:", *(f"  {refusal}" for refusal in refused)]))
            text = self.lines(release) if options["secrets"] else helm.text(release)
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        self.stdout.write(text, ending="")

    def lines(self, release: Release) -> str:
        """`NAME=value`, as `--from-env-file` reads them: to the end of the line, without quotes."""
        needed, known = helm.secrets(release), helm_release.secret_values(release)
        missing = [f"  {name}: {what}" for name, what in needed.items() if name not in known]
        if missing:
            raise CommandError("\n".join(["Set these variables first, for they are not known:", *missing]))
        broken = [name for name, value in known.items() if len(value.splitlines()) != 1 or value != value.strip()]
        if broken:
            raise CommandError(f"{broken[0]} has several lines, or begins or ends with a space. Choose another value.")
        return "".join(f"{name}={value}\n" for name, value in known.items())
