# One image for gateway, dispatch and worker; docker-compose.yml says which of them a container is.

FROM python:3.12-slim-bookworm AS build
WORKDIR /build
COPY requirements-runtime.lock .
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements-runtime.lock

FROM python:3.12-slim-bookworm
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --create-home dialplane
COPY --from=build /venv /venv
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY telephony telephony
COPY dispatch dispatch
COPY gateway gateway
COPY worker worker
COPY migrations migrations
# The packages are imported from here: Alembic reads pyproject.toml and migrations/ beside them.
USER dialplane
EXPOSE 8000
CMD ["python", "-m", "gateway"]
