"""The pages. `/` leads to the project last used."""

from django.urls import URLPattern, URLResolver, include, path

from environments.pages import (
    access_tokens,
    account,
    audit,
    bundles,
    colors,
    conversations,
    engine,
    environments,
    evaluations,
    freezes,
    guest_links,
    guests,
    guide,
    home,
    jobs,
    marked_examples,
    models,
    overview,
    people,
    pipeline_runs,
    pipelines,
    promotions,
    repositories,
    retention,
    roles,
    search,
    styleguide,
    stylesheet,
    talk,
    training,
    uploads,
    webhooks,
    who_may,
)

Routes = list[URLPattern | URLResolver]

one_environment: Routes = [
    path("", environments.history, name="environment"),
    path("replicas/", environments.replicas, name="replicas"),
    path("replicas/retry/", environments.retry, name="retry"),
    path("connect/", environments.connected, name="connect"),
    path("rotate-token/", environments.rotate_token, name="rotate-token"),
    path("settings/", environments.settings, name="settings"),
    path("engine/", engine.containers, name="engine"),
    path("engine/log/", engine.log, name="container-log"),
    path("engine/restart/", engine.restart, name="restart-container"),
    path("changes/", environments.changes, name="environment-changes"),
    path("promote/", promotions.promote, name="promote"),
    path("resume/", freezes.resume, name="resume"),
    path("rollback/", promotions.rollback, name="rollback"),
]

one_model: Routes = [
    path("", models.model, name="model"),
    path("menu/", models.menu, name="model-menu"),
    path("tag/", models.tag, name="tag"),
    path("untag/", models.untag, name="untag"),
    path("delete/", models.delete, name="delete"),
    path("evaluate/", evaluations.evaluate, name="evaluate"),
]

one_promotion: Routes = [
    path("", promotions.promotion, name="promotion"),
    path("changes/", promotions.promotion_changes, name="promotion-changes"),
    path("reason/", promotions.add_reason, name="add-reason"),
]

one_job: Routes = [
    path("", jobs.job, name="job"),
    path("changes/", jobs.job_changes, name="job-changes"),
    path("log/", jobs.job_log, name="job-log"),
    path("log.txt", jobs.whole_log, name="job-log-text"),
    path("cancel/", jobs.cancel, name="cancel-job"),
    path("again/", jobs.run_again, name="run-again"),
]

one_user: Routes = [
    path("", people.user, name="user"),
    path("roles/", people.user_roles, name="user-roles"),
    path("deactivate/", people.deactivate, name="deactivate"),
    path("activate/", people.activate, name="activate"),
    path("link/", people.new_link, name="new-link"),
    path("end-sessions/", people.end_sessions, name="end-sessions"),
    path("unlock/", people.unlock, name="unlock"),
    path("tokens/", access_tokens.new_token, name="new-token"),
]

one_role: Routes = [
    path("", roles.role, name="role"),
    path("members/", roles.members, name="role-members"),
    path("delete/", roles.delete_role, name="delete-role"),
]

one_pipeline: Routes = [
    path("", pipelines.pipeline, name="pipeline"),
    path("changes/", pipelines.pipeline_changes, name="pipeline-changes"),
    path("start/", pipelines.start, name="start-pipeline"),
    path("edit/", pipelines.edit_pipeline, name="edit-pipeline"),
    path("remove/", pipelines.remove_pipeline, name="remove-pipeline"),
    path("push-secret/", pipelines.push_secret, name="pipeline-secret"),
    path("runs/<str:run>/", pipeline_runs.run, name="pipeline-run"),
    path("runs/<str:run>/changes/", pipeline_runs.run_changes, name="pipeline-run-changes"),
    path("runs/<str:run>/cancel/", pipeline_runs.cancel, name="cancel-pipeline-run"),
]

access: Routes = [
    path("", people.users, name="access"),
    path("users/<str:user>/", include(one_user)),
    path("unlock-address/", people.unlock_address, name="unlock-address"),
    path("new-user/", people.new_user, name="new-user"),
    path("roles/", roles.roles, name="roles"),
    path("roles/<str:role>/", include(one_role)),
    path("new-role/", roles.new_role, name="new-role"),
    path("role-preview/", roles.preview, name="role-preview"),
    path("tokens/", access_tokens.access_tokens, name="access-tokens"),
    path("tokens/<str:token>/revoke/", access_tokens.revoke, name="revoke"),
    path("who-may/", who_may.who_may, name="who-may"),
    path("who-may/<str:environment>/", who_may.who_may_change, name="who-may-change"),
]

one_webhook: Routes = [
    path("", webhooks.webhook, name="webhook"),
    path("changes/", webhooks.webhook_changes, name="webhook-changes"),
    path("test/", webhooks.test_webhook, name="test-webhook"),
    path("deliveries/<str:delivery>/redeliver/", webhooks.redeliver, name="redeliver"),
    path("new-secret/", webhooks.new_secret, name="new-secret"),
    path("remove/", webhooks.remove_webhook, name="remove-webhook"),
]

