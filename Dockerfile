# Whoever needs the same image again names both by their digests: --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:…
ARG NODE_IMAGE=node:24-slim
ARG PYTHON_IMAGE=python:3.13-slim

# The front-end assets need Node, the service does not.
FROM ${NODE_IMAGE} AS assets
WORKDIR /build/frontend
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc ./
RUN npm ci --ignore-scripts
COPY frontend/ ./
COPY examples/*.graphql ../examples/
RUN npm run build

# What packs and installs stays behind, too.
FROM ${PYTHON_IMAGE} AS installed
WORKDIR /build
# constraints.txt, where there is one, has the versions of what it needs, as `name==version` lines.
COPY pyproject.toml README.md LICENSE-APACHE LICENSE-MIT constraints.tx[t] ./
COPY alembic/ alembic/
COPY deploy/ deploy/
COPY docs/ docs/
COPY spackmon/ spackmon/
COPY --from=assets /build/spackmon/web/static/built/ spackmon/web/static/built/
# Bytecode by content: by time it would be another in each image, and nothing can be written later.
RUN touch constraints.txt && python -m venv --without-pip /opt/spackmon \
  && pip --python /opt/spackmon install --no-cache-dir --no-compile --constraint constraints.txt '.[server]' \
  && python -m compileall -q --invalidation-mode unchecked-hash /opt/spackmon/lib

FROM ${PYTHON_IMAGE}
RUN useradd --system --no-create-home --uid 1000 spackmon && install --directory --owner spackmon /data
COPY --from=installed /opt/spackmon /opt/spackmon
USER spackmon
ENV PATH=/opt/spackmon/bin:$PATH PYTHONDONTWRITEBYTECODE=1
ENV SPACKMON_DATA_DIR=/data SPACKMON_HOST=0.0.0.0 SPACKMON_ENVIRONMENT=production PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
# exec: the service itself gets the signal that asks it to stop.
CMD ["sh", "-c", "spackmon db upgrade && exec spackmon serve"]
