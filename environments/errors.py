"""Every refusal of the domain: a stable code, a status, and where it is raised a sentence that names the cure."""

from accounts.problems import Problem

# Archives and uploads


class ArchiveRefused(Problem):
    """The upload is not a Rasa 3.x archive that can be served. Subclasses say why."""

    code, status, title, reason = "archive-refused", 422, "This is not a model that can be served", "ModelInvalid"


class NotGzipTar(ArchiveRefused):
    code = "archive-not-gzip-tar"


class ArchiveTruncated(ArchiveRefused):
    code = "archive-truncated"


class ArchiveTrailingData(ArchiveRefused):
    """More than one gzip member, or bytes after the archive."""

    code = "archive-trailing-data"


class MetadataMissing(ArchiveRefused):
    code = "archive-metadata-missing"


class MetadataUnreadable(ArchiveRefused):
    code = "archive-metadata-unreadable"


class MetadataTooLarge(ArchiveRefused):
    code = "archive-metadata-too-large"


class ModelTooOld(ArchiveRefused):
    """A 1.x or 2.x model. Rasa X answers 400 to it."""

    code, status, reason = "archive-too-old", 400, "ModelVersionTooOld"


class DuplicateMember(ArchiveRefused):
    code = "archive-duplicate-member"


class UnsafePath(ArchiveRefused):
    """An absolute path or `..` in a member's name."""

    code = "archive-unsafe-path"


class UnsafeMember(ArchiveRefused):
    """A link, a device or a sparse member."""

    code = "archive-unsafe-member"


class TooManyMembers(ArchiveRefused):
    code = "archive-too-many-members"


class UnpacksTooLarge(ArchiveRefused):
    code = "archive-unpacks-too-large"


class UploadTooLarge(Problem):
    code, status, title, reason = "upload-too-large", 413, "The upload is too large", "UploadTooLarge"


class LengthRequired(Problem):
    code, status, title, reason = "length-required", 411, "The upload needs a Content-Length", "LengthRequired"


class UploadIncomplete(Problem):
    code, status, title, reason = "upload-incomplete", 400, "The upload broke off", "BadRequest"


class UploadMalformed(Problem):
    """No `model` part, several of them, or a body that is not multipart."""

    code, status, title, reason = "upload-malformed", 400, "The upload could not be understood", "BadRequest"


class InvalidName(Problem):
    code, status, title, reason = "invalid-name", 400, "This name cannot be used", "InvalidName"


class NameTaken(Problem):
    code, status, title, reason = "name-taken", 409, "A model of this name exists", "ModelExistsError"


class BytesTaken(Problem):
    """The same bytes are stored under another name; `existing` is that name."""

    code, status, title, reason = "bytes-taken", 409, "This model is stored under another name", "ModelExistsError"


class NameReserved(Problem):
    """The name was promoted once (or a job reserved it): it is never given to other bytes."""

    code, status, title, reason = "name-reserved", 409, "This name is reserved", "ModelExistsError"


class StorageFull(Problem):
    code, status, title, reason = "storage-full", 507, "The storage is full", "InsufficientStorage"


class ArchiveDamaged(Problem):
    """The stored bytes no longer hash to the model's SHA-256: never served again."""

    code, status, title, reason = "archive-damaged", 503, "The stored archive is damaged", "ModelDamaged"


class ModelInUse(Problem):
    """`uses` lists what holds it."""

    code, status, title, reason = "model-in-use", 409, "The model is in use", "ModelInUse"


class RangeNotSatisfiable(Problem):
    code, status, title, reason = "range-not-satisfiable", 416, "The range is outside the archive", "BadRequest"


# Tags and promotions


class EnvironmentTag(Problem):
    """A name of an environment is never a free tag."""

    code, status, title, reason = "environment-tag", 409, "This tag belongs to an environment", "TagConflict"


class TagConflict(Problem):
    """An environment cannot be defined while a free tag has its name."""

    code, status, title, reason = "tag-conflict", 409, "A free tag has this name", "TagConflict"


class StalePromotion(Problem):
    """`current`, `by` and `at` tell what is there now."""

    code, status, title, reason = "stale-promotion", 409, "Somebody else promoted meanwhile", "StalePromotion"


