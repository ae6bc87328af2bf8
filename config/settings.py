"""All settings, from the environment. `docs/operations.md` lists the variables.

Secure by default: without `LAUREL_ENV=local`, Laurel refuses to start on a default secret.
"""

import os
from datetime import timedelta
from pathlib import Path

import environ
import structlog
from django.core.exceptions import ImproperlyConfigured

from loyalty.logs import mask_aliases

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()

LOCAL = env("LAUREL_ENV", default="production") == "local"
DEBUG = False

SECRET_KEY = env("DJANGO_SECRET_KEY", default="")
if len(SECRET_KEY) < 50:  # noqa: PLR2004 what Django's own deploy check asks for
    raise ImproperlyConfigured(
        "DJANGO_SECRET_KEY must be set to a random text of at least 50 characters."
    )
# The last one finds voucher codes by their hash and stays; one put before it seals what is new.
SEALING_KEYS = env.list("SEALING_KEYS", default=[SECRET_KEY])
# Receivers on private addresses and without TLS: for trying out, never for the open network.
WEBHOOKS_TO_PRIVATE_ADDRESSES = env.bool("WEBHOOKS_TO_PRIVATE_ADDRESSES", default=False)
LAUREL_MEMBER_NUMBER = "members.queries.references.number_of"
# What an event tells of, as the API answers it; made by the apps that know it.
WEBHOOK_OBJECTS = {
    "points.": "promotions.services.webhook_objects.transaction",
    "member.": "promotions.services.webhook_objects.member",
    "voucher.": "vouchers.services.webhook_objects.voucher",
}
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"] if LOCAL else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "oauth2_provider",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "loyalty",
    "partners",
    "members",
    "ledger",
    "vouchers",
    "promotions",
    "config",
]

# The middleware of sessions and forms serves the back office only: it is cheap for API calls,
# which carry no cookie, because sessions and users are loaded lazily.
MIDDLEWARE = [
    "loyalty.api.middleware.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.programme_time.ProgrammeTimeMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": env.db("DATABASE_URL", default="postgresql:///laurel")}
DATABASES["default"] |= {
    # A connection per request costs seven times an earn; each thread keeps its own.
    "CONN_MAX_AGE": None,
    "CONN_HEALTH_CHECKS": True,
    "OPTIONS": DATABASES["default"].get("OPTIONS", {})
    | {
        # The ledger's statements are prepared on a server-side cursor (ledger/queries/books.py).
        "prepare_threshold": 2,
        "options": "-c statement_timeout=5s -c lock_timeout=4s "
        "-c idle_in_transaction_session_timeout=60s",
        "application_name": env("LAUREL_PROCESS", default="laurel"),
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env("REDIS_URL", default="redis://127.0.0.1:6379/0")
KEY_PREFIX = env("LAUREL_KEY_PREFIX", default="laurel")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": KEY_PREFIX,
    }
}

AUTH_USER_MODEL = "loyalty.User"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# Mixed into PINs before they are hashed, so that the database alone gives none away. It cannot
# change: every PIN would have to be set anew.
LAUREL_PIN_PEPPER = env("LAUREL_PIN_PEPPER", default="") or SECRET_KEY
# Mail and SMS to members are sent by the worker; by default into files, so that they can be seen.
if env("EMAIL_URL", default=""):
    globals().update(env.email_url("EMAIL_URL"))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = BASE_DIR / "var" / "mail"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("EMAIL_FROM", default="Laurel <laurel@localhost>")
LAUREL_SMS_SENDER = env("LAUREL_SMS_SENDER", default="members.services.sms.FileSender")
LAUREL_SMS_FOLDER = Path(env("LAUREL_SMS_FOLDER", default=str(BASE_DIR / "var" / "sms")))
# The page of the app where members set a new password; `{token}` stands where the token goes.
LAUREL_PASSWORD_RESET_URL = env("LAUREL_PASSWORD_RESET_URL", default="")
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

