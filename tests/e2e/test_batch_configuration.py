"""The stack of deploy/batches, as osls resolves it; needs node, but no AWS."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from deploy.build_zip import DEFAULT_RUNTIME
from service.batch import lambda_handler
from tests.e2e.service import run_osls
from tools.local_aws.install import ROOT

pytestmark = pytest.mark.e2e

SET = ("engine=onnx", "model=birds", "version=20261121-052655-4f61177e", "memory=3008")
BUCKET = {"Bucket": {"Fn::ImportValue": "flying-objects-dev-ModelBucket"}}


@cache
def resolved(*params: str) -> dict[str, Any]:
    configuration: dict[str, Any] = json.loads(
        run_osls("print --format json", *params, cwd=ROOT / "deploy" / "batches")
    )
    return configuration


def resources() -> dict[str, Any]:
    found: dict[str, Any] = resolved()["resources"]["Resources"]
    return found


def definition() -> dict[str, Any]:
    """Return what the state machine runs."""
    text, names = resources()["BulkStateMachine"]["Properties"]["DefinitionString"]["Fn::Sub"]
    assert names == BUCKET
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def in_bucket(*keys: str) -> list[dict[str, Any]]:
    """Return the ARNs of keys of the service's bucket."""
    arns = [f"arn:${{AWS::Partition}}:s3:::${{Bucket}}/{key}" for key in keys]
    return [{"Fn::Sub": [arn, BUCKET]} for arn in arns]


def test_its_entry_point_is_the_same_in_both_flavours() -> None:
    entry_point = f"{lambda_handler.__module__}.{lambda_handler.__name__}"
    image = resolved()["functions"]["batch"]
    assert image["image"] == {"name": "classifier", "command": [entry_point]}
    zipped = resolved(*SET)["functions"]["batch"]
    assert zipped["handler"] == entry_point
    assert zipped["package"] == {
        "individually": True,
        "artifact": f"../../.build/{DEFAULT_RUNTIME}-x86_64/package.zip",
    }


def test_it_takes_the_parameters_of_the_service_and_serves_the_same_version() -> None:
    configuration = resolved(*SET)
    assert configuration["functions"]["batch"]["environment"] == {
        "MODEL_PREFIX": "models/birds/versions/20261121-052655-4f61177e"
    }
    assert configuration["provider"]["memorySize"] == 3008
    told = json.loads(configuration["resources"]["Outputs"]["Parameters"]["Value"])
    assert [f"{name}={value}" for name, value in told.items()] == sorted(SET)


def test_a_failure_is_tried_twice_more_and_kept_for_14_days() -> None:
    function = resolved()["functions"]["batch"]
    assert function["maximumRetryAttempts"] == 2
    assert function["destinations"]["onFailure"]["arn"] == {"Fn::GetAtt": ["BatchFailures", "Arn"]}
    queue = resources()["BatchFailures"]["Properties"]
    assert queue == {"MessageRetentionPeriod": 14 * 24 * 3600, "SqsManagedSseEnabled": True}


def test_s3_and_nobody_else_may_call_the_function_for_the_services_bucket() -> None:
    permission = resources()["BatchPermission"]["Properties"]
    assert permission["Principal"] == "s3.amazonaws.com"
    assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}
    assert permission["SourceArn"] == {"Fn::Sub": ["arn:${AWS::Partition}:s3:::${Bucket}", BUCKET]}


def test_the_batch_functions_role_reads_its_model_images_and_answers_and_writes_answers() -> None:
    reads, writes, lists = resolved(*SET)["provider"]["iam"]["role"]["statements"]
    folders = ("models/birds/*", "batch/*", "results/*", "bulk/*", "bulk-results/*")
    assert reads["Action"] == ["s3:GetObject"]
    assert reads["Resource"] == in_bucket(*folders)
    assert writes["Action"] == ["s3:PutObject"]
    assert writes["Resource"] == in_bucket("results/*", "bulk-results/*")
    assert lists["Action"] == ["s3:ListBucket"]
    assert lists["Condition"] == {"StringLike": {"s3:prefix": [*folders[1:]]}}


def test_the_map_runs_as_many_at_once_as_are_asked_for() -> None:
    at_once = definition()["States"]["ClassifyAll"]["MaxConcurrency"]
    assert at_once == resolved()["custom"]["concurrency"] == 50


def test_the_map_tries_twice_more_and_then_reports_to_the_same_queue() -> None:
    classify = definition()["States"]["ClassifyAll"]["ItemProcessor"]["States"]["Classify"]
    *_, of_all = classify["Retry"]
    assert of_all["ErrorEquals"] == ["States.ALL"]
    assert of_all["MaxAttempts"] == 2
    (caught,) = classify["Catch"]
    assert caught["Next"] == "Report"
    report = definition()["States"]["ClassifyAll"]["ItemProcessor"]["States"]["Report"]
    assert report["Parameters"]["QueueUrl"] == "${BatchFailures}"


def test_what_becomes_of_each_object_is_written_down_for_an_output_holds_256_kb() -> None:
    everything = definition()["States"]["ClassifyAll"]
    assert everything["ResultWriter"]["Parameters"]["Bucket"] == "${Bucket}"
    folder = everything["ResultWriter"]["Parameters"]["Prefix.$"]
    assert folder == "States.Format('runs/{}', $.job)"
    (policy,) = resources()["BulkRole"]["Properties"]["Policies"]
    written = [
        statement["Resource"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "s3:PutObject" in statement["Action"]
    ]
    assert written == in_bucket("runs/*")


def test_a_failure_that_nobody_has_looked_at_raises_an_alarm() -> None:
    alarm = resources()["DeadLettersAlarm"]
    assert alarm["Condition"] == "Monitoring"
    assert alarm["Properties"]["Dimensions"] == [
        {"Name": "QueueName", "Value": {"Fn::GetAtt": ["BatchFailures", "QueueName"]}}
    ]
    told = {"Fn::If": ["AlarmsByEmail", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}
    assert alarm["Properties"]["AlarmActions"] == alarm["Properties"]["OKActions"] == told
