# One image for the API, the workers and the Textract-compatible server: the command says which it is.
#   docker build -t quire .
#   docker run quire quire --help

FROM python:3.13-slim AS builder

# A compiler, for what has no wheel on arm64; this stage is no part of the image.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

COPY requirements.image.lock /build/
RUN python -m venv /venv \
    && /venv/bin/pip install --require-hashes --requirement /build/requirements.image.lock

# The two commands. Quire runs from its source in /app, where `quire migrate` finds the migrations beside it.
RUN for command in quire:app.cli.main quire-textract:app.textract_server.main; do \
        printf '#!/venv/bin/python\nfrom %s import main\n\nif __name__ == "__main__":\n    main()\n' "${command#*:}" \
            > "/venv/bin/${command%%:*}" \
        && chmod 0755 "/venv/bin/${command%%:*}" || exit 1; \
    done


FROM python:3.13-slim

RUN useradd --uid 10001 --user-group --create-home --home-dir /data --shell /usr/sbin/nologin quire

COPY --from=builder /venv /venv
COPY LICENSE alembic.ini /app/
COPY alembic /app/alembic
COPY app /app/app
COPY workers /app/workers
RUN python -m compileall -q /app/app /app/workers

ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    QUIRE_HOST=0.0.0.0 \
    QUIRE_DATA_DIR=/data \
    TEXTRACT_SERVER_DATA_DIR=/data/textract

USER 10001
WORKDIR /data
EXPOSE 8000

# For the API; what else runs from this image has a check of its own, or none (see compose.yaml).
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('QUIRE_PORT') or 8000}/health/live\", timeout=2)"]

CMD ["quire", "api"]
