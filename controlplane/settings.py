"""All configuration, read from environment variables. `docs/configuration.md` lists every variable."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from accounts import scrubbing
from controlplane import home, rasa_install
from environments import states


class Variables(environ.Env):  # type: ignore[misc]  # it has no types
    """Typed readers whose errors name the variable, and not its value."""

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        with _told_without_value(var):
            return super().get_value(var, *args, **kwargs)

    def db_url(self, var: str, *args: Any, **kwargs: Any) -> Any:
        with _told_without_value(var):
            return super().db_url(var, *args, **kwargs)

    def email_url(self, var: str, *args: Any, **kwargs: Any) -> Any:
        with _told_without_value(var):
            return super().email_url(var, *args, **kwargs)

    def cache_url(self, var: str, *args: Any, **kwargs: Any) -> Any:
        with _told_without_value(var):
            return super().cache_url(var, *args, **kwargs)


@contextmanager
def _told_without_value(name: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            # Of a URL that it does not know, the reader's warning repeats the password.
            warnings.simplefilter("ignore")
            yield
    except (ValueError, TypeError):
        raise ImproperlyConfigured(
            f"The variable {name} is not of the right type. docs/configuration.md tells what it takes."
        ) from None


def origin_of(url: str) -> list[str]:
    """The origin as browsers send it, in a list that is empty where there is none (a check tells of such a URL)."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port not in (None, {"http": 80, "https": 443}.get(parts.scheme)) else ""
    except ValueError:
        return []
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return [f"{parts.scheme}://{host}{port}"] if parts.scheme in ("http", "https") and host else []


env = Variables()

BASE_DIR = Path(__file__).resolve().parent.parent
CONTROLPLANE_HOME = Path(env.str("CONTROLPLANE_HOME", default=str(BASE_DIR / "var"))).resolve()
CONTROLPLANE_HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
CONTROLPLANE_ENVIRONMENTS = Path(
    env.str("CONTROLPLANE_ENVIRONMENTS", default=str(BASE_DIR / "environments.yml"))
).resolve()

# Optional: where there is no such file it declares nothing.
CONTROLPLANE_PIPELINES = Path(env.str("CONTROLPLANE_PIPELINES", default=str(BASE_DIR / "pipelines.yml"))).resolve()

# Where `manage.py install_rasa` puts the Rasa server of local environments.
CONTROLPLANE_RASA_HOME = Path(
    env.str("CONTROLPLANE_RASA_HOME", default=str(CONTROLPLANE_HOME / f"rasa-{rasa_install.VERSION}"))
).resolve()

# What `${VAR}` in environments.yml may name: the process's own variables, then those the first start made.
VARIABLES = {**home.generated_variables(CONTROLPLANE_HOME), **os.environ}

