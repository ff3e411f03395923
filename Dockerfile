# Opal's two images:
#
#   docker build --platform linux/amd64 --target app .       web-api, billing-service, orchestrator, export-worker
#   docker build --platform linux/amd64 --target scoring .   the placement endpoint under Azure ML's server
#
# Neither needs a writable disk beyond a small /tmp (`docker run --read-only --tmpfs /tmp`), and neither runs as root.

# A tag, for builds at home; what is deployed is built with its digest: --build-arg PYTHON=python@sha256:…
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS base
# PYTHONPATH: Opal lies in a layer of its own, so that a change of it does not move the packages.
# NUMBA_CPU_*: machine code is made here, and must suit every processor of Azure's, not the builder's own.
# HOME: where the packages look for a place of theirs; there is nothing to keep.
ENV PATH=/opt/opal/python/bin:$PATH \
    PYTHONPATH=/opt/opal/app \
    PYTHONUNBUFFERED=1 \
    PYTHONSAFEPATH=1 \
    NUMBA_CPU_NAME=x86-64-v3 \
    NUMBA_CPU_FEATURES= \
    HOME=/tmp \
    OPAL_LOG_FORMAT=json
RUN useradd --no-log-init --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin opal

# --- packages: each file checked against its hash; pyvips alone is no wheel, and is built by the locked setuptools ---

FROM base AS tools
COPY requirements/build.txt /build/
RUN python -m venv --without-pip /opt/opal/python \
    && /usr/local/bin/python -m pip --python /opt/opal/python install \
        --no-cache-dir --disable-pip-version-check --quiet \
        --no-deps --only-binary=:all: --require-hashes --requirement /build/build.txt

FROM tools AS app-packages
COPY requirements/runtime.txt /build/
RUN /usr/local/bin/python -m pip --python /opt/opal/python install \
        --no-cache-dir --disable-pip-version-check --quiet --no-build-isolation \
        --no-deps --only-binary=:all: --no-binary=pyvips --require-hashes --requirement /build/runtime.txt

FROM tools AS scoring-packages
COPY requirements/azureml.txt /build/
RUN /usr/local/bin/python -m pip --python /opt/opal/python install \
        --no-cache-dir --disable-pip-version-check --quiet --no-build-isolation \
        --no-deps --only-binary=:all: --no-binary=pyvips --require-hashes --requirement /build/azureml.txt

# --- Opal with its byte code and the machine code of its loops; both images have this very layer ---

FROM app-packages AS code
COPY LICENSE NOTICE /opt/opal/app/
COPY src/opal /opt/opal/app/opal
RUN python -m compileall -q --invalidation-mode unchecked-hash /opt/opal/app \
    && python -m opal.export_worker.warm_up

# --- the network's weights: asked for by their hash, fetched anew only when the pin changes ---

FROM base AS weights
COPY requirements/node.txt /build/
RUN /usr/local/bin/python -m pip install \
        --no-cache-dir --disable-pip-version-check --quiet --target /build/node \
        --no-deps --only-binary=:all: --require-hashes --requirement /build/node.txt
COPY src/opal/__init__.py /build/opal/
COPY src/opal/errors /build/opal/errors
COPY src/opal/cutout/__init__.py src/opal/cutout/models.py src/opal/cutout/npm_package.py /build/opal/cutout/
COPY containers/pull_weights.py /build/
RUN PYTHONPATH=/build:/build/node python /build/pull_weights.py /opt/opal/models

# --- the images ---

FROM base AS app
COPY --from=app-packages /opt/opal/python /opt/opal/python
COPY --from=code /opt/opal/app /opt/opal/app
# Every command of this image answers at one port: the services their API, the workers their health page.
ENV OPAL_DATA_DIR=/tmp/opal-data \
    OPAL_WEB_HOST=0.0.0.0 \
    OPAL_WEB_PORT=8080 \
    OPAL_WEB_BILLING_PORT=8080 \
    OPAL_WEB_HEALTH_HOST=0.0.0.0 \
    OPAL_WORKER_HEALTH_PORT=8080
USER 10001
WORKDIR /tmp
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "opal"]
CMD ["web-api"]

FROM base AS scoring
COPY --from=weights /opt/opal/models /opt/opal/models
COPY --from=scoring-packages /opt/opal/python /opt/opal/python
COPY --from=code /opt/opal/app /opt/opal/app
COPY azureml/score.py /opt/opal/azureml/score.py
# Threads: a photo takes seconds, in which the probes must be answered too. What waits for its turn waits in one.
ENV OPAL_MODELS_DIR=/opt/opal/models \
    AML_APP_ROOT=/opt/opal/azureml \
    GUNICORN_CMD_ARGS="--threads 8 --worker-tmp-dir /dev/shm --no-control-socket"
USER 10001
WORKDIR /tmp
EXPOSE 5001
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:5001/', timeout=4)"]
CMD ["azmlinfsrv", "--entry_script", "/opt/opal/azureml/score.py", "--port", "5001"]
