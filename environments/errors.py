"""Every refusal of the domain: a stable code, a status, and where it is raised a sentence that names the cure."""

from typing import Any

from accounts.problems import Problem

# Processes of the control plane


class SchemaBehind(Problem):
    """The database has not been migrated to what this version needs, so this process does not answer yet."""

    code, status, title, reason = "schema-behind", 503, "The database is older than this version", "SchemaBehind"
    cure = "Run `manage.py prepare` with this version; the process goes on by itself then."

    def __init__(self, missing: list[str]) -> None:
        named = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        super().__init__(
            f"The database lacks what this version needs ({named}). Run `manage.py prepare` with this version; this "
            "process goes on by itself then.",
            headers={"Retry-After": "5"},
        )


class OtherStore(Problem):
    """This process keeps its archives in another folder than one that runs beside it, so each would miss what the other
    stored. It does not answer while both run."""

    code, status, title, reason = "other-store", 503, "The archives are elsewhere", "OtherStore"
    cure = "Mount one folder, shared by all processes, as `archives` and `bundles` of `CONTROLPLANE_HOME`."


# Archives and uploads


class ArchiveRefused(Problem):
    """The upload is not a Rasa 3.x archive that can be served. Subclasses say why."""

    code, status, title, reason = "archive-refused", 422, "This is not a model that can be served", "ModelInvalid"
    cure = "Upload the `.tar.gz` that `rasa train` wrote, as it is."


class NotGzipTar(ArchiveRefused):
    """The bytes are not a gzip-compressed tar archive."""

    code = "archive-not-gzip-tar"
    cure = "Upload the `.tar.gz` that `rasa train` wrote, neither unpacked nor packed again."


class ArchiveTruncated(ArchiveRefused):
    """The archive ends before it is complete."""

    code = "archive-truncated"
    cure = "Upload it again; compare its size with the original if it happens twice."


class ArchiveTrailingData(ArchiveRefused):
    """More than one gzip member, or bytes after the archive."""

    code = "archive-trailing-data"
    cure = "Upload the file as `rasa train` wrote it; nothing may follow the archive."


class MetadataMissing(ArchiveRefused):
    """There is no `metadata.json` at the root of the archive."""

    code = "archive-metadata-missing"
    cure = "Upload a model of Rasa 3; an archive of something else cannot be served."


class MetadataUnreadable(ArchiveRefused):
    """`metadata.json` is not the JSON document that Rasa 3 writes."""

    code = "archive-metadata-unreadable"
    cure = "Train the model again and upload the new archive."


class MetadataTooLarge(ArchiveRefused):
    """`metadata.json` is larger than is read."""

    code = "archive-metadata-too-large"
    cure = "Raise `MAX_METADATA_BYTES` if the model is really that large."


class ModelTooOld(ArchiveRefused):
    """A 1.x or 2.x model. Rasa X answers 400 to it."""

    code, status, reason = "archive-too-old", 400, "ModelVersionTooOld"
    cure = "Train it again with Rasa 3; no Rasa 3 server can load it."


class DuplicateMember(ArchiveRefused):
    """Two members of the archive have one name, so that two readers would see two models."""

    code = "archive-duplicate-member"
    cure = "Upload the archive as `rasa train` wrote it."


class UnsafePath(ArchiveRefused):
    """An absolute path or `..` in a member's name."""

    code = "archive-unsafe-path"
    cure = "Upload the archive as `rasa train` wrote it."


class UnsafeMember(ArchiveRefused):
    """A link, a device or a sparse member."""

    code = "archive-unsafe-member"
    cure = "Upload the archive as `rasa train` wrote it."


class TooManyMembers(ArchiveRefused):
    """The archive holds more files than are accepted."""

    code = "archive-too-many-members"
    cure = "Raise `MAX_MODEL_ENTRIES` if the model is really that large."


class UnpacksTooLarge(ArchiveRefused):
    """Unpacked, the archive would be larger than is accepted."""

    code = "archive-unpacks-too-large"
    cure = "Raise `MAX_MODEL_UNPACKED_BYTES` if the model is really that large."


