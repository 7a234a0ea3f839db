# The front-end assets need Node, the service does not.
FROM node:24-slim AS assets
WORKDIR /build/frontend
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc ./
RUN npm ci --ignore-scripts
COPY frontend/ ./
COPY examples/*.graphql ../examples/
RUN npm run build

FROM python:3.13-slim
RUN useradd --system --create-home --uid 1000 spackmon && install --directory --owner spackmon /data
WORKDIR /opt/spackmon
COPY pyproject.toml README.md LICENSE-APACHE LICENSE-MIT ./
COPY alembic/ alembic/
COPY docs/ docs/
COPY spackmon/ spackmon/
COPY --from=assets /build/spackmon/web/static/built/ spackmon/web/static/built/
RUN pip install --no-cache-dir '.[server]'
USER spackmon
ENV SPACKMON_DATA_DIR=/data SPACKMON_HOST=0.0.0.0 SPACKMON_ENVIRONMENT=production PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
# exec: the service itself gets the signal that asks it to stop.
CMD ["sh", "-c", "spackmon db upgrade && exec spackmon serve"]
