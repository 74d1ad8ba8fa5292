"""The domain: environments, models, tags, promotion, serving, jobs as rows, clients, API, pages."""

# What Rasa X bodies and `/api/version` name as the version of the server.
RASA_X_VERSION = "1.4.6"
