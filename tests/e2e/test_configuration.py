"""serverless.yml, as osls resolves it; needs node, but no AWS."""

from __future__ import annotations

import json
import os
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import handler
from deploy.build_zip import DEFAULT_RUNTIME
from model_loader import MAX_REQUEST_BYTES, MAX_UPLOAD_BYTES
from model_loader.image.formats import FORMATS
from service.json_bodies import IMAGE_TYPES, RAW_TYPE
from service.log.metrics import ALWAYS, ANSWERED, LABELS
from service.web import ALLOWED_HEADERS
from tests.e2e.service import change, copy_checkout, run_osls
from tests.support.openapi import ROUTES
from tools.local_aws.install import ROOT, RUNTIME, lambda_architecture

pytestmark = pytest.mark.e2e

PIN = "0123456789abcdef" * 4
VERSION = "20261121-052655-4f61177e"
DEFAULT: tuple[str, ...] = ()
SET = (
    *("engine=onnx", "architecture=arm64", "model=birds", f"version={VERSION}", f"sha256={PIN}"),
    *("auth=key", "rate=2.5", "quota=1000", "reserved=5"),
    *("monitoring=false", "alarmEmail=someone@example.org"),
)
"""Nothing, and everything that fits together: a configuration takes osls seconds to resolve."""


@cache
def resolved(*params: str) -> dict[str, Any]:
    configuration: dict[str, Any] = json.loads(run_osls("print --format json", *params))
    return configuration


def environment_of(configuration: dict[str, Any], function: str) -> dict[str, Any]:
    own: dict[str, Any] = configuration["functions"][function]["environment"]
    return {**configuration["provider"]["environment"], **own}


