"""One story, told in order: deploy, publish, classify, be refused, remove."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from model_loader import load_model
from tests.e2e.echo_probe import echo_probe
from tests.e2e.service import FUNCTION, STACK, Service
from tests.support.embedded_metrics import embedded_metrics
from tests.support.openapi import DOCUMENT
from tools.local_aws.gateway_events import multipart
from tools.local_aws.ministack import Ministack

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def service(aws: Ministack, checkout: Path) -> Service:
    """The service, deployed, with no model published."""
    service = Service(aws, checkout)
    service.osls("deploy")
    return service


@pytest.fixture(scope="module")
def published(service: Service, version: Path) -> Service:
    """The service, with a model."""
    service.publish(version)
    return service


@pytest.fixture
def refused(published: Service) -> Iterator[Service]:
    """The service, cold, with a role that lacks s3:GetObject."""
    iam = published.aws.client("iam")
    functions = published.aws.client("lambda")
    role = functions.get_function_configuration(FunctionName=FUNCTION)["Role"].split("/")[-1]
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    kept = [
        statement
        for statement in policy["Statement"]
        if "s3:GetObject" not in statement["Action"] or "s3:PutObject" in statement["Action"]
    ]
    assert len(kept) == len(policy["Statement"]) - 1
    put_policy(iam, role, name, {**policy, "Statement": kept})
    published.restart()
    yield published
    put_policy(iam, role, name, policy)
    published.restart()


def put_policy(iam: Any, role: str, name: str, policy: dict[str, Any]) -> None:
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))


def test_before_a_model_is_published_the_answer_is_503_and_the_log_says_what_to_do(
    service: Service, photo: Path
) -> None:
    answer = service.classify(photo)
    assert answer.status == 503
    assert "finds no model to answer with" in answer.body["detail"]
    assert service.bucket not in json.dumps(answer.body)
    assert f"s3://{service.bucket}/models/flying-objects" in logged(service)
    assert "Publish a model there" in logged(service)
    assert "retry-after" in answer.headers
    assert answer.headers["access-control-expose-headers"] == "Retry-After"


def logged(service: Service) -> str:
    """Return the log of the function."""
    logs = service.aws.client("logs")
    events = logs.filter_log_events(logGroupName=f"/aws/lambda/{FUNCTION}")["events"]
    return "\n".join(event["message"] for event in events)


def test_the_documents_own_curl_gets_the_documents_own_answer(
    published: Service, photo: Path
) -> None:
    answer = published.classify(photo)
    assert answer.status == 200
    assert answer.body["file"] == "file1"
    assert answer.body["predicted"].startswith("That seems to be ")
    assert answer.headers["access-control-allow-origin"] == "*"


def test_the_log_group_gets_a_line_of_json_that_cloudwatch_reads_metrics_from(
    published: Service, photo: Path
) -> None:
    answer = published.classify(photo)
    lines = [json.loads(line) for line in logged(published).splitlines() if line[0] == "{"]
    (line,) = [line for line in lines if line.get("label")][-1:]
    assert (line["route"], line["label"]) == ("POST /classify", answer.body["label"])
    assert (line["engine"], line["FunctionName"]) == ("onnx", FUNCTION)
    assert photo.name not in json.dumps(lines)
    assert embedded_metrics(line)["flying-objects confidence"] == answer.body["confidence"]


def test_the_description_names_the_address_that_it_is_read_from(service: Service) -> None:
    answer = service.curl(f"{service.url}/openapi.json")
    assert answer.status == 200
    assert answer.body == {**DOCUMENT, "servers": [{"url": "/dev"}]}


def test_the_alarms_and_the_dashboard_watch_what_is_deployed(service: Service) -> None:
    watched = service.aws.client("cloudwatch")
    alarms = watched.describe_alarms(AlarmNamePrefix=f"{STACK}-")["MetricAlarms"]
    names = {alarm["AlarmName"].removeprefix(f"{STACK}-") for alarm in alarms}
    assert names == {"errors", "latency", "throttles", "unknown"}
    (gateway,) = service.aws.client("apigateway").get_rest_apis()["items"]
    known = {"ApiName": gateway["name"], "FunctionName": FUNCTION}
    for alarm in alarms:
        (dimension,) = alarm["Dimensions"]
        assert dimension["Value"] == known[dimension["Name"]]
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmActions"] == []  # no alarmEmail was given
    assert watched.list_dashboards()["DashboardEntries"][0]["DashboardName"] == STACK
    body = watched.get_dashboard(DashboardName=STACK)["DashboardBody"]
    assert json.loads(body)["widgets"]
    assert "${" not in body
    assert FUNCTION in body
    assert gateway["name"] in body


def test_a_photograph_that_does_not_compress_gets_the_scores_that_it_gets_here(
    published: Service, version: Path, noise: Path
) -> None:
    expected = load_model(str(version), "onnx").classify(noise.read_bytes())
    answer = published.classify(noise)
    assert answer.status == 200
    assert answer.body["scores"] == pytest.approx(expected.scores, abs=1e-4)


def test_the_function_receives_the_very_bytes_that_were_sent(
    service: Service, noise: Path, tmp_path: Path
) -> None:
    body, content_type = multipart(noise)
    sent = tmp_path / "body"
    sent.write_bytes(body)
    with echo_probe(service, service.api) as probe:
        assert probe.send(sent, content_type) == intact(body)
        assert probe.send(noise, "image/png") == intact(noise.read_bytes())


def test_a_gateway_without_binary_media_types_corrupts_them(
    service: Service, noise: Path, aws: Ministack
) -> None:
    gateway = aws.client("apigateway")
    api = gateway.create_rest_api(name="without-binary-media-types")["id"]
    with echo_probe(service, api) as probe:
        assert probe.send(noise, "image/png")["bytes"] > noise.stat().st_size
    gateway.delete_rest_api(restApiId=api)


def intact(data: bytes) -> dict[str, object]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def test_a_page_of_any_origin_may_post(service: Service) -> None:
    asked = ("-H", "origin: https://example.org", "-H", "access-control-request-method: POST")
    answer = service.curl("-X", "OPTIONS", f"{service.url}/classify", *asked)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["/unknown"], 404),
        (["/classify", "-X", "DELETE"], 404),
        (["/unknown", "-H", "authorization: AWS4-HMAC-SHA256 nonsense"], 403),
    ],
)
def test_the_gateways_own_errors_are_problems_that_a_page_may_read(
    service: Service, arguments: list[str], status: int
) -> None:
    path, *options = arguments
    answer = service.curl(service.url + path, *options)
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.body["title"]
    assert answer.body["detail"]


def test_an_image_too_large_for_a_request_is_uploaded_and_answered(
    published: Service, large_photo: Path, version: Path
) -> None:
    form = begin_upload(published)
    assert send_form(published, form, large_photo.read_bytes()) == (204, "")
    answer = published.post_json("/classify", {"key": form["key"]})
    assert answer.status == 200
    assert (answer.body["file"], answer.body["filename"]) == ("key", None)
    expected = load_model(str(version), "onnx").classify(large_photo.read_bytes())
    assert answer.body["scores"] == pytest.approx(expected.scores, abs=1e-4)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"key": "models/flying-objects/current.json"}, "AccessDenied"),
        ({"Content-Type": "text/html"}, "AccessDenied"),
        ({"acl": "public-read"}, "AccessDenied"),
        ({"success_action_redirect": "https://example.org"}, "AccessDenied"),
        ({"x-amz-signature": "0" * 64}, "SignatureDoesNotMatch"),
    ],
    ids=str,
)
def test_a_form_with_other_fields_than_were_signed_is_refused(
    published: Service, changed: dict[str, str], word: str
) -> None:
    form = begin_upload(published)
    sent = {**form, "fields": {**form["fields"], **changed}}
    assert send_form(published, sent, b"a photograph") == (403, word)


def test_the_models_own_files_are_no_uploads(published: Service) -> None:
    for key in ("models/flying-objects/current.json", "incoming/../models/current.json"):
        answer = published.post_json("/classify", {"key": key})
        assert answer.status == 404
        assert "is no key of an upload" in answer.body["detail"]


def test_a_form_that_was_not_sent_is_404_though_s3_calls_it_forbidden(published: Service) -> None:
    # The role may not list the bucket, and so is not told what is missing.
    answer = published.post_json("/classify", {"key": begin_upload(published)["key"]})
    assert answer.status == 404
    assert "its file was not sent" in answer.body["detail"]


def test_the_deployed_role_has_no_more_of_s3_than_the_model_and_uploads(
    published: Service,
) -> None:
    iam, store = published.aws.client("iam"), published.outputs()["ModelStore"]
    functions = published.aws.client("lambda")
    role = functions.get_function_configuration(FunctionName=FUNCTION)["Role"].split("/")[-1]
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    bucket = "arn:aws:s3:::" + store.removeprefix("s3://").removesuffix("/models")
    granted = {
        (action, resource)
        for statement in policy["Statement"]
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
        if not action.startswith("logs:")
    }
    assert granted == {
        ("s3:GetObject", f"{bucket}/models/flying-objects/*"),
        ("s3:GetObject", f"{bucket}/incoming/*"),
        ("s3:PutObject", f"{bucket}/incoming/*"),
    }


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_the_deployed_template_deletes_uploads_after_a_day(published: Service) -> None:
    # ministack's CloudFormation leaves such rules out: that S3 deletes by them, only an account
    # can show.
    stacks = published.aws.client("cloudformation")
    template = stacks.get_template(StackName=STACK)["TemplateBody"]
    body = json.loads(template) if isinstance(template, str) else template
    bucket = body["Resources"]["ModelBucket"]["Properties"]
    rule, *_ = bucket["LifecycleConfiguration"]["Rules"]
    assert (rule["Prefix"], rule["ExpirationInDays"], rule["Status"]) == ("incoming/", 1, "Enabled")


def begin_upload(service: Service) -> dict[str, Any]:
    answer = service.post_json("/uploads", {"content_type": "image/jpeg"})
    assert answer.status == 201
    form: dict[str, Any] = answer.body
    return form


def send_form(service: Service, form: dict[str, Any], data: bytes) -> tuple[int, str]:
    """Send a form to S3; return the status, and S3's word for what is wrong."""
    response = requests.post(
        form["url"],
        data=form["fields"],
        files={"file": data},
        verify=str(service.aws.certificate),
        timeout=60,
    )
    return response.status_code, response.text.partition("<Code>")[2].partition("<")[0]


