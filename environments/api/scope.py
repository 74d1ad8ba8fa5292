"""What a request is about: the project, environment, model or promotion it names, if its actor may see it."""

from accounts.actor import Actor
from accounts.models import Project
from accounts.problems import NotFound
from environments import permissions
from environments.models import Bundle, Environment, Job, Promotion, TrainedModel


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


def find_job(actor: Actor, project: Project, pk: str) -> Job:
    permissions.check_can_read_training(actor, project)
    job = Job.objects.visible_to(actor, project).filter(pk=pk).first() if is_id(pk) else None
    if job is None:
        raise NotFound(f"There is no job {pk}.")
    return job
