"""The CloudFormation templates that osls makes, in every kind of deployment; needs node, no AWS."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.service import change, copy_checkout, run_osls

pytestmark = pytest.mark.e2e

BUILT = "uri: 123456789012.dkr.ecr.us-east-1.amazonaws.com/a@sha256:" + 64 * "0"
"""An image that was pushed before, so that packaging builds none."""

BATCHES = "deploy/batches"
DEPLOYMENTS = {
    "image": (".", ("monitoring=false", "provisioned=2")),
    "zip with a key": (
        ".",
        ("engine=onnx", "auth=key", "quota=9", "rate=2.5", "monitoring=detailed", "reserved=3"),
    ),
    "zip with signatures": (".", ("engine=onnx", "auth=iam", "alarmEmail=a@b.c", "snapstart=true")),
    "batches as an image": (BATCHES, ()),
    "batches as a zip": (BATCHES, ("engine=onnx", "monitoring=detailed", "alarmEmail=a@b.c")),
}

ANYWHERE = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
"""Actions that AWS grants for every resource only."""

FOR_THE_GATEWAY = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
"""The policy that AWS asks for before it writes access logs."""


@pytest.fixture(scope="module", params=DEPLOYMENTS.values(), ids=list(DEPLOYMENTS))
def packaged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the templates of a deployment, the first and the whole one."""
    folder, params = request.param
    made = tmp_path_factory.mktemp("packaged")
    checkout = copy_checkout(tmp_path_factory.mktemp("checkout"))
    for file, path in (("serverless.yml", "."), (f"{BATCHES}/serverless.yml", "../..")):
        change(checkout / file, "        provenance: 'false'", f"        {BUILT}")
        change(checkout / file, f"        path: {path}\n        file: Dockerfile\n", "")
    run_osls(f"package --package {made}", *params, cwd=checkout / folder)
    return made


@pytest.fixture(scope="module")
def template(packaged: Path) -> dict[str, Any]:
    """The template of the whole stack."""
    file = packaged / "cloudformation-template-update-stack.json"
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def resources(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the properties of the resources of a kind, such as `Lambda::Permission`."""
    found = template["Resources"].values()
    return [one.get("Properties", {}) for one in found if one["Type"] == f"AWS::{kind}"]


def statements(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return every statement of the policies of every role."""
    for role in resources(template, "IAM::Role"):
        for policy in role.get("Policies", []):
            yield from policy["PolicyDocument"]["Statement"]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_cfn_lint_finds_nothing(packaged: Path) -> None:
    # W8003: osls fills in the parameters that the conditions compare. W3005: osls' own resources
    # name dependencies that a Ref implies.
    ignored = ["--ignore-checks", "W8003", "W3005"]
    command = [str(Path(sys.executable).with_name("cfn-lint")), *ignored, "--"]
    files = sorted(map(str, packaged.glob("cloudformation-template-*.json")))
    assert len(files) == 2
    done = subprocess.run([*command, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_role_may_do_all_of_a_kind_or_touch_all_resources(template: dict[str, Any]) -> None:
    found = list(statements(template))
    assert found
    for statement in found:
        actions = set(as_list(statement["Action"]))
        assert statement["Effect"] == "Allow"
        assert not {"NotAction", "NotResource"} & statement.keys()
        assert not [action for action in actions if "*" in action]
        assert not [action for action in actions if action.startswith(("iam:", "sts:"))]
        if "*" in as_list(statement["Resource"]):
            assert actions <= ANYWHERE
        if any(action.startswith("s3:Get") or action.startswith("s3:Put") for action in actions):
            for resource in as_list(statement["Resource"]):
                assert "/" in json.dumps(resource)  # a folder of the bucket, never all of it


def test_each_role_is_one_services_and_has_no_more_policies_than_are_known(
    template: dict[str, Any],
) -> None:
    for role in resources(template, "IAM::Role"):
        (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert as_list(trusted["Action"]) == ["sts:AssumeRole"]
        assert set(trusted["Principal"]) == {"Service"}
        assert len(as_list(trusted["Principal"]["Service"])) == 1
        for managed in role.get("ManagedPolicyArns", []):
            assert json.dumps(managed).endswith(f'{FOR_THE_GATEWAY}"}}')


def test_each_permission_to_call_the_function_names_the_one_caller(
    template: dict[str, Any],
) -> None:
    permissions = resources(template, "Lambda::Permission")
    assert permissions
    for permission in permissions:
        assert permission["Principal"].endswith(".amazonaws.com")
        source = json.dumps(permission["SourceArn"])
        assert "ApiGatewayRestApi" in source or "ModelBucket" in source
        if permission["Principal"] == "s3.amazonaws.com":  # the ARN of a bucket names no account
            assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}


def test_only_prohibitions_are_for_everyone(template: dict[str, Any]) -> None:
    for policy in resources(template, "S3::BucketPolicy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Deny"


def test_the_limits_of_the_routes_are_part_of_the_template(template: dict[str, Any]) -> None:
    stages = resources(template, "ApiGateway::Stage")
    assert len(stages) == len(resources(template, "ApiGateway::RestApi"))
    for stage in stages:
        (limits,) = stage["MethodSettings"]
        assert (limits["HttpMethod"], limits["ResourcePath"]) == ("*", "/*")
        assert float(limits["ThrottlingRateLimit"]) in (10, 2.5)
        assert limits["ThrottlingBurstLimit"] == 20
        (deployment,) = resources(template, "ApiGateway::Deployment")
        assert deployment["StageName"] == {"Ref": "AWS::NoValue"}
    for api in resources(template, "ApiGateway::RestApi"):
        assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}


def test_access_log_and_tracing_come_with_detailed_monitoring(
    template: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    _, params = request.node.callspec.params["packaged"]
    is_detailed = "monitoring=detailed" in params
    for function in resources(template, "Lambda::Function"):
        assert function.get("TracingConfig") == ({"Mode": "Active"} if is_detailed else None)
    for stage in resources(template, "ApiGateway::Stage"):
        compared = template["Conditions"]["Detailed"]["Fn::Equals"]
        assert (compared[0] == compared[1]) is is_detailed
        condition, log, nothing = stage["AccessLogSetting"]["Fn::If"]
        assert (condition, nothing) == ("Detailed", {"Ref": "AWS::NoValue"})
        assert "gateway_id" in json.loads(log["Format"])
        assert stage["TracingEnabled"] == {"Fn::If": ["Detailed", True, False]}


def test_the_bucket_outlives_the_stack_and_an_update_that_replaces_it(
    template: dict[str, Any],
) -> None:
    for name in {"ModelBucket", "ModelBucketPolicy"} & template["Resources"].keys():
        assert template["Resources"][name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert template["Resources"][name]["UpdateReplacePolicy"] == "Retain"