# Secrets are taken as they stand: `env` would read one that begins with $ as the name of another variable.
SECRET_KEY = os.environ.get("CONTROLPLANE_SECRET_KEY") or home.installation_key(CONTROLPLANE_HOME)
# Earlier ones: they unwrap what they wrapped, and sessions of their time go on.
SECRET_KEY_FALLBACKS = [
    key.strip() for key in os.environ.get("CONTROLPLANE_SECRET_KEY_FALLBACKS", "").split(",") if key.strip()
]
CONTROLPLANE_ADMIN_PASSWORD = os.environ.get("CONTROLPLANE_ADMIN_PASSWORD", "")
# Before anything reads a variable that is wrong, and tells of it.
scrubbing.know({SECRET_KEY, *scrubbing.secrets_of(VARIABLES)})
DEBUG = False
# Every component of the pages at /styleguide/, for who builds pages.
STYLEGUIDE = env.bool("STYLEGUIDE", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"])
PUBLIC_URL = env.str("PUBLIC_URL", default="http://localhost:5002").rstrip("/")
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
CSRF_TRUSTED_ORIGINS = [*origin_of(PUBLIC_URL), *env.list("CSRF_TRUSTED_ORIGINS", default=[])]
RASA_X_TOKEN = VARIABLES.get("RASA_X_TOKEN", "")
JWT_SECRET = VARIABLES.get("JWT_SECRET", "")

# Limits of what may be uploaded, in bytes (entries: a count).
MAX_MODEL_BYTES = env.int("MAX_MODEL_BYTES", default=2 * 1024**3)
MAX_MODEL_UNPACKED_BYTES = env.int("MAX_MODEL_UNPACKED_BYTES", default=16 * 1024**3)
MAX_MODEL_ENTRIES = env.int("MAX_MODEL_ENTRIES", default=100_000)
MAX_METADATA_BYTES = env.int("MAX_METADATA_BYTES", default=32 * 1024**2)
MAX_BUNDLE_BYTES = env.int("MAX_BUNDLE_BYTES", default=256 * 1024**2)

# Notifications. Networks that webhooks may reach though they are internal ones, as 10.1.0.0/16.
WEBHOOK_ALLOWED_NETWORKS = env.list("WEBHOOK_ALLOWED_NETWORKS", default=[])
# The mail server. Without one there are no webhooks of the kind email.
EMAIL_IS_SET_UP = "EMAIL_URL" in os.environ
MAIL = env.email_url("EMAIL_URL", default="dummymail://")
EMAIL_BACKEND, EMAIL_FILE_PATH = MAIL["EMAIL_BACKEND"], MAIL["EMAIL_FILE_PATH"]
EMAIL_HOST, EMAIL_PORT = MAIL["EMAIL_HOST"] or "localhost", MAIL["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL["EMAIL_HOST_USER"] or "", MAIL["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS, EMAIL_USE_SSL = MAIL.get("EMAIL_USE_TLS", False), MAIL.get("EMAIL_USE_SSL", False)
# Seconds for each step of the conversation with it; all of them together are less than `deliveries.LEASE`.
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM", default="controlplane@localhost")
# How long an environment is unreachable or out of sync before that is told.
ALERT_AFTER_MINUTES = env.float("ALERT_AFTER_MINUTES", default=5.0)

# More than one needs a shared cache, where the ledger of replicas is.
WEB_PROCESSES = env.int("WEB_PROCESSES", default=1)

# The container engine of the Rasa servers (unix:///… or tcp://…), none unless it is said; and which of its containers
# are this installation's: those of that compose project, or of any.
CONTROLPLANE_DOCKER_URL = env.str("CONTROLPLANE_DOCKER_URL", default="")
COMPOSE_PROJECT_NAME = env.str("COMPOSE_PROJECT_NAME", default="")

# How many long requests one web process holds at a time.
MAX_DOWNLOADS = env.int("MAX_DOWNLOADS", default=32)
MAX_UPLOADS = env.int("MAX_UPLOADS", default=16)
MAX_WAITS = env.int("MAX_WAITS", default=16)
MAX_CHATS = env.int("MAX_CHATS", default=16)
MAX_BODIES = env.int("MAX_BODIES", default=16)
# No page takes files by Django's own reading: uploads read the body themselves (environments/pages/uploads.py).
FILE_UPLOAD_HANDLERS = [
    "controlplane.requests.SmallFormsAlone",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
]
# And how many passwords it hashes at a time.
MAX_SIGN_INS = env.int("MAX_SIGN_INS", default=4)
# A role's form has up to four fields for each environment; the size of a body is limited apart from this.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

# Whether what is said to bots through the control plane is kept, for the page Conversations.
RECORD_CONVERSATIONS = env.bool("RECORD_CONVERSATIONS", default=True)

# Seconds that one training may take (a Rasa server gives up after its --response-timeout, 3600), and that a training
# server may be silent before a training begins: it answers nothing while it loads a model.
TRAINING_TIMEOUT = env.float("TRAINING_TIMEOUT", default=3600.0)
TRAINING_PATIENCE = env.float("TRAINING_PATIENCE", default=120.0)
MAX_JOB_LOG_CHARACTERS = env.int("MAX_JOB_LOG_CHARACTERS", default=4 * 1024**2)

# A git repository that bundles come from: bytes it may take while it is fetched, seconds that git may take, and a file
# of certificate authorities to trust in place of the system's.
GIT_MAX_BYTES = env.int("GIT_MAX_BYTES", default=512 * 1024**2)
GIT_TIMEOUT = env.float("GIT_TIMEOUT", default=300.0)
GIT_CA_FILE = env.str("GIT_CA_FILE", default="")

# How trainings and tests run: by the Rasa server of a training environment, by a local rasa executable, and then as
# whom, or in containers, and then of which image, with which network; where, with how much memory (bytes), of how many
# processors and in how many processes (0: any), and with which variables of the worker.
TRAINING_RUNTIME = env.str("TRAINING_RUNTIME", default="server")
# At a time, in the whole installation: each has a thread of a worker, and with a local rasa its memory too.
MAX_TRAININGS = env.int("MAX_TRAININGS", default=4 if TRAINING_RUNTIME == "server" else 1)
MAX_EVALUATIONS = env.int("MAX_EVALUATIONS", default=2 if TRAINING_RUNTIME == "server" else 1)
MAX_FETCHES = env.int("MAX_FETCHES", default=2)
RASA_COMMAND = Path(env.str("RASA_COMMAND", default=str(CONTROLPLANE_RASA_HOME / "bin" / "rasa"))).absolute()
TRAINING_USER = env.str("TRAINING_USER", default="")
TRAINING_FOLDER = env.str("TRAINING_FOLDER", default="")
TRAINING_IMAGE = env.str("TRAINING_IMAGE", default=f"rasa/rasa:{rasa_install.VERSION}-full")
TRAINING_NETWORK = env.str("TRAINING_NETWORK", default="")
TRAINING_CPUS = env.float("TRAINING_CPUS", default=0.0)
TRAINING_PROCESSES = env.int("TRAINING_PROCESSES", default=1024)
TRAINING_MEMORY_BYTES = env.int("TRAINING_MEMORY_BYTES", default=0)
TRAINING_VARIABLES = env.list("TRAINING_VARIABLES", default=[])
TRAINING_VALIDATES = env.bool("TRAINING_VALIDATES", default=False)

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "guardian",
    "axes",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "lucide",
    "accounts",
    "environments",
    "workers",
    "controlplane",
    # After ours, so that its `changepassword` is not the one that is found.
    "django.contrib.auth",
]

MIDDLEWARE = [
    "controlplane.middleware.measured",
    "controlplane.middleware.headers",
    "controlplane.compression.Compression",
    "controlplane.middleware.forwarded",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "controlplane.middleware.fit",
    "controlplane.middleware.plain_text",
    "controlplane.middleware.final_slash",
    "django.middleware.common.CommonMiddleware",
    "controlplane.middleware.rasa_servers",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "controlplane.middleware.plain_forms",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "controlplane.errors.ProblemMiddleware",
]

ROOT_URLCONF = "controlplane.urls"
WSGI_APPLICATION = "controlplane.wsgi.application"
APPEND_SLASH = False
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True

# Browsers that came by TLS once come by nothing else, and send their cookies over nothing else.
BEHIND_TLS = PUBLIC_URL.lower().startswith("https:")
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if BEHIND_TLS else 0
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# Pages hand their script the CSRF token themselves.
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
# `middleware.forwarded` takes these headers off requests that do not come from TRUSTED_PROXIES.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
USE_X_FORWARDED_HOST = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{CONTROLPLANE_HOME / 'db.sqlite3'}")}
# Opening a connection costs more than a poll. A file does not go away, so its connection needs no check.
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
if DATABASES["default"]["ENGINE"].endswith("postgresql"):
    DATABASES["default"]["ENGINE"] = "controlplane.postgresql"
    # Seconds; DATABASE_URL may say otherwise. A peer that is gone without a word is noticed within a minute: by probes
    # while nothing is sent, and by what nobody acknowledged, which would be sent again for a quarter of an hour.
    PATIENCE = {"connect_timeout": 3, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    PATIENCE["tcp_user_timeout"] = 45_000  # milliseconds
    DATABASES["default"]["OPTIONS"] = PATIENCE | DATABASES["default"].get("OPTIONS", {})
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = False
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

PROCESS_MEMORY = "locmemcache://controlplane"
CACHES = {
    "default": {name.upper(): value for name, value in env.cache_url("CACHE_URL", default=PROCESS_MEMORY).items()}
}
if CACHES["default"]["BACKEND"].endswith("LocMemCache"):
    CACHES["default"]["BACKEND"] = "controlplane.memory_cache.PlainLocMemCache"
if CACHES["default"]["BACKEND"].endswith("RedisCache"):
    # Seconds; CACHE_URL may say otherwise. Polls do without a cache that takes longer.
    CACHES["default"]["OPTIONS"] = {"socket_timeout": 1, "socket_connect_timeout": 1} | CACHES["default"].get(
        "OPTIONS", {}
    )

AUTH_USER_MODEL = "accounts.User"
ANONYMOUS_USER_NAME = None
GUARDIAN_MONKEY_PATCH_USER = False
AUTHENTICATION_BACKENDS = ["accounts.sign_in.PasswordBackend"]
# The first one hashes; what the other hashed is hashed anew when its owner signs in.
PASSWORD_HASHERS = ["accounts.hashers.Argon2", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
# Wrong passwords lock an account for the address they came from (accounts.actions.lockouts).
AXES_HANDLER = "accounts.sign_in.LockoutHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_CLIENT_IP_CALLABLE = "accounts.authentication.peer_address"
AXES_VERBOSE = False
SILENCED_SYSTEM_CHECKS = [
    "axes.W002",  # its middleware: the backend itself refuses whom it has locked out
    "guardian.W001",  # grants are read by accounts.grants, not by a backend
    # These four hang on PUBLIC_URL, for an installation on one machine has no TLS; controlplane.W002 looks at it.
    "security.W004",  # HSTS
    "security.W011",  # the session's cookie by TLS only
    "security.W016",  # the CSRF cookie by TLS only
    "security.W008",  # no redirect to https: Rasa servers poll inside the network, and the proxy redirects people
    # What other sites of the same domain do is not for this one to say.
    "security.W005",  # HSTS for subdomains
    "security.W021",  # HSTS preload lists
]
CSRF_FAILURE_VIEW = "controlplane.errors.csrf_failed"
SESSION_ENGINE = "accounts.sessions"
SESSION_DAYS = env.int("SESSION_DAYS", default=7)
SESSION_COOKIE_AGE = SESSION_DAYS * 24 * 3600
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"()": "accounts.scrubbing.Formatter", "fmt": "%(levelname)s %(name)s: %(message)s"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # A poll of a server whose environment has no model yet is a 404, every few seconds.
        "django.request": {"level": "ERROR"},
        # A line for each task of each second says nothing.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "celery.worker.consumer.connection": {"level": "WARNING"},
        # These repeat whole URLs, and with them tokens.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        # The web server set these up before, with a format of its own.
        "_granian": {"handlers": ["console"], "propagate": False},
        "granian.access": {"handlers": ["console"], "propagate": False},
    },
}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# An image has them collected and compressed; elsewhere each is sent from where it lies.
COLLECTED = BASE_DIR / "staticfiles"
STATIC_ROOT = COLLECTED if COLLECTED.is_dir() else None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.BearerAuthentication",
        "accounts.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["environments.api.parsers.JsonParser"],
    "DEFAULT_SCHEMA_CLASS": "environments.api.schema.Operation",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "environments.api.negotiation.JsonForAll",
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "controlplane.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Control Plane",
    "DESCRIPTION": "Deployment environments for Rasa assistants.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        f"{enum.__name__}Enum": states.choices(enum)
        for enum in vars(states).values()
        if isinstance(enum, type) and issubclass(enum, StrEnum) and enum is not StrEnum
    },
}