def test_without_s3_get_object_the_answer_is_503(refused: Service, photo: Path) -> None:
    answer = refused.classify(photo)
    assert answer.status == 503
    assert refused.bucket not in json.dumps(answer.body)
    assert "the role needs s3:GetObject" in logged(refused)


def test_the_same_function_answers_again_once_its_role_is_mended(
    published: Service, photo: Path
) -> None:
    assert published.classify(photo).status == 200


def test_with_snapstart_the_gateway_asks_a_version_with_a_snapshot(
    published: Service, photo: Path
) -> None:
    published.osls("deploy", "snapstart=true")
    functions = published.aws.client("lambda")
    version = functions.get_function_configuration(FunctionName=FUNCTION, Qualifier="snapstart")
    assert version["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    functions.get_waiter("published_version_active").wait(
        FunctionName=FUNCTION, Qualifier=version["Version"], WaiterConfig={"Delay": 1}
    )
    assert published.classify(photo).status == 200


def test_remove_keeps_the_bucket_with_every_model(published: Service) -> None:
    published.osls("remove")
    left = published.aws.client("s3").list_objects_v2(Bucket=published.bucket)["Contents"]
    assert "models/flying-objects/current.json" in {found["Key"] for found in left}


def test_remove_leaves_nothing_if_it_is_told_to_delete_the_bucket(
    service: Service, aws: Ministack
) -> None:
    service.osls("deploy")
    s3, bucket = aws.client("s3"), service.outputs()["ModelBucket"]
    assert bucket != service.bucket
    s3.put_object(Bucket=bucket, Key="twice", Body=b"1")
    s3.put_object(Bucket=bucket, Key="twice", Body=b"2")
    s3.delete_object(Bucket=bucket, Key="twice")
    service.osls("remove --delete-bucket")
    stacks = aws.client("cloudformation").list_stacks()["StackSummaries"]
    assert {stack["StackStatus"] for stack in stacks} == {"DELETE_COMPLETE"}
    assert bucket not in {found["Name"] for found in s3.list_buckets()["Buckets"]}
    assert aws.client("apigateway").get_rest_apis()["items"] == []
    assert aws.client("lambda").list_functions()["Functions"] == []
    assert aws.client("iam").list_roles()["Roles"] == []
    assert aws.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert aws.client("cloudwatch").list_dashboards()["DashboardEntries"] == []
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in groups if STACK in group["logGroupName"]] == []
