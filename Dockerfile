# syntax=docker/dockerfile:1

# The image of the service: the API, the worker and the migrations are commands of it.
# It expects a PostgreSQL server of its own (see compose.yaml).

FROM python:3.11.14-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1

WORKDIR /srv/huike
RUN python -m venv /opt/huike
ENV PATH=/opt/huike/bin:$PATH

# The packages change more rarely than the code, so they have a layer of their own.
COPY requirements.lock requirements-build.lock ./
# What only the build needs stays out of the environment that is shipped.
RUN pip install --require-hashes -r requirements.lock \
    && pip install --require-hashes --target /opt/build -r requirements-build.lock

COPY pyproject.toml LICENSE ./
COPY app ./app
COPY alembic ./alembic
# Editable: the code is read from /srv/huike, where the migrations stand beside it.
RUN PYTHONPATH=/opt/build pip install --no-deps --no-build-isolation --no-index --editable . \
    && python -m compileall -q app alembic


FROM python:3.11.14-slim-bookworm AS service

LABEL org.opencontainers.image.title="huike" \
      org.opencontainers.image.licenses="Apache-2.0"

RUN groupadd --system --gid 10001 huike \
    && useradd --system --uid 10001 --gid huike --no-create-home --shell /usr/sbin/nologin huike

COPY --from=build /opt/huike /opt/huike
COPY --from=build /srv/huike /srv/huike

ENV PATH=/opt/huike/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HUIKE_HOST=0.0.0.0 \
    HUIKE_PORT=8000

WORKDIR /srv/huike
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"HUIKE_PORT\"]}/health/ready', timeout=2)"]

ENTRYPOINT ["huike"]
CMD ["serve"]