BROKER_FOLDER = CONTROLPLANE_HOME / "broker"
CELERY_BROKER_URL = env.str("BROKER_URL", default="filesystem://localhost")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = True
# Fetching takes minutes at times, as testing does, and short tasks must not wait for it.
CELERY_TASK_ROUTES = {
    "workers.train": {"queue": "training"},
    "workers.evaluate": {"queue": "evaluation"},
    "workers.check": {"queue": "evaluation"},
    "workers.fetch": {"queue": "evaluation"},
}
# A message only says that there is work: rows and their leases bring back what a killed worker had begun. One kept to
# the end of a training would come twice (Redis, after an hour) or cost the connection (RabbitMQ, after half an hour).
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# They are acknowledged early: there is nothing to reduce once a broker is back. Celery would restore the count by the
# threads of tasks, which read the answer from the socket that the consumer reads, and break the connection anew.
CELERY_WORKER_ENABLE_PREFETCH_COUNT_REDUCTION = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A worker tries again for as long as it takes; whoever submits does not wait for a broker that is away, for the row is
# there and its message follows.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_TIMEOUT = 1
# Seconds. RabbitMQ: a connection that neither side hears of for twice as long is made anew.
CELERY_BROKER_HEARTBEAT = 10
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {"interval_start": 0.3, "interval_step": 0}
CELERY_TIMEZONE = "UTC"
if CELERY_BROKER_URL.startswith(("redis:", "rediss:")):
    # A Redis that takes connections and answers nothing would hold its callers for ever.
    CELERY_BROKER_TRANSPORT_OPTIONS |= {"socket_connect_timeout": 1, "socket_timeout": 3}