class UploadTooLarge(Problem):
    """The upload is larger than is accepted."""

    code, status, title, reason = "upload-too-large", 413, "The upload is too large", "UploadTooLarge"
    cure = "Raise `MAX_MODEL_BYTES` or `MAX_BUNDLE_BYTES` if it is really that large."


class LengthRequired(Problem):
    """The request does not say how long its body is."""

    code, status, title, reason = "length-required", 411, "The upload needs a Content-Length", "LengthRequired"
    cure = "Send a `Content-Length`; curl does when it reads from a file."


class UploadIncomplete(Problem):
    """The connection ended before the announced bytes had arrived; nothing was kept."""

    code, status, title, reason = "upload-incomplete", 400, "The upload broke off", "BadRequest"
    cure = "Upload it again."


class UploadMalformed(Problem):
    """No `model` part, several of them, or a body that is not multipart."""

    code, status, title, reason = "upload-malformed", 400, "The upload could not be understood", "BadRequest"
    cure = "Send multipart/form-data with one file part of the name that the route documents."


class InvalidName(Problem):
    """The name breaks the rule for names of its kind; names are judged as they are sent and never repaired."""

    code, status, title, reason = "invalid-name", 400, "This name cannot be used", "InvalidName"
    cure = "Choose a name as the detail tells."


class NameTaken(Problem):
    """Another model of the project has the name; names are never given twice while both exist."""

    code, status, title, reason = "name-taken", 409, "A model of this name exists", "ModelExistsError"
    cure = "Choose another name; an upload can also send `on_conflict=suffix`."


class BytesTaken(Problem):
    """The same bytes are stored under another name; `existing` is that name."""

    code, status, title, reason = "bytes-taken", 409, "This model is stored under another name", "ModelExistsError"
    cure = "Use the model that `existing` names: it is the same."


class NameReserved(Problem):
    """The name was promoted once (or a job reserved it): it is never given to other bytes."""

    code, status, title, reason = "name-reserved", 409, "This name is reserved", "ModelExistsError"
    cure = "Choose another name."


class StorageUnusable(Problem):
    """The folder of archives is read-only, not mounted, not permitted, or its disk fails; the log says which."""

    code, status, title, reason = "storage-unusable", 503, "The storage cannot be written", "StorageUnusable"
    cure = "Look at the folder of archives and its disk, then repeat the upload."


class StorageFull(Problem):
    """The storage has no room for the upload; nothing was kept."""

    code, status, title, reason = "storage-full", 507, "The storage is full", "InsufficientStorage"
    cure = "Delete models that nothing uses, or give the storage more room."


class ArchiveDamaged(Problem):
    """The stored bytes no longer hash to the model's SHA-256: never served again."""

    code, status, title, reason = "archive-damaged", 503, "The stored archive is damaged", "ModelDamaged"
    cure = "Upload the same archive again, or promote another model; restore the storage from its backup."


class ModelInUse(Problem):
    """Environments or replicas serve the model, or would go back to it: `uses` lists them."""

    code, status, title, reason = "model-in-use", 409, "The model is in use", "ModelInUse"
    cure = "Promote another model wherever `uses` says, then delete it."


class RangeNotSatisfiable(Problem):
    """The `Range` header asks for bytes that are not in the archive."""

    code, status, title, reason = "range-not-satisfiable", 416, "The range is outside the archive", "BadRequest"
    cure = "Ask for a range within the `Content-Length`, or for the whole archive."


# Tags and promotions


class EnvironmentTag(Problem):
    """A name of an environment is never a free tag."""

    code, status, title, reason = "environment-tag", 409, "This tag belongs to an environment", "TagConflict"
    cure = "Promote to the environment instead, or choose another tag."


class TagConflict(Problem):
    """An environment cannot be defined while a free tag has its name."""

    code, status, title, reason = "tag-conflict", 409, "A free tag has this name", "TagConflict"
    cure = "Remove the tag, then define the environment."


class StalePromotion(Problem):
    """The environment has another model than the one that was expected: `current`, put there by `by` at `at`."""

    code, status, title, reason = "stale-promotion", 409, "Somebody else promoted meanwhile", "StalePromotion"
    cure = "Look at what is there now, then repeat with `expected` as it is."