class FollowsAnother(Problem):
    code, status, title, reason = "environment-follows", 409, "This environment follows another", "FollowsAnother"


class Incompatible(Problem):
    """The model is older than what the environment's server takes."""

    code, status, title, reason = "model-incompatible", 409, "The server would refuse this model", "ModelIncompatible"


class EnvironmentRetired(Problem):
    code, status, title, reason = "environment-retired", 409, "This environment is retired", "EnvironmentRetired"


class NothingToGoBackTo(Problem):
    code, status, title, reason = "nothing-to-go-back-to", 409, "There is nothing to go back to", "NothingToGoBackTo"


class ModelGone(Problem):
    code, status, title, reason = "model-gone", 409, "That model was deleted", "ModelGone"


class RasaXWritesRefused(Problem):
    """The environment takes no promotions through the old routes."""

    code, status, title, reason = (
        "rasa-x-writes-refused",
        403,
        "The old tag routes may not promote here",
        "RasaXWritesRefused",
    )


class NotTheAuthor(Problem):
    code, status, title, reason = "not-the-author", 403, "Only who promoted may add a reason", "NotAuthorized"


# Environments


class DeclaredInFile(Problem):
    code, status, title, reason = (
        "declared-in-file",
        409,
        "This environment is declared in environments.yml",
        "DeclaredInFile",
    )


class EnvironmentExists(Problem):
    code, status, title, reason = "environment-exists", 409, "An environment of this name exists", "EnvironmentExists"


class InvalidUrl(Problem):
    code, status, title, reason = "invalid-url", 400, "This address cannot be used", "InvalidUrl"


class UrlTaken(Problem):
    """A Rasa server holds one model, so it is one environment's."""

    code, status, title, reason = "url-taken", 409, "Another environment has this address", "UrlTaken"


class CannotFollow(Problem):
    """An environment follows another active one of its project that follows none itself."""

    code, status, title, reason = "cannot-follow", 409, "It cannot follow that", "CannotFollow"


class HasFollowers(Problem):
    """`followers` lists the environments that serve what this one serves."""

    code, status, title, reason = "has-followers", 409, "Other environments follow this one", "HasFollowers"


class EnvironmentsFileInvalid(Problem):
    """`errors` of the file, each with line, key and cure."""

    code, status, title, reason = (
        "environments-file-invalid",
        422,
        "environments.yml could not be applied",
        "EnvironmentsFileInvalid",
    )


class EnvironmentUnavailable(Problem):
    """Unreachable, or without a loaded model."""

    code, status, title, reason = (
        "environment-unavailable",
        503,
        "The environment cannot answer now",
        "EnvironmentUnavailable",
    )


class DatabaseAway(Problem):
    code, status, title, reason = "database-away", 503, "The database cannot be reached", "ServiceUnavailable"


class WrongServiceToken(Problem):
    """The token's environment does not pull this tag."""

    code, status, title, reason = "wrong-service-token", 403, "This token opens another tag", "NotAuthorized"


# Bundles and jobs


class BundleInvalid(Problem):
    code, status, title, reason = "bundle-invalid", 422, "This is not a Rasa project to train from", "BundleInvalid"


class NoBundle(Problem):
    code, status, title, reason = "no-bundle", 409, "There is no bundle to train from", "NoBundle"


class NoTrainingEnvironment(Problem):
    code, status, title, reason = (
        "no-training-environment",
        409,
        "No environment of kind training is declared",
        "NoTrainingEnvironment",
    )


class BundleDamaged(Problem):
    """The stored bytes of the bundle are gone or no longer hash to its SHA-256."""

    code, status, title, reason = "bundle-damaged", 503, "The stored bundle is damaged", "BundleDamaged"


class TrainingFailed(Problem):
    """Rasa could not train on this data; the detail is in its words."""

    code, status, title, reason = "training-failed", 422, "The training failed", "TrainingError"


class TrainingUnavailable(Problem):
    """The training server was away, or answered as no training server does."""

    code, status, title, reason = "training-unavailable", 503, "Nothing could be trained now", "TrainingUnavailable"


class SubmitterGone(Problem):
    """Who submitted the job is no longer there: nobody's permission is left to finish it with."""

    code, status, title, reason = "submitter-gone", 409, "Who submitted the job is gone", "SubmitterGone"
