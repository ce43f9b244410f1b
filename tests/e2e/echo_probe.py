"""A function that says what reached it, behind a gateway.

The service never tells which bytes it got, so this looks from the same place: a second route on
the deployed API, hence with the deployed binaryMediaTypes.
"""

from __future__ import annotations

import io
import textwrap
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.service import FUNCTION, Service
from tools.local_aws.install import RUNTIME
from tools.local_aws.ministack import REGION

_STAGE = "probe"
_CODE = """
    import base64, hashlib, json

    def handler(event, context):
        body = event["body"]
        data = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
        seen = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        return {"statusCode": 200, "body": json.dumps(seen)}
"""


@dataclass(frozen=True)
class EchoProbe:
    """The route `/echo` of an API."""

    service: Service
    api: str

    def send(self, data: Path, content_type: str) -> dict[str, Any]:
        """Send a file as the whole body; return its hash and size as the function saw them."""
        url = f"https://{self.api}.execute-api.{REGION}.amazonaws.com/{_STAGE}/echo"
        header = f"content-type: {content_type}"
        seen: dict[str, Any] = self.service.curl(
            url, "-H", header, "--data-binary", f"@{data}"
        ).body
        return seen


@contextmanager
def echo_probe(service: Service, api: str) -> Iterator[EchoProbe]:
    """Add the probe to an API, on a stage of its own, for as long as the block lasts."""
    functions, gateway = service.aws.client("lambda"), service.aws.client("apigateway")
    role = functions.get_function_configuration(FunctionName=FUNCTION)["Role"]
    arn = functions.create_function(
        FunctionName="echo",
        Runtime=RUNTIME,
        Role=role,
        Handler="echo.handler",
        Code={"ZipFile": zipped("echo.py", textwrap.dedent(_CODE))},
    )["FunctionArn"]
    functions.add_permission(
        FunctionName="echo",
        StatementId="gateway",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    resources = gateway.get_resources(restApiId=api)["items"]
    (root,) = (item["id"] for item in resources if item["path"] == "/")
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart="echo")["id"]
    route = {"restApiId": api, "resourceId": resource, "httpMethod": "POST"}
    gateway.put_method(**route, authorizationType="NONE")
    gateway.put_integration(
        **route,
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations",
    )
    gateway.create_deployment(restApiId=api, stageName=_STAGE)
    try:
        yield EchoProbe(service, api)
    finally:
        gateway.delete_stage(restApiId=api, stageName=_STAGE)
        gateway.delete_resource(restApiId=api, resourceId=resource)
        functions.delete_function(FunctionName="echo")


def zipped(name: str, text: str) -> bytes:
    """Return a zip with one file."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(name, text)
    return data.getvalue()
