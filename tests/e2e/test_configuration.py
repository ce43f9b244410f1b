"""serverless.yml, as osls resolves it; needs node, but no AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.build_zip import DEFAULT_RUNTIME
from tests.e2e.service import run_osls
from tests.openapi import IMAGE_TYPES, RAW_TYPE, ROUTES

pytestmark = pytest.mark.e2e

ENGINES = ("torchscript", "onnx")


def resolved(*params: str) -> dict[str, Any]:
    configuration: dict[str, Any] = json.loads(run_osls("print --format json", *params))
    return configuration


@pytest.fixture(scope="module", params=ENGINES)
def either(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The configuration of each flavour in turn."""
    return resolved(f"engine={request.param}")


def test_torchscript_is_the_default_and_ships_as_an_image() -> None:
    configuration = resolved()
    classifier = configuration["functions"]["classifier"]
    assert configuration["provider"]["environment"]["MODEL_ENGINE"] == "torchscript"
    assert classifier["image"] == {"name": "classifier"}
    assert "handler" not in classifier
    assert configuration["provider"]["ecr"]["images"]["classifier"]["platform"] == "linux/amd64"


def test_onnx_ships_as_a_zip_of_the_runtime_and_architecture_asked_for() -> None:
    configuration = resolved("engine=onnx", "runtime=python3.12", "architecture=arm64")
    classifier = configuration["functions"]["classifier"]
    assert configuration["provider"]["environment"]["MODEL_ENGINE"] == "onnx"
    assert configuration["provider"]["runtime"] == "python3.12"
    assert configuration["provider"]["architecture"] == "arm64"
    assert classifier["handler"] == "handler.lambda_handler"
    assert classifier["package"]["artifact"] == ".build/python3.12-arm64/package.zip"
    assert "image" not in classifier


def test_the_builder_and_the_service_have_the_same_default_runtime() -> None:
    assert resolved("engine=onnx")["provider"]["runtime"] == DEFAULT_RUNTIME


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
    assert types == {*IMAGE_TYPES, RAW_TYPE, "multipart/form-data"}


def test_the_role_may_read_the_one_model_and_nothing_else() -> None:
    for engine in ENGINES:
        configuration = resolved(f"engine={engine}", "model=birds")
        assert configuration["provider"]["iam"]["role"]["statements"] == [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": {"Fn::Sub": "${ModelBucket.Arn}/models/birds/*"},
            }
        ]


def test_the_current_version_is_served_unless_one_is_named_or_pinned(
    either: dict[str, Any],
) -> None:
    environment = either["provider"]["environment"]
    assert environment["MODEL_URI"] == {"Fn::Sub": "s3://${ModelBucket}/models/flying-objects"}
    assert environment["MODEL_SHA256"] == ""
    assert environment["MODEL_REFRESH_SECONDS"] == "60"


def test_a_version_can_be_named_and_pinned_at_deployment() -> None:
    pin = "0123456789abcdef" * 4
    configuration = resolved("version=20261121-052655-4f61177e", f"sha256={pin}", "refresh=5")
    environment = configuration["provider"]["environment"]
    folder = "models/flying-objects/versions/20261121-052655-4f61177e"
    assert environment["MODEL_URI"] == {"Fn::Sub": f"s3://${{ModelBucket}}/{folder}"}
    assert environment["MODEL_SHA256"] == pin
    assert environment["MODEL_REFRESH_SECONDS"] == "5"


def test_the_bucket_is_private_encrypted_versioned_and_tls_only(either: dict[str, Any]) -> None:
    resources = either["resources"]["Resources"]
    bucket = resources["ModelBucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (statement,) = resources["ModelBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_gateways_own_errors_are_problems_with_cors_from_the_first_deployment(
    either: dict[str, Any],
) -> None:
    resources = either["resources"]["Resources"]
    errors = {name: found for name, found in resources.items() if name.startswith("GatewayResp")}
    for error in errors.values():
        properties = error["Properties"]
        origin = "gatewayresponse.header.Access-Control-Allow-Origin"
        assert properties["ResponseParameters"] == {origin: "'*'"}
        template = properties["ResponseTemplates"]["application/json"]
        problem = json.loads(template.replace("$context.error.messageString", '"why"'))
        assert {"title", "detail"} <= set(problem) <= {"title", "status", "detail"}
    types = {error["Properties"]["ResponseType"] for error in errors.values()}
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "REQUEST_TOO_LARGE"} <= types
    too_large = errors["GatewayResponseTooLarge"]["Properties"]["ResponseTemplates"]
    assert "4.5 MB" in too_large["application/json"]
    method = either["resources"]["extensions"]["ApiGatewayMethodClassifyPost"]
    assert set(method["DependsOn"]) == set(errors)


@pytest.mark.parametrize(
    ("param", "complaint"),
    [
        ("engine=caffe", "must be equal to one of the allowed values [torchscript, onnx]"),
        ("architecture=sparc", "must be equal to one of the allowed values [arm64, x86_64]"),
        ("runtime=nodejs22.x", "must match pattern"),
        ("timeout=30", "must be <= 29"),
        ("sha256=4f61177e", "must match pattern"),
        ("refresh=-1", "must be >= 0"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_it_may_be(param: str, complaint: str) -> None:
    with pytest.raises(RuntimeError) as refusal:
        resolved(param)
    assert complaint in str(refusal.value)
