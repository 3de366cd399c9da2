# Not built or run so far: written from the documentation of Docker and TensorFlow alone.
#
#   docker build -t vgg_slim .
#   docker build -t vgg_slim:gpu --build-arg EXTRA=gpu .
#
#   docker run --rm -it -v "$PWD":/data vgg_slim vgg-slim-doctor
#   docker run --rm -it -v "$PWD":/data --gpus all vgg_slim:gpu vgg-slim-train --train_dir=runs/digits
#
# The gpu extra brings CUDA and cuDNN as Python packages; the host needs NVIDIA's driver and its
# container toolkit. What is written to /data belongs to user 1000; give --user for another one.
FROM python:3.12-slim

ARG EXTRA=

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    XDG_CACHE_HOME=/tmp/cache \
    MPLCONFIGDIR=/tmp/matplotlib

# The packages before the sources: a change of these does not install those again.
COPY requirements_lock.txt /src/
RUN pip install --require-hashes -r /src/requirements_lock.txt

COPY . /src
RUN pip install "/src${EXTRA:+[$EXTRA]}" && rm -rf /src

RUN useradd --uid 1000 --create-home vgg
USER vgg
WORKDIR /data
CMD ["python", "-m", "vgg_slim"]
