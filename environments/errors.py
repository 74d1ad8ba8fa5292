"""Every refusal of the domain: a stable code, a status, and where it is raised a sentence that names the cure."""

from accounts.problems import Problem

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
    """Only http and https addresses of servers are taken: no user, no query, no link-local address."""

    code, status, title, reason = "invalid-url", 400, "This address cannot be used", "InvalidUrl"
    cure = "Write `http://host:port`, and give the token apart."

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


class EnvironmentUnavailable(Problem):
    """Unreachable, or without a loaded model."""

    code, status, title, reason = (
        "environment-unavailable",
        503,
        "The environment cannot answer now",
        "EnvironmentUnavailable",
    )
    cure = "Start its Rasa server, or promote a model to it; the environment's page says what is wrong."


class DatabaseAway(Problem):
    """The database did not answer."""

    code, status, title, reason = "database-away", 503, "The database cannot be reached", "ServiceUnavailable"
    cure = "Repeat the request after `Retry-After`; Rasa servers keep the model they have meanwhile."


class WrongServiceToken(Problem):
    """The token's environment does not pull this tag."""

    code, status, title, reason = "wrong-service-token", 403, "This token opens another tag", "NotAuthorized"
    cure = "Copy endpoints.yml from the Connect tab of the environment that the server belongs to."


# Bundles and jobs


class BundleInvalid(Problem):
    """A bundle holds a domain, a config and training data of one Rasa project."""

    code, status, title, reason = "bundle-invalid", 422, "This is not a Rasa project to train from", "BundleInvalid"
    cure = "Pack the folder in which `rasa train` works, as zip or tar.gz."


class NoBundle(Problem):
    """Nothing was uploaded yet that could be trained from."""

    code, status, title, reason = "no-bundle", 409, "There is no bundle to train from", "NoBundle"
    cure = "Upload a bundle: `POST /api/v1/bundles/`, or the training page."


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


class TrainingFailed(Problem):
    """Rasa could not train on this data; the detail is in its words."""

    code, status, title, reason = "training-failed", 422, "The training failed", "TrainingError"
    cure = "Correct the training data as the detail tells, upload the bundle and train again."


class TrainingUnavailable(Problem):
    """The training server was away, or answered as no training server does."""

    code, status, title, reason = "training-unavailable", 503, "Nothing could be trained now", "TrainingUnavailable"
    cure = "Start the Rasa server of the training environment, then submit the job again."


class WorkerLost(Problem):
    """The worker that ran the job was killed or cut off, several times: a job is run again, but not for ever."""

    code, status, title, reason = "worker-lost", 503, "The job lost its worker", "WorkerLost"
    cure = "Look at the log and the memory of the worker's machine, then submit the job again."


class SubmitterGone(Problem):
    """Who submitted the job is no longer there: nobody's permission is left to finish it with."""

    code, status, title, reason = "submitter-gone", 409, "Who submitted the job is gone", "SubmitterGone"
    cure = "Submit the job again as somebody who may."