class FollowsAnother(Problem):
    """The environment has no tag of its own: it serves what another one serves."""

    code, status, title, reason = "environment-follows", 409, "This environment follows another", "FollowsAnother"
    cure = "Promote to the environment that `follows` names."


class Incompatible(Problem):
    """The model is older than what the environment's server takes."""

    code, status, title, reason = "model-incompatible", 409, "The server would refuse this model", "ModelIncompatible"
    cure = "Train the model again with the server's Rasa version, or promote with `force` if you know better."


class EnvironmentFrozen(Problem):
    """The installation was restored from a backup, and nobody has decided yet whether the backup or the servers are
    right about this environment: its servers keep what they have."""

    code, status, title, reason = "environment-frozen", 409, "The environment is frozen", "EnvironmentFrozen"
    cure = "Decide on its page, by `POST /api/v1/environments/{name}/resume/` or by `manage.py resume`, then repeat."


class NotFrozen(Problem):
    """The environment waits for no decision: it was not restored, or somebody has decided."""

    code, status, title, reason = "not-frozen", 409, "The environment is not frozen", "Conflict"
    cure = "Promote the model that it is to serve."


class EnvironmentRetired(Problem):
    """The environment is no longer declared; its history stays."""

    code, status, title, reason = "environment-retired", 409, "This environment is retired", "EnvironmentRetired"
    cure = "Declare it again in environments.yml or through the API."


class NothingToGoBackTo(Problem):
    """No other model served there before."""

    code, status, title, reason = "nothing-to-go-back-to", 409, "There is nothing to go back to", "NothingToGoBackTo"
    cure = "Promote a model instead."


class ModelGone(Problem):
    """The model was deleted."""

    code, status, title, reason = "model-gone", 409, "That model was deleted", "ModelGone"
    cure = "Upload the same archive again, or choose another model."


class RasaXWritesRefused(Problem):
    """The environment takes no promotions through the old routes."""

    code, status, title, reason = (
        "rasa-x-writes-refused",
        403,
        "The old tag routes may not promote here",
        "RasaXWritesRefused",
    )
    cure = "Use the native route: `POST /api/v1/environments/{name}/promotions/`."


class Unconfirmed(Problem):
    """The page asks to type the name of a protected environment, and it was not typed."""

    code, status, title, reason = "unconfirmed", 422, "The name was not typed", "Unconfirmed"
    cure = "Type the environment's name as it is written there."


class NotTheAuthor(Problem):
    """A reason is added by who made the promotion, and by nobody else."""

    code, status, title, reason = "not-the-author", 403, "Only who promoted may add a reason", "NotAuthorized"
    cure = "Ask the person that the detail names."


# Environments


class DeclaredInFile(Problem):
    """Environments of environments.yml are changed there and nowhere else."""

    code, status, title, reason = (
        "declared-in-file",
        409,
        "This environment is declared in environments.yml",
        "DeclaredInFile",
    )
    cure = "Edit environments.yml, then run `manage.py sync_environments`."


class EnvironmentExists(Problem):
    """The name is taken, perhaps by a retired environment."""

    code, status, title, reason = "environment-exists", 409, "An environment of this name exists", "EnvironmentExists"
    cure = "Choose another name, or change the one there is."


class InvalidUrl(Problem):
    """Only http and https addresses of servers are taken, of repositories https and ssh: no password, no query, no
    link-local address."""

    code, status, title, reason = "invalid-url", 400, "This address cannot be used", "InvalidUrl"
    cure = "Write `http://host:port`, a repository's as `https://host/path`, and give the token apart."

    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors={"url": [detail]})


class UrlTaken(Problem):
    """A Rasa server holds one model, so it is one environment's."""

    code, status, title, reason = "url-taken", 409, "Another environment has this address", "UrlTaken"
    cure = "Give each environment a Rasa server of its own."


class CannotFollow(Problem):
    """An environment follows another active one of its project that follows none itself."""

    code, status, title, reason = "cannot-follow", 409, "It cannot follow that", "CannotFollow"
    cure = "Let it follow an environment that has a tag of its own."