if CELERY_BROKER_URL.startswith("filesystem:"):
    CELERY_BROKER_TRANSPORT = "controlplane.broker:Transport"
    CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_FOLDER / "messages"),
        "data_folder_out": str(BROKER_FOLDER / "messages"),
        "processed_folder": str(BROKER_FOLDER / "processed"),
        "control_folder": str(BROKER_FOLDER / "control"),
        "store_processed": False,
        "polling_interval": 0.1,
    }
# Beat says only that it may be time: when a step is due is in its row (`environments.Slot`), so that a beat that was
# killed, or a second one, changes nothing.
CELERY_BEAT_SCHEDULER = "controlplane.beat:Scheduler"
# A file that beat touches at each step, for health checks.
BEAT_TICKS_FILE = env.str("BEAT_TICKS_FILE", default="")
CELERY_BEAT_SCHEDULE = {
    "cross-check": {"task": "workers.cross_check", "schedule": 1.0, "options": {"expires": 5}},
    "tend-pipelines": {"task": "workers.tend_pipelines", "schedule": 8.0, "options": {"expires": 8}},
    "tend-jobs": {"task": "workers.tend_jobs", "schedule": 5.0, "options": {"expires": 5}},
    "sweep": {"task": "workers.sweep", "schedule": 60.0, "options": {"expires": 60}},
    "apply-retention": {"task": "workers.apply_retention", "schedule": 60.0, "options": {"expires": 60}},
    "read-conversations": {"task": "workers.read_conversations", "schedule": 10.0, "options": {"expires": 10}},
    "scrub": {"task": "workers.scrub", "schedule": 60.0, "options": {"expires": 60}},
    "tidy-keys": {"task": "workers.tidy_keys", "schedule": 60.0, "options": {"expires": 60}},
    "deliver": {"task": "workers.deliver", "schedule": 2.0, "options": {"expires": 5}},
    "look-for-trouble": {"task": "workers.look_for_trouble", "schedule": 5.0, "options": {"expires": 5}},
    "tidy-deliveries": {"task": "workers.tidy_deliveries", "schedule": 60.0, "options": {"expires": 60}},
    "tidy-sessions": {"task": "workers.tidy_sessions", "schedule": 60.0, "options": {"expires": 60}},
    "seal": {"task": "workers.seal", "schedule": 10.0, "options": {"expires": 10}},
    "clear-broker": {"task": "controlplane.clear_broker", "schedule": 60.0, "options": {"expires": 60}},
}