settings: Routes = [
    path("", webhooks.webhooks, name="webhooks"),
    path("new-webhook/", webhooks.new_webhook, name="new-webhook"),
    path("webhooks/<str:webhook>/", include(one_webhook)),
    path("retention/", retention.rules, name="retention"),
]

one_repository: Routes = [
    path("", repositories.repository, name="repository"),
    path("fetch/", repositories.fetch, name="fetch"),
    path("remove/", repositories.remove_repository, name="remove-repository"),
]

said: Routes = [
    path("", conversations.conversation_list, name="conversations"),
    # The id of a conversation may hold anything: it is in the query.
    path("in/<str:environment>/", conversations.transcript, name="conversation"),
    path("in/<str:environment>/delete/", conversations.delete_conversation, name="delete-conversation"),
    path("messages/<str:message>/mark/", marked_examples.mark, name="mark"),
    path("examples/", marked_examples.example_list, name="marked-examples"),
    path("examples.yml", marked_examples.examples_yaml, name="marked-examples-yaml"),
    path("examples/<str:example>/remove/", marked_examples.unmark, name="unmark"),
]

one_project: Routes = [
    path("", overview.overview, name="overview"),
    path("changes/", overview.overview_changes, name="overview-changes"),
    path("search/", search.search, name="search"),
    path("shortcuts/", search.shortcuts, name="shortcuts"),
    path("models/", models.models, name="models"),
    path("models/<str:model>/", include(one_model)),
    path("upload/", uploads.upload, name="upload"),
    path("environments/<str:environment>/", include(one_environment)),
    path("evaluations/", evaluations.evaluations, name="evaluations"),
    path("evaluations/compare/", evaluations.compare, name="compare"),
    path("evaluations/<str:evaluation>/", evaluations.evaluation, name="evaluation"),
    path("evaluations/<str:evaluation>/changes/", evaluations.evaluation_changes, name="evaluation-changes"),
    path("promotions/<str:promotion>/", include(one_promotion)),
    path("pipelines/", pipelines.list_pipelines, name="pipelines"),
    path("pipelines/<str:name>/", include(one_pipeline)),
    path("pipelines-changes/", pipelines.pipelines_changes, name="pipelines-changes"),
    path("new-pipeline/", pipelines.new_pipeline, name="new-pipeline"),
    path("history/", promotions.history, name="history"),
    path("restored/", freezes.restored, name="restored"),
    path("audit/", audit.audit, name="audit"),
    path("talk/", talk.talk, name="talk"),
    path("talk/new/", talk.start_again, name="talk-again"),
    path("talk/share/", guest_links.share, name="talk-share"),
    path("conversations/", include(said)),
    path("access/", include(access)),
    path("settings/", include(settings)),
    path("training/", training.training, name="training"),
    path("training/bundle/", training.upload_bundle, name="upload-bundle"),
    path("training/bundles/<str:bundle>/", bundles.bundle, name="bundle"),
    path("training/bundles/<str:bundle>/changes/", bundles.bundle_changes, name="bundle-changes"),
    path("training/repositories/", repositories.repositories, name="repositories"),
    path("training/repositories/<str:repository>/", include(one_repository)),
    path("training/new-repository/", repositories.new_repository, name="new-repository"),
    path("training/fetches/", repositories.fetch_changes, name="fetch-changes"),
    path("training/changes/", training.training_changes, name="training-changes"),
    path("training/queue/", jobs.queue, name="queue"),
    path("training/queue/changes/", jobs.queue_changes, name="queue-changes"),
    path("training/jobs/<str:job>/", include(one_job)),
]

own_account: Routes = [
    path("", account.account, name="account"),
    path("name/", account.rename, name="rename"),
    path("password/", account.change_password, name="change-password"),
    path("sessions/", account.end_sessions, name="end-sessions"),
    path("tokens/", account.new_token, name="new-own-token"),
    path("tokens/<str:token>/revoke/", account.revoke_token, name="revoke-own"),
]

urlpatterns = [
    path("", home.home, name="home"),
    path("styleguide/", styleguide.styleguide, name="styleguide"),
    path("app.css", stylesheet.app_css, name="app-css"),
    path("environments.css", colors.environments_css, name="environments-css"),
    path("account/", include(own_account)),
    path("guide/", guide.contents, name="guide"),
    path("guide/<str:chapter_name>/", guide.read, name="guide-chapter"),
    path("p/<str:project>/", include(one_project)),
    # As Rasa X spelled it.
    path("guest/conversations/<str:environment>/<str:token>", guests.guest, name="guest"),
]