class HasFollowers(Problem):
    """`followers` lists the environments that serve what this one serves."""

    code, status, title, reason = "has-followers", 409, "Other environments follow this one", "HasFollowers"
    cure = "Let the environments in `followers` follow another one first."


class EnvironmentsFileInvalid(Problem):
    """`errors` of the file, each with line, key and cure."""

    code, status, title, reason = (
        "environments-file-invalid",
        422,
        "environments.yml could not be applied",
        "EnvironmentsFileInvalid",
    )
    cure = "Correct each line as told; the last valid declaration stays in force until then."


class PipelinesFileInvalid(Problem):
    """`errors` of the file, each with line, key and cure."""

    code, status, title, reason = (
        "pipelines-file-invalid",
        422,
        "pipelines.yml could not be applied",
        "PipelinesFileInvalid",
    )
    cure = "Correct each line as told; the last valid declaration stays in force until then."


class PipelineExists(Problem):
    """The project has a pipeline of that name."""

    code, status, title, reason = "pipeline-exists", 409, "There is a pipeline of that name", "PipelineExists"
    cure = "Change that one with `PATCH`, or choose another name."


class PipelineInFile(Problem):
    """The pipeline is declared in pipelines.yml and read-only elsewhere."""

    code, status, title, reason = "pipeline-in-file", 409, "pipelines.yml declares this pipeline", "PipelineInFile"
    cure = "Change it in the file, then run `manage.py sync_pipelines`."


class PipelineDisabled(Problem):
    """The pipeline is switched off; nothing starts it."""

    code, status, title, reason = "pipeline-disabled", 409, "The pipeline is switched off", "PipelineDisabled"
    cure = "Declare it with `enabled: true`, then start it again."


class PipelineRunEnded(Problem):
    """There is nothing left to cancel."""

    code, status, title, reason = "pipeline-run-ended", 409, "The run has ended", "Conflict"
    cure = "Start the pipeline again if that is what you want."


class PipelineGone(Problem):
    """The pipeline was removed."""

    code, status, title, reason = "pipeline-gone", 409, "The pipeline was removed", "Gone"
    cure = "Declare it again."


class JobOfRunCancelled(Problem):
    """Somebody cancelled a job that the run of the pipeline needed."""

    code, status, title, reason = "job-of-run-cancelled", 409, "A job of the run was cancelled", "Conflict"
    cure = "Start the pipeline again."


class OwnerCannotAct(Problem):
    """A pipeline acts with its owner's present grants, and with no more than the token it was declared with. The owner
    was deactivated, lost a grant that a step needs, or the token ended; nothing more is done."""

    code, status, title, reason = (
        "pipeline-owner-cannot-act",
        403,
        "The pipeline's owner may not do this",
        "NotAuthorized",
    )
    cure = "Let somebody who holds every grant that its steps need declare the pipeline again: they become its owner."


class GatesNotPassed(Problem):
    """No model that the run trained passed all gates, so none was promoted; the verdicts tell why."""

    code, status, title, reason = "gates-not-passed", 422, "No model passed the gates", "GatesNotPassed"
    cure = "Read the verdicts of the run. What serves goes on serving."


class ServingKeepsChanging(Problem):
    """Each time the run had judged a model against what serves, somebody promoted another one."""

    code, status, title, reason = "serving-keeps-changing", 409, "What serves kept changing", "Conflict"
    cure = "See who promotes to the environment, then start the pipeline again."


class PushNotSigned(Problem):
    """The push is not signed with the pipeline's secret; also where there is no such pipeline."""

    code, status, title, reason = "push-not-signed", 401, "The push is not signed as it must be", "NotAuthenticated"
    cure = "Give the git server the secret that the pipeline's page made; make a new one there if it was lost."


class EnvironmentUnavailable(Problem):
    """Unreachable, or without a loaded model."""

    code, status, title, reason = (
        "environment-unavailable",
        503,
        "The environment cannot answer now",
        "EnvironmentUnavailable",
    )
    cure = "Start its Rasa server, or promote a model to it; the environment's page says what is wrong."


