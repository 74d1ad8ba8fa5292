"""The native routes."""

from django.urls import URLPattern, URLResolver, path

from environments.api.v1 import bundles, environments, jobs, me, models, promotions, replicas, tokens

urlpatterns: list[URLPattern | URLResolver] = [
    path("environments/", environments.Environments.as_view()),
    path("environments/<str:name>/", environments.OneEnvironment.as_view()),
    path("environments/<str:name>/promotions/", promotions.EnvironmentPromotions.as_view()),
    path("environments/<str:name>/rollback/", promotions.Rollback.as_view()),
    path("environments/<str:name>/at/", promotions.At.as_view()),
    path("environments/<str:name>/replicas/", replicas.Replicas.as_view()),
    path("environments/<str:name>/replicas/<path:replica>/retry/", replicas.Retry.as_view()),
    path("promotions/<str:promotion>/", promotions.OnePromotion.as_view()),
    path("models/", models.Models.as_view()),
    path("models/<str:name>/", models.OneModel.as_view()),
    path("models/<str:name>/metadata/", models.Metadata.as_view()),
    path("models/<str:name>/diff/", models.Diff.as_view()),
    path("bundles/", bundles.Bundles.as_view()),
    path("bundles/<str:bundle>/", bundles.OneBundle.as_view()),
    path("jobs/", jobs.Jobs.as_view()),
    path("jobs/<str:job>/", jobs.OneJob.as_view()),
    path("tokens/", tokens.Tokens.as_view()),
    path("tokens/<str:token>/", tokens.OneToken.as_view()),
    path("me/", me.Me.as_view()),
]
