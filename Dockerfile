# One image serves every node of every cluster and the comparison itself.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
WORKDIR /build
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml requirements.lock README.md LICENSE ./
# With a folder "wheels" next to this file, nothing is downloaded.  LICENSE is copied as well because
# COPY fails if no source exists.
COPY LICENSE wheel[s] /wheels/
RUN if ls /wheels/*.whl >/dev/null 2>&1; then \
      printf '[global]\nno-index = true\nfind-links = /wheels\n' >/etc/pip.conf; \
    fi
# The CPU build of torch has its own version; the plain version installs gigabytes of CUDA.
RUN --mount=type=cache,target=/root/.cache/pip \
    torch=$(grep '^torch==' requirements.lock) \
    && { pip install --quiet "$torch+cpu" \
         || pip install --quiet "$torch+cpu" --extra-index-url https://download.pytorch.org/whl/cpu; }
# Install only those locked packages that are needed at run time.
RUN --mount=type=cache,target=/root/.cache/pip \
    mkdir compare deploy engines workload \
    && pip install --quiet --constraint requirements.lock '.[ray,dask,spark]' \
    && pip uninstall --quiet --yes engine-compare
# Remove only what nothing here imports: tests, headers, build tools, Ray for Java and RLlib.
RUN cd /opt/venv/lib/python3*/site-packages \
    && rm -rf torch/test torch/include torch/share torch/lib/*.a ray/jars ray/rllib \
       pyspark/examples pyspark/data pip pip-* \
    && find torch/bin -type f ! -name torch_shm_manager -delete \
    && find transformers/models -mindepth 1 -maxdepth 1 -type d ! -name vit ! -name auto ! -name encoder_decoder \
       ! -name timm_wrapper -exec rm -rf {} + \
    && find . -depth -type d \( -name tests -o -name test \) -exec rm -rf {} +
COPY . .
# The root is read-only at run time, so bytecode is compiled now: all of the daemons' packages, and
# the imported modules of the other packages.
RUN python -m venv /opt/pip && /opt/pip/bin/pip --python /opt/venv/bin/python install --quiet --no-deps . \
    && cd /tmp && python -m deploy.warm_bytecode \
    && cd /opt/venv/lib/python3*/site-packages \
    && python -m compileall -q -j 0 ray/_private ray/dashboard ray/autoscaler ray/scripts ray/util \
       distributed pyspark/core pyspark/resource compare deploy engines workload

FROM ${BASE_IMAGE}
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    if ! command -v java || ! command -v tc; then \
      apt-get update -qq && apt-get install -y -qq --no-install-recommends \
        iproute2 openjdk-17-jre-headless >/dev/null; \
    fi
# Spark needs an entry in /etc/passwd.  Volumes get their owner from the folders created here.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin compare \
    && install -d -o compare -g compare -m 0700 /run/compare \
    && install -d -o compare -g compare /data /results /calls
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp \
    ENGINE_COMPARE_CACHE=/data
USER 10001:10001
WORKDIR /tmp
CMD ["python", "-m", "compare", "--help"]