class EngineUnavailable(Problem):
    """The container engine did not answer, or not in time, or refused what it was asked."""

    code, status, title, reason = "engine-unavailable", 503, "The container engine does not answer", "EngineUnavailable"
    cure = "Look at the engine, and at its socket, which `CONTROLPLANE_DOCKER_URL` names."

    def __init__(self, detail: str, **data: Any) -> None:
        super().__init__(detail, headers={"Retry-After": "10"}, **data)


class RestartRefused(Problem):
    """Another replica of the environment does not serve its model now, or is being restarted: both would be away."""

    code, status, title, reason = "restart-refused", 409, "Another replica does not serve now", "RestartRefused"
    cure = "Wait until the others serve the environment's model, or restart the one that does not."


class DatabaseAway(Problem):
    """The database did not answer."""

    code, status, title, reason = "database-away", 503, "The database cannot be reached", "ServiceUnavailable"
    cure = "Repeat the request after `Retry-After`; Rasa servers keep the model they have meanwhile."


class WrongServiceToken(Problem):
    """The token's environment does not pull this tag."""

    code, status, title, reason = "wrong-service-token", 403, "This token opens another tag", "NotAuthorized"
    cure = "Copy endpoints.yml from the Connect tab of the environment that the server belongs to."


class ChatRefused(Problem):
    """A guest's token opens one conversation; an end user's too, or any if its role is `admin`."""

    code, status, title, reason = "chat-refused", 403, "This conversation is not yours", "NotAuthorized"
    cure = "Use the conversation named like the token's `username`, or a token whose `role` is `admin`."


# Bundles and jobs


class BundleInvalid(Problem):
    """A bundle holds a domain, a config and training data of one Rasa project."""

    code, status, title, reason = "bundle-invalid", 422, "This is not a Rasa project to train from", "BundleInvalid"
    cure = "Pack the folder in which `rasa train` works, as zip or tar.gz."


class NoBundle(Problem):
    """Nothing was uploaded yet that could be trained from."""

    code, status, title, reason = "no-bundle", 409, "There is no bundle to train from", "NoBundle"
    cure = "Upload a bundle: `POST /api/v1/bundles/`, or the training page."


class RepositoryExists(Problem):
    """The project has a repository of that name."""

    code, status, title, reason = "repository-exists", 409, "A repository of this name exists", "RepositoryExists"
    cure = "Choose another name, or change the one there is."


class RepositoryRefused(Problem):
    """The repository cannot be read with what is known of it: its address, its credentials, its host key or the ref."""

    code, status, title, reason = "repository-refused", 422, "The repository cannot be read", "RepositoryRefused"
    cure = "Correct the repository's address, credentials or ref as the detail tells, then fetch again."


class RepositoryUnavailable(Problem):
    """The repository's server did not answer in time, or there is no git program at the worker."""

    code, status, title, reason = (
        "repository-unavailable",
        503,
        "The repository could not be reached",
        "RepositoryUnavailable",
    )
    cure = "See whether the repository's server answers, then fetch again."


class RepositoryTooLarge(Problem):
    """The repository, or the project in it, is larger than is taken."""

    code, status, title, reason = "repository-too-large", 413, "The repository is too large", "RepositoryTooLarge"
    cure = "Keep large files out of it, or raise `GIT_MAX_BYTES`."


class NoTrainingEnvironment(Problem):
    """Training runs on the Rasa server of an environment of kind `training`."""

    code, status, title, reason = (
        "no-training-environment",
        409,
        "No environment of kind training is declared",
        "NoTrainingEnvironment",
    )
    cure = "Declare a `worker` environment in environments.yml."


class BundleDamaged(Problem):
    """The stored bytes of the bundle are gone or no longer hash to its SHA-256."""

    code, status, title, reason = "bundle-damaged", 503, "The stored bundle is damaged", "BundleDamaged"
    cure = "Upload the same bundle again; restore the storage from its backup."


class BundleRemoved(Problem):
    """Retention removed the bundle's bytes to save room; what is known of it stays, as models came from it."""

    code, status, title, reason = "bundle-removed", 409, "The bytes of the bundle were removed", "BundleRemoved"
    cure = "Send the same project again, which brings the bundle back, or use a newer one."


