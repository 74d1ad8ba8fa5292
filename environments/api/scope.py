"""What a request is about: the project, environment, model or promotion it names, if its actor may see it."""

from accounts.actor import Actor
from accounts.models import Project, Role, User
from accounts.problems import NotFound
from environments import permissions
from environments.models import (
    Bundle,
    Delivery,
    Environment,
    Evaluation,
    Job,
    Pipeline,
    PipelineRun,
    Promotion,
    Repository,
    TrainedModel,
    Webhook,
)
from environments.states import JobKind


def is_id(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) < 19


def find_project(actor: Actor, name: str) -> Project:
    project = Project.objects.filter(name=name).first()
    if project is None or not actor.sees(project):
        raise NotFound(f"There is no project {name}.")
    return project


def find_environment(actor: Actor, project: Project, name: str) -> Environment:
    environment = Environment.objects.visible_to(actor, project).filter(name=name).first()
    if environment is None:
        raise NotFound(f"There is no environment {name}.")
    return environment


def find_environment_or_retired(actor: Actor, project: Project, name: str) -> Environment:
    """Also one that was retired: its history stays, and promoting to it is refused with the reason."""
    environments = Environment.objects.filter(project=project, name=name).select_related("project", "follows")
    environment = environments.first() if actor.may(project, "environments.read") else None
    if environment is None:
        raise NotFound(f"There is no environment {name}.")
    return environment


def find_model(actor: Actor, project: Project, name: str) -> TrainedModel:
    permissions.check_can_read_models(actor, project)
    model = TrainedModel.objects.visible_to(actor, project).filter(name=name).first()
    if model is None:
        raise NotFound(f"There is no model {name}.")
    return model


def find_promotion(actor: Actor, project: Project, pk: str) -> Promotion:
    promotions = Promotion.objects.visible_to(actor, project)
    promotion = promotions.filter(pk=pk).first() if is_id(pk) else None
    if promotion is None:
        raise NotFound(f"There is no promotion {pk}.")
    return promotion


def find_bundle(actor: Actor, project: Project, pk: str) -> Bundle:
    permissions.check_can_read_training(actor, project)
    bundle = Bundle.objects.visible_to(actor, project).filter(pk=pk).first() if is_id(pk) else None
    if bundle is None:
        raise NotFound(f"There is no bundle {pk}.")
    return bundle


def find_repository(actor: Actor, project: Project, name: str) -> Repository:
    permissions.check_can_read_training(actor, project)
    visible = Repository.objects.visible_to(actor, project).filter(name=name, removed_at=None)
    repository = visible.select_related("project").first()
    if repository is None:
        raise NotFound(f"There is no repository {name}.")
    return repository


def find_job(actor: Actor, project: Project, pk: str) -> Job:
    """Who may not read jobs of its kind is told so as for one that is not there."""
    kind = Job.objects.filter(project=project, pk=pk).values_list("kind", flat=True).first() if is_id(pk) else None
    permissions.check_can_read_job(actor, project, JobKind(kind or JobKind.TRAINING))
    job = Job.objects.visible_to(actor, project).filter(pk=pk).first() if kind else None
    if job is None:
        raise NotFound(f"There is no job {pk}.")
    return job


def find_webhook(actor: Actor, project: Project, pk: str) -> Webhook:
    permissions.check_can_read_settings(actor, project)
    webhook = Webhook.objects.visible_to(actor, project).filter(pk=pk).first() if is_id(pk) else None
    if webhook is None:
        raise NotFound(f"There is no webhook {pk}.")
    return webhook


def find_delivery(webhook: Webhook, pk: str) -> Delivery:
    """One of the webhook's; who may see it is asked with the webhook."""
    deliveries = Delivery.objects.filter(webhook=webhook).select_related("webhook__project")
    delivery = deliveries.filter(pk=pk).first() if is_id(pk) else None
    if delivery is None:
        raise NotFound(f"There is no delivery {pk} of {webhook.name}.")
    return delivery


def find_evaluation(actor: Actor, project: Project, pk: str) -> Evaluation:
    permissions.check_can_read_evaluations(actor, project)
    evaluations = Evaluation.objects.visible_to(actor, project)
    evaluation = evaluations.filter(pk=pk).first() if is_id(pk) else None
    if evaluation is None:
        raise NotFound(f"There is no evaluation {pk}.")
    return evaluation


def find_evaluation_or_model(actor: Actor, project: Project, named: str) -> Evaluation | TrainedModel:
    """What a comparison is of: an evaluation by its id, or a model by its name."""
    permissions.check_can_read_evaluations(actor, project)
    if is_id(named) and not TrainedModel.objects.visible_to(actor, project).filter(name=named).exists():
        return find_evaluation(actor, project, named)
    return find_model(actor, project, named)


def find_pipeline(actor: Actor, project: Project, name: str) -> Pipeline:
    permissions.check_can_read_pipelines(actor, project)
    pipeline = Pipeline.objects.visible_to(actor, project).filter(name=name).first()
    if pipeline is None:
        raise NotFound(f"There is no pipeline {name}.")
    return pipeline


def find_pipeline_run(actor: Actor, project: Project, pk: str) -> PipelineRun:
    permissions.check_can_read_pipelines(actor, project)
    run = PipelineRun.objects.visible_to(actor, project).filter(pk=pk).first() if is_id(pk) else None
    if run is None:
        raise NotFound(f"There is no run {pk} of a pipeline.")
    return run


def find_user(username: str) -> User:
    """An active account; who may see or edit it is asked before."""
    user: User | None = User.objects.active().filter(username=username).first()
    if user is None:
        raise NotFound(f"There is no user {username}.")
    return user


def find_role(project: Project, name: str) -> Role:
    """A role of the project; who may see or edit it is asked before."""
    role = Role.objects.filter(project=project, name=name).select_related("project", "group").first()
    if role is None:
        raise NotFound(f"There is no role {name} in {project.name}.")
    return role
