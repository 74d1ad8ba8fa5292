"""All configuration, read from environment variables. `docs/configuration.md` lists every variable."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from controlplane import home, rasa_install
from environments import states


class Variables(environ.Env):  # type: ignore[misc]  # it has no types
    """Typed readers whose errors name the variable, and not its value."""

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get_value(var, *args, **kwargs)
        except (ValueError, TypeError):
            raise ImproperlyConfigured(
                f"The variable {var} is not of the right type. docs/configuration.md tells what it takes."
            ) from None


env = Variables()

BASE_DIR = Path(__file__).resolve().parent.parent
CONTROLPLANE_HOME = Path(env.str("CONTROLPLANE_HOME", default=str(BASE_DIR / "var"))).resolve()
CONTROLPLANE_HOME.mkdir(parents=True, exist_ok=True)
CONTROLPLANE_ENVIRONMENTS = Path(
    env.str("CONTROLPLANE_ENVIRONMENTS", default=str(BASE_DIR / "environments.yml"))
).resolve()

# Where `manage.py install_rasa` puts the Rasa server of local environments.
CONTROLPLANE_RASA_HOME = Path(
    env.str("CONTROLPLANE_RASA_HOME", default=str(CONTROLPLANE_HOME / f"rasa-{rasa_install.VERSION}"))
).resolve()

# What `${VAR}` in environments.yml may name: the process's own variables, then those the first start made.
VARIABLES = {**home.generated_variables(CONTROLPLANE_HOME), **os.environ}

# Secrets are taken as they stand: `env` would read one that begins with $ as the name of another variable.
SECRET_KEY = os.environ.get("CONTROLPLANE_SECRET_KEY") or home.installation_key(CONTROLPLANE_HOME)
CONTROLPLANE_ADMIN_PASSWORD = os.environ.get("CONTROLPLANE_ADMIN_PASSWORD", "")
DEBUG = False
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"])
PUBLIC_URL = env.str("PUBLIC_URL", default="http://localhost:5002").rstrip("/")
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
RASA_X_TOKEN = VARIABLES.get("RASA_X_TOKEN", "")
JWT_SECRET = VARIABLES.get("JWT_SECRET", "")

# Limits of what may be uploaded, in bytes (entries: a count).
MAX_MODEL_BYTES = env.int("MAX_MODEL_BYTES", default=2 * 1024**3)
MAX_MODEL_UNPACKED_BYTES = env.int("MAX_MODEL_UNPACKED_BYTES", default=16 * 1024**3)
MAX_MODEL_ENTRIES = env.int("MAX_MODEL_ENTRIES", default=100_000)
MAX_METADATA_BYTES = env.int("MAX_METADATA_BYTES", default=32 * 1024**2)
MAX_BUNDLE_BYTES = env.int("MAX_BUNDLE_BYTES", default=256 * 1024**2)

# More than one needs a shared cache, where the ledger of replicas is.
WEB_PROCESSES = env.int("WEB_PROCESSES", default=1)

# How many long requests one web process holds at a time.
MAX_DOWNLOADS = env.int("MAX_DOWNLOADS", default=32)
MAX_UPLOADS = env.int("MAX_UPLOADS", default=16)
MAX_WAITS = env.int("MAX_WAITS", default=16)
MAX_CHATS = env.int("MAX_CHATS", default=16)
MAX_BODIES = env.int("MAX_BODIES", default=16)

# Seconds that one training may take (a Rasa server gives up after its --response-timeout, 3600), and that a training
# server may be silent before a training begins: it answers nothing while it loads a model.
TRAINING_TIMEOUT = env.float("TRAINING_TIMEOUT", default=3600.0)
TRAINING_PATIENCE = env.float("TRAINING_PATIENCE", default=120.0)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "guardian",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "lucide",
    "accounts",
    "environments",
    "workers",
    "controlplane",
]

MIDDLEWARE = [
    "controlplane.middleware.content_security_policy",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "controlplane.middleware.plain_text",
    "controlplane.middleware.final_slash",
    "django.middleware.common.CommonMiddleware",
    "controlplane.middleware.rasa_servers",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
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
    # Seconds; DATABASE_URL may say otherwise. A peer that is gone without a word is noticed within a minute.
    PATIENCE = {"connect_timeout": 3, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
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
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
SILENCED_SYSTEM_CHECKS = ["guardian.W001"]  # grants are read by accounts.grants, not by a backend
CSRF_FAILURE_VIEW = "controlplane.errors.csrf_failed"
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
    "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
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
    },
}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiTokenAuthentication",
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
CELERY_TASK_ROUTES = {"workers.train": {"queue": "training"}}
# A message only says that there is work: rows and their leases bring back what a killed worker had begun. One kept to
# the end of a training would come twice (Redis, after an hour) or cost the connection (RabbitMQ, after half an hour).
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
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
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "cross-check": {"task": "workers.cross_check", "schedule": 1.0, "options": {"expires": 5}},
    "tend-jobs": {"task": "workers.tend_jobs", "schedule": 5.0, "options": {"expires": 5}},
    "sweep": {"task": "workers.sweep", "schedule": 60.0, "options": {"expires": 60}},
    "scrub": {"task": "workers.scrub", "schedule": 60.0, "options": {"expires": 60}},
    "clear-broker": {"task": "controlplane.clear_broker", "schedule": 60.0, "options": {"expires": 60}},
}
