# The control plane: one image for web, workers and beat. docs/deploying.md tells how it is run.
#
# The base needs Python 3.11 or newer with venv; where it has no git and ssh, it needs apt too.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
# Without a package index: put the wheels of requirements.lock into the folder `wheels` (docs/deploying.md).
COPY requirements.lock wheel[s] /build/
RUN python3 -m venv /opt/venv \
 && if ls /build/*.whl >/dev/null 2>&1; then offline="--no-index --find-links /build"; fi \
 && /opt/venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir --no-compile --only-binary :all: \
        --require-hashes ${offline:-} -r /build/requirements.lock \
 && /opt/venv/bin/pip uninstall --quiet --yes uv setuptools pip \
 && find /opt/venv \( -name '*.po' -o -name '*.mo' \) -delete \
 && /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
COPY . /app
WORKDIR /app
RUN rm -rf wheels requirements.lock && mkdir staticfiles \
 && CONTROLPLANE_HOME=/tmp/home python manage.py collectstatic --no-input --verbosity 0 \
 && rm -rf /opt/venv/lib/python3*/site-packages/*/static \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /app \
 && chmod -R a+rX,go-w /app /opt/venv

FROM ${BASE}
# git and ssh fetch bundles from repositories.
RUN if ! command -v git >/dev/null || ! command -v ssh >/dev/null; then \
        printf 'path-exclude=/usr/share/%s/*\n' doc man locale > /etc/dpkg/dpkg.cfg.d/without-docs \
        && echo 'path-include=/usr/share/doc/*/copyright' >> /etc/dpkg/dpkg.cfg.d/without-docs \
        && apt-get update -q && apt-get install -q -y --no-install-recommends git openssh-client ca-certificates \
        && apt-get clean && rm -rf /var/lib/apt/lists/* /var/log/*; \
    fi \
 && echo "controlplane:x:10001:0:Control Plane:/var/lib/controlplane:/usr/sbin/nologin" >> /etc/passwd \
 && mkdir -p /var/lib/controlplane && chown 10001:0 /var/lib/controlplane && chmod 2770 /var/lib/controlplane
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=controlplane.settings CONTROLPLANE_HOME=/var/lib/controlplane \
    BEAT_TICKS_FILE=/tmp/controlplane-beat
WORKDIR /app
# Any other user will do whose group is 0.
USER 10001:0
VOLUME /var/lib/controlplane
EXPOSE 5002
# Of web: it answers. Not: the database is there, which no restart of it would mend.
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s \
    CMD ["python", "-I", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:5002/healthz', timeout=8)"]
ENTRYPOINT ["python", "-m", "controlplane.run"]
CMD ["web"]
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Rasa Control Plane" \
      org.opencontainers.image.description="Deployment environments for Rasa assistants" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