class BundleInUse(Problem):
    """Something works on the bundle, or would take it next; `uses` tell what."""

    code, status, title, reason = "bundle-in-use", 409, "The bundle is in use", "BundleInUse"
    cure = "Wait for the work that `uses` names, or cancel it."


class TrainingFailed(Problem):
    """Rasa could not train on this data; the detail is in its words."""

    code, status, title, reason = "training-failed", 422, "The training failed", "TrainingError"
    cure = "Correct the training data as the detail tells, upload the bundle and train again."


class TrainingUnavailable(Problem):
    """The training server was away or answered as none does, or a local Rasa could not be run to its end."""

    code, status, title, reason = "training-unavailable", 503, "Nothing could be trained now", "TrainingUnavailable"
    cure = "Start the Rasa server of the training environment, or give the local Rasa what it lacks, then submit again."


class WorkerLost(Problem):
    """The worker that ran the job was killed or cut off, several times: a job is run again, but not for ever."""

    code, status, title, reason = "worker-lost", 503, "The job lost its worker", "WorkerLost"
    cure = "Look at the log and the memory of the worker's machine, then submit the job again."


class RestoreUnfinished(Problem):
    """A restore into this database goes on, or it broke off: what is there is not whole, and nothing works on it."""

    code, status, title, reason = "restore-unfinished", 503, "A restore has not ended", "RestoreUnfinished"
    cure = "Wait for its end; if it broke off, run `manage.py restore FILE` again, which begins anew."


class RestoredFromBackup(Problem):
    """The installation was restored from a backup that was taken before this ended: what became of it is not known."""

    code, status, title, reason = "restored-from-backup", 503, "The installation was restored", "RestoredFromBackup"
    cure = "Look whether it was done before the loss; if not, start it again."


class JobTimedOut(Problem):
    """The job took longer than the installation allows one of its kind, and was stopped."""

    code, status, title, reason = "job-timed-out", 422, "The job took too long", "JobTimedOut"
    cure = "Give the job less to do (fewer epochs, less data), or have TRAINING_TIMEOUT raised."


class JobEnded(Problem):
    """The job has ended already; nothing of it can be stopped any more."""

    code, status, title, reason = "job-ended", 409, "The job has ended", "JobEnded"
    cure = "Read the job again to see how it ended."


class SubmitterGone(Problem):
    """Who submitted the job is no longer there: nobody's permission is left to finish it with."""

    code, status, title, reason = "submitter-gone", 409, "Who submitted the job is gone", "SubmitterGone"
    cure = "Submit the job again as somebody who may."


class RotationRuns(Problem):
    """The service token was rotated a moment ago, and servers may still send the one before."""

    code, status, title, reason = "rotation-runs", 409, "The token was rotated a moment ago", "Conflict"
    cure = "Give every server the new token and wait for the end of the grace period, or rotate with a grace of 0."


# Evaluations


class EvaluationFailed(Problem):
    """Rasa could not test the model on this data; the detail is in its words where it gave any."""

    code, status, title, reason = "evaluation-failed", 422, "The evaluation failed", "TestingError"
    cure = "Correct the test data as the detail tells, upload the bundle and evaluate again."


class EvaluationUnavailable(Problem):
    """The server that tests models was away, did not get the model, or answered as no Rasa server does; or a local Rasa
    could not be run to its end."""

    code, status, title, reason = "evaluation-unavailable", 503, "Nothing could be tested now", "EvaluationUnavailable"
    cure = "Look at the Rasa server of the training environment and its `models:` block, then evaluate again."


class NoTestData(Problem):
    """The bundle holds no examples that a model could be tested on in this way."""

    code, status, title, reason = "no-test-data", 422, "There is nothing to test on", "NoTestData"
    cure = "Add `nlu` examples of at least two intents in a YAML file under `tests/`, or choose another method."


