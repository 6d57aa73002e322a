# The server: `docker run -p 8000:8000 -v tabstop:/data --env-file .env IMAGE`. docs/configuration.md lists the settings.
FROM python:3.13-slim-trixie AS packages

WORKDIR /srv
RUN python -m venv /opt/venv
COPY requirements/server.txt requirements/server.txt
# Every file is checked against its locked hash, and only wheels are taken: nothing is built, so no compiler is needed.
RUN /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
      --no-deps --require-hashes --only-binary :all: --requirement requirements/server.txt

FROM python:3.13-slim-trixie

LABEL org.opencontainers.image.title="Tabstop" \
      org.opencontainers.image.description="What coding agents cost, per pull request, and the brakes that stop them in time." \
      org.opencontainers.image.licenses="Apache-2.0"

# A number, so that an orchestrator can see that it is not root; /data is where SQLite's file lives.
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin tabstop \
 && install --directory --owner=10001 --group=10001 --mode=0700 /data

COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv
COPY LICENSE ./
COPY tabstop ./tabstop
COPY app ./app

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PORT=8000 \
    TABSTOP_HOST=0.0.0.0 \
    TABSTOP_DATABASE_URL=sqlite:////data/tabstop.db \
    TABSTOP_LOG_FORMAT=json
USER 10001:10001
VOLUME /data
EXPOSE 8000

# Liveness only; readiness (`/readyz`) is for whoever routes traffic.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/healthz\", timeout=4)"]

CMD ["python", "-m", "app.cli", "serve"]
