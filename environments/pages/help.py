"""The one short text at the foot of each page, and the section of the guide that says more."""

from typing import NamedTuple

from environments.pages import guide


class Help(NamedTuple):
    """What a page is for. `anchor` is a heading of the chapter; "" is its beginning."""

    text: str
    chapter: str
    anchor: str = ""

    @property
    def url(self) -> str:
        return guide.address(self.chapter, self.anchor)

    @property
    def title(self) -> str:
        return guide.chapter(self.chapter).title


_ENVIRONMENT = "An environment serves the one model that carries its tag. "
_ACCESS = "A role is a list of grants; people and service accounts have roles in a project. "
_PIPELINE = "A pipeline goes from training data to a model that serves, by itself, and only past its gates. "
_BUNDLE = "A bundle is the training data of one moment. It never changes, so a model can say what it was made of. "
_WEBHOOK = "Webhooks tell other programs and people what happened. "

# By the name of the page.
HELPS = {
    "overview": Help(
        "What is where. A promotion moves the tag of an environment to a model; the servers take it with their next"
        " poll, and only what they prove is called in sync.",
        "concepts",
    ),
    "search": Help("Environments, models, jobs and people, by any part of a name, a hash or a number.", "concepts"),
    "models": Help(
        "Every model that was uploaded or trained here. A model never changes; what serves it, and since when, does.",
        "concepts",
    ),
    "model": Help(
        "One model: what is in it, how good it is, and where it serves and served. Its hash is that of its bytes,"
        " wherever they are.",
        "concepts",
    ),
    "environment": Help(
        _ENVIRONMENT + "Here is every model it served, who decided so and why; each line can be gone back to.",
        "states",
        "promotion",
    ),
    "replicas": Help(
        "Each Rasa server proves with its polls which model it has loaded, byte for byte.",
        "concepts",
        "how-a-poll-proves-what-is-serving",
    ),
    "connect": Help(
        "What a stock Rasa server needs to take its model from here: a few lines of endpoints.yml and a token.",
        "compose",
    ),
    "settings": Help(_ENVIRONMENT + "This is how it was declared.", "configuration", "environmentsyml"),
    "engine": Help(
        "The containers of this environment's servers. One is restarted at a time; the others answer meanwhile.",
        "engine",
    ),
    "restored": Help(
        "After a restore nothing serves on until somebody looked: the servers may be ahead of the backup.",
        "operations",
        "restore",
    ),
    "promotion": Help(
        "A promotion is done when every replica has proved the model, and failed when one took it and did not load it.",
        "concepts",
        "what-became-of-a-promotion",
    ),
    "history": Help("Every change of what serves, in every environment: from what, to what, who and why.", "concepts"),
    "evaluations": Help(
        "An evaluation says how well a model understands examples whose answers are known.",
        "evaluations",
    ),
    "evaluation": Help(
        "F1 is high where a model finds an intent when it should and only then; 1 is without mistakes.",
        "evaluations",
        "what-comes-of-it",
    ),
    "compare": Help(
        "Two models are compared on the same examples alone. A difference that chance explains is called so.",
        "evaluations",
        "how-two-are-compared",
    ),
    "pipelines": Help(_PIPELINE + "They run by hand, by the clock, at a push or at an upload.", "pipelines"),
    "pipeline": Help(_PIPELINE + "It promotes with the present grants of its owner.", "pipelines", "who-may"),
    "pipeline-run": Help(
        "Each gate keeps the numbers by which it decided. Where one is not passed nothing is promoted.",
        "pipelines",
        "the-gates",
    ),
    "training": Help(_BUNDLE + "A job trains a model of it on the worker environment, beside production.", "training"),
    "bundle": Help(_BUNDLE + "What is worth a look does not keep it from being trained.", "training", "bundles"),
    "repositories": Help(
        "Training data can come from git: each fetch makes a bundle of one commit.",
        "training",
        "repositories",
    ),
    "repository": Help(
        "Credentials are kept encrypted, and are given to git alone.",
        "training",
        "credentials",
    ),
    "queue": Help(
        "A worker server trains one model at a time; projects take turns. What waits is lost neither by a restart nor"
        " by a worker that dies.",
        "states",
        "job",
    ),
    "job": Help(
        "A job goes on without this page. Where its worker dies it is run again, at most three times.",
        "states",
        "job",
    ),
    "talk": Help(
        "You speak to the bot that serves now, as its users do, and see what it understood.",
        "conversations",
        "talk",
    ),
    "conversations": Help(
        "What people said to the bots by way of the control plane. What was misunderstood can become training data.",
        "conversations",
        "what-is-kept",
    ),
    "conversation": Help(
        "What was said, what was understood and by which model. Mark what should teach the next one.",
        "conversations",
        "find-mark-train",
    ),
    "marked-examples": Help(
        "Messages that were marked for training, as the lines of an NLU file.",
        "conversations",
        "find-mark-train",
    ),
    "access": Help(_ACCESS + "A change counts from the next request on.", "access", "roles-and-who-may"),
    "user": Help(_ACCESS + "Who is deactivated is signed out everywhere at once.", "access", "roles-and-who-may"),
    "roles": Help(_ACCESS + "Nobody gives what they do not hold.", "access", "roles-and-who-may"),
    "role": Help(_ACCESS + "environments.*.write reaches environments that come later.", "access", "roles-and-who-may"),
    "access-tokens": Help(
        "A token does at most what its owner may do at that moment. It was shown once and is kept as a hash.",
        "access",
        "credentials",
    ),
    "who-may": Help(
        "From the other side: who can change an environment, by which role, and by which token.",
        "access",
        "roles-and-who-may",
    ),
    "audit": Help(
        "Every change, who made it and from where. The database refuses to alter it, and a chain of hashes shows if"
        " somebody did.",
        "operations",
        "the-audit-trail",
    ),
    "webhooks": Help(_WEBHOOK + "By a signed request, to Slack, or by e-mail.", "notifications", "kinds"),
    "webhook": Help(
        _WEBHOOK + "What a target does not take is sent again, at longer and longer intervals.",
        "notifications",
        "when-a-target-does-not-take-it",
    ),
    "retention": Help(
        "What may go when there is too much: never what serves, served lately or can be gone back to.",
        "operations",
        "retention",
    ),
    "account": Help(
        "Your name, your password, the browsers you are signed in with, and tokens for your scripts.",
        "access",
        "credentials",
    ),
}
HELPS["who-may-change"] = HELPS["who-may"]
HELPS["edit-pipeline"] = HELPS["new-pipeline"] = HELPS["pipeline"]
HELPS["new-role"] = HELPS["role"]
HELPS["new-user"] = HELPS["user"]
