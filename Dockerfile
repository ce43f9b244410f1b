# The torchscript flavour of the function, as a Lambda container image.
# BASE_IMAGE may be any image that holds Python with pip, the Lambda runtime client and
# LAMBDA_TASK_ROOT. Each stage starts from it, so that bytecode is that of its own Python.
ARG BASE_IMAGE=amazon/aws-lambda-python:3.13

FROM ${BASE_IMAGE} AS dependencies
# uv knows by itself where torch's CPU build is. Where pip's own configuration leads to one:
#   --build-arg INSTALL="python3 -m pip install --no-compile"
ARG INSTALL="python3 -m uv pip install --system --torch-backend=cpu"
COPY constraints.txt requirements.txt requirements-torchscript.txt /build/
RUN case "$INSTALL" in *" uv "*) python3 -m pip install --target /uv uv==0.13.8 ;; esac
RUN PYTHONPATH=/uv $INSTALL --target /dependencies -r /build/requirements-torchscript.txt
# What serving never opens: headers, tests, tools, type stubs, and what torch needs only to compile.
# torch looks for torch_shm_manager at import, and imports some of torch/testing.
RUN cd /dependencies \
    && find torch/bin -mindepth 1 ! -name torch_shm_manager -delete \
    && rm -rf bin share torch/include torch/share torch/test torch/lib/lib*test*.so \
        torch/testing/_internal/py312_intrinsics.py \
        sympy sympy-* isympy.py mpmath mpmath-* networkx networkx-* fsspec fsspec-* \
        setuptools setuptools-* pkg_resources _distutils_hack distutils-precedence.pth \
    && find . -name tests -type d -prune -exec rm -rf {} + \
    && find . -name '*.pyi' -delete
# Lambda's disk is read-only: what is not compiled here would be compiled at every cold start.
# Unchecked: the sources cannot change, so nothing need look at them.
RUN python3 -m compileall -q -f -j 0 --invalidation-mode unchecked-hash \
        -s /dependencies -p "${LAMBDA_TASK_ROOT}" /dependencies

FROM ${BASE_IMAGE} AS function
COPY handler.py /function/
COPY service /function/service
COPY model_loader /function/model_loader
# Lambda runs the function as a user of its own, who must be able to read it.
RUN chmod -R a+rX /function \
    && python3 -m compileall -q --invalidation-mode unchecked-hash \
        -s /function -p "${LAMBDA_TASK_ROOT}" /function

FROM ${BASE_IMAGE}
COPY --from=dependencies /dependencies ${LAMBDA_TASK_ROOT}
COPY --from=function /function ${LAMBDA_TASK_ROOT}
# torch's threads spin while they wait, unless told otherwise. Lambda shows two processors and more,
# but gives the time of one per 1,769 MB: what one thread spins away, the other lacks.
ENV OMP_WAIT_POLICY=PASSIVE
CMD ["handler.lambda_handler"]
