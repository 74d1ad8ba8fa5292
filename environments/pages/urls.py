"""The pages. `/` leads to the project last used."""

from django.urls import URLPattern, URLResolver, include, path

from environments.pages import colors, environments, home, models, overview, promotions, talk, training, uploads

Routes = list[URLPattern | URLResolver]

one_environment: Routes = [
    path("", environments.history, name="environment"),
    path("replicas/", environments.replicas, name="replicas"),
    path("replicas/retry/", environments.retry, name="retry"),
    path("connect/", environments.connected, name="connect"),
    path("settings/", environments.settings, name="settings"),
    path("changes/", environments.changes, name="environment-changes"),
    path("promote/", promotions.promote, name="promote"),
    path("rollback/", promotions.rollback, name="rollback"),
]

one_model: Routes = [
    path("", models.model, name="model"),
    path("menu/", models.menu, name="model-menu"),
    path("tag/", models.tag, name="tag"),
    path("untag/", models.untag, name="untag"),
    path("delete/", models.delete, name="delete"),
]

one_promotion: Routes = [
    path("", promotions.promotion, name="promotion"),
    path("changes/", promotions.promotion_changes, name="promotion-changes"),
    path("reason/", promotions.add_reason, name="add-reason"),
]

one_project: Routes = [
    path("", overview.overview, name="overview"),
    path("changes/", overview.overview_changes, name="overview-changes"),
    path("models/", models.models, name="models"),
    path("models/<str:model>/", include(one_model)),
    path("upload/", uploads.upload, name="upload"),
    path("environments/<str:environment>/", include(one_environment)),
    path("promotions/<str:promotion>/", include(one_promotion)),
    path("history/", promotions.history, name="history"),
    path("talk/", talk.talk, name="talk"),
    path("talk/new/", talk.start_again, name="talk-again"),
    path("training/", training.training, name="training"),
    path("training/bundle/", training.upload_bundle, name="upload-bundle"),
    path("training/changes/", training.training_changes, name="training-changes"),
]

urlpatterns = [
    path("", home.home, name="home"),
    path("environments.css", colors.environments_css, name="environments-css"),
    path("p/<str:project>/", include(one_project)),
]
