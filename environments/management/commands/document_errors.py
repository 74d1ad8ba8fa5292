from accounts.problems import Problem, known
from environments import errors
from environments.management.generated import GeneratorCommand

HEAD = f"""\
# Errors

Native routes answer with `application/problem+json` (RFC 9457): `type` is `/problems/<code>`, `detail` says
what is wrong this time and the cure, further members hold data, and `errors` maps fields to sentences. Rasa X
routes answer with the body of a Rasa server, whose `reason` is the name below and whose `details.type` is the
same `/problems/<code>`. Programs read codes and data, never sentences.

This file is generated from `{Problem.__module__.replace(".", "/")}.py` and `{errors.__name__.replace(".", "/")}.py`:
`manage.py document_errors`.

| code | status | `reason` |
|---|---|---|
"""


def row(problem: type[Problem]) -> str:
    return f"| [`{problem.code}`](#{problem.code}) | {problem.status} | `{problem.reason}` |\n"


def section(problem: type[Problem]) -> str:
    return f"\n## {problem.code}\n\n**{problem.title}.** {problem.meaning()}\n\n*Cure:* {problem.cure}\n"


class Command(GeneratorCommand):
    help = "Write docs/errors.md from the problems there are."
    path = "docs/errors.md"

    def text(self) -> str:
        problems = known()
        return HEAD + "".join(map(row, problems)) + "".join(map(section, problems))
