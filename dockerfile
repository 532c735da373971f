# The image of the pipeline, whose commands it takes as arguments, and of the login generator (`python -m
# tools.generator` as entrypoint). It takes no build argument.
FROM python:3.13-slim AS packages
RUN python -m venv --without-pip /opt/packages
COPY requirements/pipeline.lock /tmp/
RUN python -m pip --python /opt/packages/bin/python install --quiet --no-cache-dir --no-deps --require-hashes \
    --only-binary :all: -r /tmp/pipeline.lock

FROM python:3.13-slim
LABEL org.opencontainers.image.title="user-login-pipeline" \
      org.opencontainers.image.description="Reads user logins from Kafka, upper-cases device_type, tags what is malformed, and loses nothing." \
      org.opencontainers.image.version="0.2.0" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim"
ENV PATH=/opt/packages/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HTTP_PORT=8080 HTTP_HOST=
COPY --from=packages /opt/packages /opt/packages
COPY pipeline.py /app/
COPY transforms /app/transforms
COPY runtime /app/runtime
COPY tools/__init__.py tools/printable.py tools/try_transforms.py /app/tools/
COPY tools/check /app/tools/check
COPY tools/generator /app/tools/generator
COPY tools/replay /app/tools/replay
COPY tools/tail /app/tools/tail
COPY tools/verify /app/tools/verify
RUN python -m compileall -q /app
WORKDIR /app
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=90s --retries=3 CMD ["python", "-m", "runtime.observe.probe"]
ENTRYPOINT ["python", "/app/pipeline.py"]
