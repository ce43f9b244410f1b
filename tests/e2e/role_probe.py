"""A function that tries what a role allows: permissions are seen from where they hold."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.e2e.echo_probe import zipped
from tools.local_aws.install import RUNTIME
from tools.local_aws.ministack import Ministack

_CODE = """
    import boto3
    from botocore.exceptions import ClientError

    def handler(event, context):
        client = boto3.client(event["service"])
        try:
            getattr(client, event["operation"])(**event["request"])
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "allowed"
"""


@dataclass(frozen=True)
class RoleProbe:
    """A function with somebody else's role."""

    aws: Ministack

    def try_to(self, service: str, operation: str, **request: object) -> str:
        """Return "allowed", or the code of the error with which AWS answers."""
        event = {"service": service, "operation": operation, "request": request}
        functions = self.aws.client("lambda")
        done = functions.invoke(FunctionName="role-probe", Payload=json.dumps(event))
        outcome: str = json.load(done["Payload"])
        return outcome


@contextmanager
def role_probe(aws: Ministack, function: str) -> Iterator[RoleProbe]:
    """Lend a function's role to the probe for as long as the block lasts."""
    functions = aws.client("lambda")
    role = functions.get_function_configuration(FunctionName=function)["Role"]
    functions.create_function(
        FunctionName="role-probe",
        Runtime=RUNTIME,
        Role=role,
        Handler="probe.handler",
        Timeout=20,
        Code={"ZipFile": zipped("probe.py", textwrap.dedent(_CODE))},
    )
    try:
        yield RoleProbe(aws)
    finally:
        functions.delete_function(FunctionName="role-probe")