class StoriesUntested(Problem):
    """The stories of the bundle could not be tested in the way that Rasa is run here; the rest of the report holds."""

    code, status, title, reason = "stories-untested", 409, "The stories were not tested", "StoriesUntested"
    cure = "Let the server load the model first, or run Rasa by its command."


class NotComparable(Problem):
    """The two evaluations are not of the same examples, or one has no result: their figures say nothing together."""

    code, status, title, reason = "not-comparable", 409, "These evaluations cannot be compared", "NotComparable"
    cure = "Evaluate both models on the same bundle with the same method, then compare those."


# People and roles


class UserExists(Problem):
    """There is, or was, a user of this name, whatever the case: names are never given twice."""

    code, status, title, reason = "user-exists", 409, "This name is taken", "UserExistsError"
    cure = "Choose another name, or activate the account that has it."


class UserInactive(Problem):
    """The account is deactivated."""

    code, status, title, reason = "user-inactive", 409, "This account is deactivated", "UserInactive"
    cure = "Activate the account first."


class RoleExists(Problem):
    """The project has a role of this name, whatever the case."""

    code, status, title, reason = "role-exists", 409, "This role exists", "RoleExistsError"
    cure = "Change the role that has the name, or choose another one."


class RoleChanged(Problem):
    """The role has other grants than those that were seen when its change was written."""

    code, status, title, reason = "role-changed", 409, "Somebody else changed the role meanwhile", "Conflict"
    cure = "Look at the grants that it has now, then make the change again."


class RoleIsBuiltIn(Problem):
    """A built-in role can be neither renamed nor deleted, and `admin` always holds every grant."""

    code, status, title, reason = "role-built-in", 409, "This role is built in", "RoleIsBuiltIn"
    cure = "Make a role of your own, or change the grants of the built-in one."


class LastAdministrator(Problem):
    """Nobody would administer the project any more."""

    code, status, title, reason = "last-administrator", 409, "Somebody must administer", "LastAdministrator"
    cure = "Give the role `admin` to another person first."


class ServiceAccountElsewhere(Problem):
    """A service account belongs to one project and has roles only there."""

    code, status, title, reason = "service-account-elsewhere", 409, "It belongs to another project", "Conflict"
    cure = "Make a service account in this project."


class ServiceAccountHasNoPassword(Problem):
    """A service account has API tokens alone, so nobody is invited to it and there is no password to reset."""

    code, status, title, reason = "service-account-no-password", 409, "It has no password", "Conflict"
    cure = "Create an API token for the service account."


class PasswordExists(Problem):
    """Whoever was to be invited has set a password already."""

    code, status, title, reason = "password-exists", 409, "There is a password", "Conflict"
    cure = "Reset the password if it was lost."


class NotTheOwner(Problem):
    """A password is changed by its owner, who knows the present one."""

    code, status, title, reason = "not-the-owner", 403, "Only its owner changes a password", "NotAuthorized"
    cure = "Reset the account's password: its owner chooses another one by the link."


class TokensAreMadeByPeople(Problem):
    """A service account makes no API tokens: one that got out would make itself others that never end."""

    code, status, title, reason = "tokens-by-people", 403, "Tokens are made by people", "NotAuthorized"
    cure = "Let a person make the token who holds every grant of the service account."


class NarrowToken(Problem):
    """The token was made for less than its owner may, and changes nothing of the account."""

    code, status, title, reason = "narrow-token", 403, "This token may not do this", "NotAuthorized"
    cure = "Sign in with the password, or use a token without narrower grants."


class WebhookExists(Problem):
    """Another webhook of the project has the name."""

    code, status, title, reason = "webhook-exists", 409, "This name is taken", "Conflict"
    cure = "Choose another name, or change the webhook that has it."


class WebhookOff(Problem):
    """The webhook is switched off: nothing is sent there."""

    code, status, title, reason = "webhook-off", 409, "The webhook is switched off", "Conflict"
    cure = "Switch the webhook on, then repeat."


class DeliveryNotEnded(Problem):
    """The delivery still waits to be sent, so it is not sent again."""

    code, status, title, reason = "delivery-not-ended", 409, "It is still on its way", "Conflict"
    cure = "Wait until it arrived or failed; its next try is told with it."
