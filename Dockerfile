# The image of web, worker, beat and migrate alike. Nothing secret is in it, and nothing in it needs to be written.
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv/portal
COPY requirements.lock .
RUN python -m venv /srv/venv \
    && /srv/venv/bin/pip install --no-deps --require-hashes --only-binary :all: -r requirements.lock
COPY manage.py ./
COPY portal portal
COPY sls sls
COPY compliance compliance
COPY static static
COPY templates templates
COPY locale locale
# Demo mode, because collecting files asks for no real secret; what it invents stays in this stage.
RUN DEMO_MODE=1 VAR_DIR=/tmp/var /srv/venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
    && mkdir -p /srv/var && mv /tmp/var/static /srv/var/static && rm -r /tmp/var \
    && /srv/venv/bin/python -m compileall -q portal sls compliance

FROM python:3.11-slim
ENV PATH=/srv/venv/bin:$PATH VAR_DIR=/srv/var PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin portal
WORKDIR /srv/portal
COPY --from=build /srv /srv
USER 10001:10001
EXPOSE 8000
CMD ["uvicorn", "portal.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--lifespan", "off", "--timeout-graceful-shutdown", "3", "--no-server-header", "--no-proxy-headers", "--no-access-log", "--log-level", "warning"]