@pytest.fixture(scope="module", params=[DEFAULT, SET], ids=["default", "set"])
def either(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The configuration of each flavour in turn."""
    return resolved(*request.param)


def test_torchscript_is_the_default_and_ships_as_an_image() -> None:
    configuration = resolved()
    classifier = configuration["functions"]["classifier"]
    assert configuration["provider"]["environment"]["MODEL_ENGINE"] == "torchscript"
    assert classifier["image"] == {"name": "classifier", "command": ["handler.lambda_handler"]}
    assert "handler" not in classifier
    assert configuration["provider"]["ecr"]["images"]["classifier"]["platform"] == "linux/amd64"


def test_onnx_ships_as_a_zip_of_the_runtime_and_of_the_architecture_asked_for() -> None:
    configuration = resolved(*SET)
    classifier = configuration["functions"]["classifier"]
    assert configuration["provider"]["environment"]["MODEL_ENGINE"] == "onnx"
    assert configuration["provider"]["architecture"] == "arm64"
    assert classifier["handler"] == "handler.lambda_handler"
    assert classifier["package"]["artifact"] == f".build/{DEFAULT_RUNTIME}-arm64/package.zip"
    assert "image" not in classifier


def test_the_builder_and_the_service_have_the_same_default_runtime() -> None:
    assert resolved(*DEFAULT)["provider"]["runtime"] == DEFAULT_RUNTIME


def test_both_flavours_have_the_same_routes(either: dict[str, Any]) -> None:
    events = either["functions"]["classifier"]["events"]
    routes = {(event["http"]["method"].upper(), event["http"]["path"]) for event in events}
    assert routes == ROUTES


def test_every_route_allows_any_origin_without_credentials(either: dict[str, Any]) -> None:
    for event in either["functions"]["classifier"]["events"]:
        assert event["http"]["cors"]["origin"] == "*"
        assert "allowCredentials" not in event["http"]["cors"]


def test_the_gateway_passes_uploads_on_as_bytes(either: dict[str, Any]) -> None:
    types = set(either["provider"]["apiGateway"]["binaryMediaTypes"])
    assert types == {"multipart/form-data", RAW_TYPE, *IMAGE_TYPES}
    assert {f"image/{name.lower()}" for name in FORMATS} <= {*IMAGE_TYPES}


def test_the_role_may_read_the_one_model_read_and_sign_uploads_and_nothing_else() -> None:
    for params, model in ((DEFAULT, "flying-objects"), (SET, "birds")):
        assert resolved(*params)["provider"]["iam"]["role"]["statements"] == [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": {"Fn::Sub": f"${{ModelBucket.Arn}}/models/{model}/*"},
            },
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": {"Fn::Sub": "${ModelBucket.Arn}/incoming/*"},
            },
        ]


def test_the_current_version_is_served_unless_one_is_named_or_pinned() -> None:
    environment = environment_of(resolved(*DEFAULT), "classifier")
    assert environment["MODEL_URI"] == {"Fn::Sub": "s3://${ModelBucket}/models/flying-objects"}
    assert environment["MODEL_SHA256"] == ""
    assert environment["MODEL_REFRESH_SECONDS"] == "60"


def test_a_version_can_be_named_and_pinned_at_deployment() -> None:
    environment = environment_of(resolved(*SET), "classifier")
    folder = f"models/birds/versions/{VERSION}"
    assert environment["MODEL_URI"] == {"Fn::Sub": f"s3://${{ModelBucket}}/{folder}"}
    assert environment["MODEL_SHA256"] == PIN


def test_the_bucket_is_private_encrypted_versioned_and_tls_only(either: dict[str, Any]) -> None:
    resources = either["resources"]["Resources"]
    bucket = resources["ModelBucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (statement,) = resources["ModelBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_uploads_go_after_a_day_with_all_that_versioning_keeps_of_them(
    either: dict[str, Any],
) -> None:
    bucket = either["resources"]["Resources"]["ModelBucket"]["Properties"]
    rule, unfinished, *replaced = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    folder = either["functions"]["classifier"]["environment"]["INCOMING_URI"]["Fn::Sub"]
    assert folder == "s3://${ModelBucket}/" + rule["Prefix"].rstrip("/")
    assert rule["ExpirationInDays"] == 1
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert unfinished["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert "Prefix" not in unfinished
    folders = {"models/", "results/", "batch/", "bulk-results/", "bulk/"}
    assert {one["Prefix"] for one in replaced} == folders
    assert all("ExpirationInDays" not in one for one in replaced)


def test_a_page_of_any_origin_may_send_a_form_to_the_bucket_and_read_nothing(
    either: dict[str, Any],
) -> None:
    bucket = either["resources"]["Resources"]["ModelBucket"]["Properties"]
    (rule,) = bucket["CorsConfiguration"]["CorsRules"]
    assert rule["AllowedMethods"] == ["POST"]
    assert rule["AllowedOrigins"] == ["*"]


def test_the_gateways_own_errors_are_problems_with_cors_from_the_first_deployment(
    either: dict[str, Any],
) -> None:
    resources = either["resources"]["Resources"]
    errors = {name: found for name, found in resources.items() if name.startswith("GatewayResp")}
    for error in errors.values():
        properties = error["Properties"]
        origin = "gatewayresponse.header.Access-Control-Allow-Origin"
        assert properties["ResponseParameters"][origin] == "'*'"
        template = properties["ResponseTemplates"]["application/json"]
        problem = json.loads(template.replace("$context.error.messageString", '"why"'))
        assert {"title", "detail"} <= set(problem) <= {"title", "status", "detail"}
    types = {error["Properties"]["ResponseType"] for error in errors.values()}
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "REQUEST_TOO_LARGE", "ACCESS_DENIED"} <= types
    too_large = errors["GatewayResponseTooLarge"]["Properties"]["ResponseTemplates"]
    assert f"{MAX_REQUEST_BYTES / 1e6:g} MB" in too_large["application/json"]
    assert (
        f"POST /uploads says where to send a file of up to {MAX_UPLOAD_BYTES / 1e6:g} MB"
        in (too_large["application/json"])
    )
    no_such_route = errors["GatewayResponseNoSuchRoute"]["Properties"]["ResponseTemplates"]
    for event in either["functions"]["classifier"]["events"]:
        route = f"{event['http']['method'].upper()} {event['http']['path']}"
        assert route in no_such_route["application/json"]
        assert route in handler.app.listed
    method = either["resources"]["extensions"]["ApiGatewayMethodClassifyPost"]
    assert set(method["DependsOn"]) == set(errors)


@pytest.mark.parametrize("params", [DEFAULT, SET, ("auth=iam",)], ids=["none", "key", "iam"])
def test_the_status_that_a_refusal_names_is_the_one_that_it_has(params: tuple[str, ...]) -> None:
    for properties in gateway_responses(*params).values():
        if "StatusCode" in properties:
            template = properties["ResponseTemplates"]["application/json"]
            assert str(json.loads(template)["status"]) == properties["StatusCode"]


def test_a_missing_token_means_an_unknown_route_unless_requests_are_signed() -> None:
    for params in (DEFAULT, SET):
        assert gateway_responses(*params)["NoSuchRoute"]["StatusCode"] == "404"
    unsigned = gateway_responses("auth=iam")["NoSuchRoute"]
    assert unsigned["StatusCode"] == "401"
    detail = json.loads(unsigned["ResponseTemplates"]["application/json"])["detail"]
    assert "Sign the request" in detail
    assert "There is POST /classify" in detail


def gateway_responses(*params: str) -> dict[str, Any]:
    resources = resolved(*params)["resources"]["Resources"]
    prefix = "GatewayResponse"
    return {
        name.removeprefix(prefix): resource["Properties"]
        for name, resource in resources.items()
        if name.startswith(prefix)
    }


@pytest.mark.parametrize(
    ("params", "closed"),
    [(DEFAULT, {}), (SET, {"private": True}), (("auth=iam",), {"authorizer": "aws_iam"})],
    ids=["none", "key", "iam"],
)
def test_every_route_is_closed_but_the_page_and_the_ping(
    params: tuple[str, ...], closed: dict[str, object]
) -> None:
    for event in resolved(*params)["functions"]["classifier"]["events"]:
        route = event["http"]
        kept = {name: route[name] for name in ("private", "authorizer") if name in route}
        assert kept == ({} if route["path"] in ("/", "/ping", "/openapi.json") else closed)


def test_a_key_has_a_plan_with_the_rate_and_the_quota_and_its_value_is_not_chosen_here() -> None:
    gateway = resolved(*SET)["provider"]["apiGateway"]
    assert gateway["apiKeys"] == ["flying-objects-dev"]
    assert gateway["usagePlan"] == {
        "throttle": {"rateLimit": 2.5, "burstLimit": 20},
        "quota": {"limit": 1000, "period": "DAY"},
    }
    for params in (DEFAULT, ("auth=iam",)):
        assert not {"apiKeys", "usagePlan"} & set(resolved(*params)["provider"]["apiGateway"])


def test_no_concurrency_is_reserved_unless_asked_for() -> None:
    assert resolved(*DEFAULT)["functions"]["classifier"]["reservedConcurrency"] is None
    assert resolved(*SET)["functions"]["classifier"]["reservedConcurrency"] == 5


def watched(configuration: dict[str, Any]) -> set[tuple[str, str]]:
    """Return namespace and name of each metric that an alarm or the dashboard looks at."""
    resources = configuration["resources"]["Resources"]
    alarms = (one["Properties"] for one in resources.values() if one["Type"].endswith("::Alarm"))
    found = {(alarm["Namespace"], alarm["MetricName"]) for alarm in alarms}
    body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for widget in json.loads(body)["widgets"]:
        metrics = widget["properties"].get("metrics", [])
        found |= {(metric[0], metric[1]) for metric in metrics if isinstance(metric[0], str)}
    return found


def test_what_is_watched_of_the_service_is_what_its_log_lines_hold(either: dict[str, Any]) -> None:
    ours = {name for namespace, name in watched(either) if namespace == either["service"]}
    assert ours == {name for name, _ in ALWAYS + ANSWERED}
    others = {namespace for namespace, _ in watched(either)} - {either["service"]}
    assert others == {"AWS/ApiGateway", "AWS/Lambda"}
    labels = f'{{"{either["service"]}{LABELS}",FunctionName}}'
    dashboard = either["resources"]["Resources"]["Dashboard"]["Properties"]["DashboardBody"]
    assert labels in dashboard["Fn::Sub"].replace('\\"', '"')


def test_metrics_alarms_and_dashboard_are_switched_by_one_parameter() -> None:
    for params, switch in ((DEFAULT, "true"), (SET, "false")):
        configuration = resolved(*params)
        conditions = configuration["resources"]["Conditions"]
        compared = [f"monitoring: {switch}", "monitoring: false"]
        assert conditions["Monitoring"] == {"Fn::Not": [{"Fn::Equals": compared}]}
        namespace = configuration["provider"]["environment"]["METRICS_NAMESPACE"]
        assert namespace == {"Fn::If": ["Monitoring", "flying-objects", ""]}
        for resource in configuration["resources"]["Resources"].values():
            if resource["Type"].startswith("AWS::CloudWatch::"):
                assert resource["Condition"] == "Monitoring"


def test_an_alarm_is_quiet_without_data_and_writes_to_whom_it_is_told() -> None:
    resources = resolved(*SET)["resources"]["Resources"]
    alarms = [one["Properties"] for one in resources.values() if one["Type"].endswith("::Alarm")]
    assert len(alarms) == 4
    told = {"Fn::If": ["AlarmsByEmail", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}
    for alarm in alarms:
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmActions"] == alarm["OKActions"] == told
    assert resources["AlarmTopic"]["Condition"] == "AlarmsByEmail"
    (subscription,) = resources["AlarmTopic"]["Properties"]["Subscription"]
    assert subscription == {"Protocol": "email", "Endpoint": "someone@example.org"}
    for params, email in ((DEFAULT, "none"), (SET, "someone@example.org")):
        conditions = resolved(*params)["resources"]["Conditions"]["AlarmsByEmail"]["Fn::And"]
        is_set = {"Fn::Not": [{"Fn::Equals": [email, "none"]}]}
        assert conditions == [{"Condition": "Monitoring"}, is_set]


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ([], "needs --param engine=onnx"),
        (["engine=onnx", "provisioned=2"], "exclude each other"),
    ],
)
def test_snapstart_is_refused_where_lambda_has_none(params: list[str], complaint: str) -> None:
    with pytest.raises(RuntimeError) as refusal:
        run_osls("print", "snapstart=true", *params)
    assert complaint in str(refusal.value)


NOWHERE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
"""For what is refused before AWS is asked anything."""


@pytest.mark.parametrize("folder", [".", "deploy/batches"])
@pytest.mark.parametrize(
    ("runtime", "reason"),
    [
        ("python3.11", "Amazon Linux 2, whose C library (glibc 2.26)"),
        ("nodejs22.x", "the zip needs python3.12 or newer"),
    ],
)
def test_a_runtime_that_the_zip_does_not_start_on_is_refused_before_it_is_built(
    folder: str, runtime: str, reason: str, tmp_path: Path
) -> None:
    checkout = copy_checkout(tmp_path)
    change(checkout / "serverless.yml", f"runtime: {RUNTIME}", f"runtime: {runtime}")
    stack = checkout / "deploy" / "stack.js"
    stack.write_text(re.sub(r"OLDEST_PYTHON = \d+", "OLDEST_PYTHON = 12", stack.read_text()))
    env = {**os.environ, **NOWHERE}
    with pytest.raises(RuntimeError) as refusal:
        run_osls("deploy", "engine=onnx", env=env, cwd=checkout / folder)
    assert f"provider.runtime of serverless.yml is {runtime}" in str(refusal.value)
    assert reason in str(refusal.value)
    assert "    at " not in str(refusal.value)


DOCKERS = {
    "none": ("", "there is no docker on this machine"),
    "without buildx": (
        '[ "$1" = --version ] && echo "Docker version 28.2.2" || exit 1',
        "this machine's docker has no buildx",
    ),
    "podman": (
        'echo "podman version 4.3.1"',
        "docker is podman on this machine, which osls cannot build it with",
    ),
}


@pytest.mark.parametrize(("docker", "lack"), DOCKERS.values(), ids=DOCKERS)
def test_an_image_is_not_begun_where_it_cannot_be_built(
    docker: str, lack: str, tmp_path: Path
) -> None:
    for name in ("node", "npx", "sh"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    if docker:
        (tmp_path / "docker").write_text(f"#!/bin/sh\n{docker}\n")
        (tmp_path / "docker").chmod(0o755)
    env = {**os.environ, **NOWHERE, "PATH": str(tmp_path)}
    with pytest.raises(RuntimeError) as refusal:
        run_osls("deploy", env=env)
    assert lack in str(refusal.value)
    assert "--param engine=onnx" in str(refusal.value)
    assert "    at " not in str(refusal.value)


def test_a_script_of_any_origin_may_send_what_the_function_itself_allows() -> None:
    for event in resolved()["functions"]["classifier"]["events"]:
        assert event["http"]["cors"]["headers"] == ALLOWED_HEADERS.split(", ")


def test_the_documents_and_ci_have_the_node_that_the_aws_sdk_asks_for() -> None:
    # Older ones work until the end of 2026, and every command prints a warning.
    for file in ("README.md", "docs/deploy.md"):
        assert "Node 22" in (ROOT / file).read_text(encoding="utf-8")
    assert "node@22" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_everything_is_tagged_with_its_service_and_stage() -> None:
    provider = resolved()["provider"]
    tags = {"SERVICE": "flying-objects", "STAGE": "dev"}
    assert provider["tags"] == provider["stackTags"] == tags


def test_every_deployment_with_snapstart_takes_a_new_snapshot_and_no_other_one_a_new_version() -> (
    None
):
    runs = [resolved.__wrapped__("engine=onnx", "snapstart=true") for _ in range(2)]
    first, second = (environment_of(run, "classifier")["SNAPSHOT"] for run in runs)
    assert first != second
    for params in (DEFAULT, SET):
        assert "SNAPSHOT" not in environment_of(resolved(*params), "classifier")


@pytest.mark.parametrize(
    ("param", "alias"), [("provisioned=2", "provisioned"), ("snapstart=true", "snapstart")]
)
def test_the_gateway_asks_the_environments_that_are_started_ahead(
    param: str, alias: str, package: Path, checkout: Path, tmp_path: Path
) -> None:
    target = ["engine=onnx", f"architecture={lambda_architecture()}"]
    run_osls(f"package --package {tmp_path}", *target, param, cwd=checkout)
    template = json.loads((tmp_path / "cloudformation-template-update-stack.json").read_text())
    resources = template["Resources"]
    (named,) = [found for found in resources.values() if found["Type"] == "AWS::Lambda::Alias"]
    assert named["Properties"]["Name"] == alias
    assert named["Properties"].get("ProvisionedConcurrencyConfig") == (
        {"ProvisionedConcurrentExecutions": 2} if alias == "provisioned" else None
    )
    version = named["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]
    assert resources[version]["Type"] == "AWS::Lambda::Version"
    integration = resources["ApiGatewayMethodClassifyPost"]["Properties"]["Integration"]
    assert integration["Uri"]["Fn::Join"][1][-3:] == [":", alias, "/invocations"]
    permission = resources["ClassifierLambdaPermissionApiGateway"]["Properties"]
    assert permission["FunctionName"]["Fn::Join"][1][-1] == alias
