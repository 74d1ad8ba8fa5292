from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from accounts.problems import Problem
from environments import deploying, deployment_folder, drift
from environments.compose import override
from environments.compose.generating import Generated, generate
from environments.deployment_folder import FolderRefused
from environments.engine import drifting, looking
from environments.env_file import ValueRefused
from environments.management import dot_env
from environments.spec import Declaration


class Command(BaseCommand):
    help = "Print docker-compose.override.yml: the declared Rasa servers, for compose to add to docker-compose.yml."

    def add_arguments(self, parser: CommandParser) -> None:
        way = parser.add_mutually_exclusive_group()
        way.add_argument("--write", action="store_true", help="write it, and the files that its services mount")
        way.add_argument("--check", action="store_true", help="fail, and say why, if what is there is not as declared")
        way.add_argument("--diff", action="store_true", help="show what --write would change")
        parser.add_argument(
            "--env", action="store_true", help="add to .env what is known; fail if something is missing"
        )
        parser.add_argument("--overwrite", action="store_true", help="drop what was edited by hand in generated parts")
        parser.add_argument("--declared", action="store_true", help="environments.yml alone, without the database")
        parser.add_argument("--folder", type=Path, help="of docker-compose.yml; default: that of environments.yml")

    def handle(self, *args: Any, folder: Path | None, **options: Any) -> None:
        folder = folder or settings.CONTROLPLANE_ENVIRONMENTS.parent
        with told():
            declared = deploying.declaration(dot_env.present(folder))
            made = self.generated(folder, declared, only_declared=options["declared"])
            if options["check"]:
                self.check_all(folder, declared, made, options)
            elif options["diff"]:
                self.show_changes(folder, made, options)
            else:
                self.bring_about(folder, declared, made, options)

    def generated(self, folder: Path, declared: Declaration, *, only_declared: bool) -> Generated:
        rows = () if only_declared else deploying.made_through_the_api()
        made = generate(deploying.servers(declared, rows), deployment_folder.stack_services(folder))
        if made.refusals:
            raise FolderRefused("Nothing was generated:", *(f"  {refusal}" for refusal in made.refusals))
        return made

    def check_all(self, folder: Path, declared: Declaration, made: Generated, options: dict[str, Any]) -> None:
        differences = [str(change) for change in deployment_folder.changes(folder, made)]
        if options["env"]:
            differences += dot_env.variables(folder, made, declared).differences()
        if differences:
            differences.append("Run: manage.py compose --write --env")
        differences += self.drift(folder, made)
        if differences:
            raise CommandError("\n".join(differences))

    def drift(self, folder: Path, made: Generated) -> list[str]:
        """What the file has otherwise than declared, and, where an engine is asked, what runs otherwise."""
        declared = drifting.services(made.services)
        filed = drifting.in_text(deployment_folder.read(folder / override.NAME) or "")
        found = [f"in the file, {finding}" for finding in drift.in_file(declared, filed)]
        watcher = looking.watcher()
        if watcher is None:
            return found
        look = watcher.look()
        if look.error:
            return [*found, f"What runs could not be compared. {look.error}"]
        return found + [f"on the engine, {finding}" for finding in drifting.on_engine(look, declared)]

    def show_changes(self, folder: Path, made: Generated, options: dict[str, Any]) -> None:
        for change in deployment_folder.changes(folder, made, overwrite=options["overwrite"]):
            self.stdout.write(change.diff(), ending="")

    def bring_about(self, folder: Path, declared: Declaration, made: Generated, options: dict[str, Any]) -> None:
        """Before anything is written, all of it is known to be possible."""
        changes = deployment_folder.changes(folder, made, overwrite=options["overwrite"])
        if not (options["write"] or options["env"]):
            text = deployment_folder.override_text(folder, made, overwrite=options["overwrite"])
            self.stdout.write(text, ending="")
            return
        variables = dot_env.variables(folder, made, declared)
        if options["env"]:
            for sentence in variables.write():
                self.stdout.write(sentence)
        if missing := variables.unknown if options["env"] else variables.missing():
            told = [] if options["env"] else ["Nothing was written. `--env` adds what is known."]
            raise CommandError("\n".join([*missing, *told]))
        if options["write"]:
            deployment_folder.write(folder, changes)
            done = [f"{'wrote' if change.new is not None else 'removed'} {change.path}" for change in changes]
            self.stdout.write("\n".join(done or ["nothing to change"]))


@contextmanager
def told() -> Iterator[None]:
    try:
        yield
    except Problem as problem:
        raise CommandError(problem.detail) from problem
    except (FolderRefused, ValueRefused) as refused:
        raise CommandError(str(refused)) from None
    except DatabaseError as error:
        raise CommandError(
            "The database, where further environments may be defined, cannot be read. Start it, or take "
            "environments.yml alone: --declared."
        ) from error
