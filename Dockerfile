# The torchscript flavour of the function, as a Lambda container image.
# BASE_IMAGE may be any image that holds Python, the Lambda runtime client and LAMBDA_TASK_ROOT.
ARG BASE_IMAGE=amazon/aws-lambda-python:3.13

FROM ${BASE_IMAGE} AS dependencies
# uv knows by itself where torch's CPU build is. Where pip's own configuration leads to one:
#   --build-arg INSTALL="python3 -m pip install"
ARG INSTALL="python3 -m uv pip install --system --torch-backend=cpu"
COPY constraints.txt requirements.txt requirements-torchscript.txt /build/
RUN case "$INSTALL" in *" uv "*) python3 -m pip install uv==0.13.8 ;; esac
RUN $INSTALL --target /dependencies -r /build/requirements-torchscript.txt
# Headers and tests are ballast. torch/bin stays: torch looks for torch_shm_manager at import.
RUN rm -rf /dependencies/torch/include /dependencies/torch/test

FROM ${BASE_IMAGE}
COPY --from=dependencies /dependencies ${LAMBDA_TASK_ROOT}
COPY handler.py ${LAMBDA_TASK_ROOT}/
COPY service ${LAMBDA_TASK_ROOT}/service
COPY model_loader ${LAMBDA_TASK_ROOT}/model_loader
CMD ["handler.lambda_handler"]