OAUTH2_PROVIDER_APPLICATION_MODEL = "oauth2_provider.Application"
OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL = "oauth2_provider.AccessToken"  # noqa: S105 a model's name
OAUTH2_PROVIDER_REFRESH_TOKEN_MODEL = "oauth2_provider.RefreshToken"  # noqa: S105
OAUTH2_PROVIDER_ID_TOKEN_MODEL = "oauth2_provider.IDToken"  # noqa: S105
OAUTH2_PROVIDER_GRANT_MODEL = "oauth2_provider.Grant"
OAUTH2_PROVIDER_DEVICE_GRANT_MODEL = "oauth2_provider.DeviceGrant"
OAUTH2_PROVIDER = {
    "OAUTH2_VALIDATOR_CLASS": "partners.oauth.ClientValidator",
    "SCOPES_BACKEND_CLASS": "partners.oauth.ClientScopes",
    "ACCESS_TOKEN_EXPIRE_SECONDS": 1800,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
}
# Who is behind a token, by how it begins: a member's session, or else a client.
LAUREL_CALLER_RESOLVERS = {
    "mst_": "members.queries.sessions.caller_of_session",
    "": "partners.queries.caller_of_token",
}
LAUREL_PUBLIC_CALLER = "partners.queries.public_caller"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["loyalty.api.authentication.CallerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["loyalty.api.permissions.HasActionScope"],
    "DEFAULT_THROTTLE_CLASSES": ["loyalty.api.throttling.ClientThrottle"],
    "EXCEPTION_HANDLER": "loyalty.api.exceptions.problem_response",
    "DEFAULT_SCHEMA_CLASS": "loyalty.api.openapi.OperationSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Laurel",
    "DESCRIPTION": "A self-hosted loyalty platform. Errors are RFC 9457 problem documents.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_PUBLIC": True,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "POSTPROCESSING_HOOKS": ["loyalty.api.openapi.add_components"],
}

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = f"{KEY_PREFIX}-jobs"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": int(timedelta(hours=6).total_seconds())}

USE_TZ = True
USE_THOUSAND_SEPARATOR = True
TIME_ZONE = "UTC"
LAUREL_TIME_ZONE = env("LAUREL_TIME_ZONE", default="UTC")
LAUREL_CURRENCY = env("LAUREL_CURRENCY", default="EUR")
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = "config.formats"

STATIC_URL = "/static/"
STATIC_ROOT = Path(env("STATIC_ROOT", default=str(BASE_DIR / "var" / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        # Locally files are found where the packages have them; nothing is collected first.
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if LOCAL
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = LOCAL
if LOCAL:
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)

# Files that jobs work through. What is uploaded is kept in one folder, which web server and worker
# share; what is put under the other one by hand may be named in its place.
LAUREL_UPLOAD_FOLDER = Path(env("LAUREL_UPLOAD_FOLDER", default=str(BASE_DIR / "var" / "uploads")))
LAUREL_IMPORT_FOLDER = Path(env("LAUREL_IMPORT_FOLDER", default=str(BASE_DIR / "var" / "import")))
if LOCAL:
    LAUREL_UPLOAD_FOLDER.mkdir(parents=True, exist_ok=True)
# On its way in, a file lies where it is going to stay: moving it there costs nothing.
FILE_UPLOAD_TEMP_DIR = str(LAUREL_UPLOAD_FOLDER) if LAUREL_UPLOAD_FOLDER.is_dir() else None

DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not LOCAL
SECURE_SSL_REDIRECT = not LOCAL and env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_HSTS_SECONDS = 0 if LOCAL else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not LOCAL
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# The leaf's green, from light to dark.
GREEN = {
    "50": "oklch(98% .02 128)",
    "100": "oklch(95.5% .045 128)",
    "200": "oklch(91% .08 128)",
    "300": "oklch(84% .11 128)",
    "400": "oklch(74% .125 128)",
    "500": "oklch(63% .125 128)",
    "600": "oklch(52% .11 128)",
    "700": "oklch(45% .095 128)",
    "800": "oklch(39% .08 128)",
    "900": "oklch(34% .065 128)",
    "950": "oklch(24% .05 128)",
}
LEAF = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath d='M2 14C2 6 6 2 14 2c0 8-4 12-12 12z' fill='%236d8f3c'/%3E%3C/svg%3E"
)
UNFOLD = {
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": LEAF}],
    "COLORS": {"primary": GREEN},
    "SITE_URL": None,
    "SITE_TITLE": "Laurel",
    "SITE_HEADER": "Laurel",
    "SITE_SUBHEADER": "Loyalty back office",
    "SITE_SYMBOL": "loyalty",
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {"show_search": True, "navigation": "config.navigation.sections"},
    "DASHBOARD_CALLBACK": "config.dashboard.fill",
}

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "lines": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": [
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso"),
            ],
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # Tracebacks as text, without the values of locals: these may hold tokens.
                structlog.processors.format_exc_info,
                mask_aliases,
                structlog.dev.ConsoleRenderer(colors=False)
                if LOCAL
                else structlog.processors.JSONRenderer(),
            ],
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "lines"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
}

os.environ.setdefault("PGCLIENTENCODING", "UTF8")
