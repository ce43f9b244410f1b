"""A function in the service's role that tries which calls to AWS the role may make."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tests.e2e.echo_probe import zipped
from tests.e2e.install_tools import RUNTIME
from tests.e2e.ministack import Ministack
from tests.e2e.service import FUNCTION

_NAME = "role-probe"
_CODE = """
    import boto3
    from botocore.exceptions import ClientError

    def handler(event, context):
        service, _, operation = event["call"].partition(".")
        try:
            getattr(boto3.client(service), operation)(**event["arguments"])
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "allowed"
"""


@dataclass(frozen=True)
class RoleProbe:
    """Calls from inside the role."""

    aws: Ministack

    def call(self, name: str, arguments: Mapping[str, str]) -> str:
        """Return "allowed", or AWS's code for why not.

        Args:
            name: Such as `s3.get_object`.
            arguments: Of boto3's method of that name.
        """
        event = json.dumps({"call": name, "arguments": arguments})
        invoked = self.aws.client("lambda").invoke(FunctionName=_NAME, Payload=event)
        answer: str = json.loads(invoked["Payload"].read())
        return answer


@contextmanager
def role_probe(aws: Ministack) -> Iterator[RoleProbe]:
    """Deploy the probe with the service's role, for as long as the block lasts."""
    functions = aws.client("lambda")
    functions.create_function(
        FunctionName=_NAME,
        Runtime=RUNTIME,
        Role=functions.get_function_configuration(FunctionName=FUNCTION)["Role"],
        Handler="probe.handler",
        Code={"ZipFile": zipped("probe.py", textwrap.dedent(_CODE))},
        Timeout=20,
    )
    try:
        yield RoleProbe(aws)
    finally:
        functions.delete_function(FunctionName=_NAME)
