"""deploy/batches.yml and deploy/bulk.yml, as osls resolves them; needs node, but no AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

import pytest

from service.batch import lambda_handler
from tests.e2e.service import run_osls

pytestmark = pytest.mark.e2e


@cache
def resolved(*params: str) -> dict[str, Any]:
    configuration: dict[str, Any] = json.loads(run_osls("print --format json", *params))
    return configuration


def resources(*params: str) -> dict[str, Any]:
    """Return the resources, with what is added to those of other files."""
    found: dict[str, Any] = resolved(*params)["resources"]["Resources"]
    return found


def definition(*params: str) -> dict[str, Any]:
    """Return what the state machine runs."""
    machine = resources("bulk=true", *params)["BulkStateMachine"]
    text: str = machine["Properties"]["DefinitionString"]["Fn::Sub"]
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def actions(policy: dict[str, Any]) -> set[str]:
    return {action for statement in policy["Statement"] for action in listed(statement["Action"])}


def listed(one_or_more: Any) -> list[Any]:
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


def references(value: Any) -> Iterator[str]:
    """Yield the logical ids that a part of a template refers to."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref":
                yield item
            elif key == "Fn::GetAtt":
                yield item[0]
            elif key == "Fn::Sub":
                yield from re.findall(r"\$\{([A-Za-z0-9]+)", item)
            elif key == "DependsOn":
                yield from listed(item)
            else:
                yield from references(item)


@pytest.mark.parametrize("engine", ["torchscript", "onnx"])
def test_its_entry_point_is_the_same_in_both_flavours(engine: str) -> None:
    function = resolved(f"engine={engine}")["functions"]["batch"]
    entry_point = f"{lambda_handler.__module__}.{lambda_handler.__name__}"
    if engine == "onnx":
        assert function["handler"] == entry_point
        assert function["package"] == resolved("engine=onnx")["functions"]["classifier"]["package"]
    else:
        assert function["image"] == {"name": "classifier", "command": [entry_point]}


def test_a_failure_is_tried_twice_more_and_kept_for_14_days() -> None:
    function = resolved()["functions"]["batch"]
    assert function["maximumRetryAttempts"] == 2
    assert function["destinations"]["onFailure"]["arn"] == {"Fn::GetAtt": ["BatchFailures", "Arn"]}
    queue = resources()["BatchFailures"]["Properties"]
    assert queue == {"MessageRetentionPeriod": 14 * 24 * 3600, "SqsManagedSseEnabled": True}


def test_s3_tells_the_function_of_what_is_put_under_batch_and_of_nothing_else() -> None:
    bucket = resolved()["resources"]["extensions"]["ModelBucket"]
    (told,) = bucket["Properties"]["NotificationConfiguration"]["LambdaConfigurations"]
    assert told["Event"] == "s3:ObjectCreated:*"
    assert told["Filter"]["S3Key"]["Rules"] == [{"Name": "prefix", "Value": "batch/"}]
    assert bucket["DependsOn"] == ["BatchPermission"]
    permission = resources()["BatchPermission"]["Properties"]
    assert permission["Principal"] == "s3.amazonaws.com"
    assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}


@pytest.mark.parametrize("bulk", ["false", "true"])
def test_cloudformation_finds_an_order_in_which_to_make_all(bulk: str) -> None:
    configuration = resolved(f"bulk={bulk}")
    found = configuration["resources"]
    nodes: dict[str, Any] = {}
    for name, resource in found["Resources"].items():
        nodes[name] = [resource, found["extensions"].get(name)]
    for name, function in configuration["functions"].items():
        environment = {**configuration["provider"]["environment"], **function["environment"]}
        role = {"Ref": function["role"]} if "role" in function else configuration["provider"]["iam"]
        nodes[f"{name.capitalize()}LambdaFunction"] = [environment, role]
    edges = {name: set(references(node)) for name, node in nodes.items()}
    assert "BatchLambdaFunction" in edges["ModelBucket"]
    assert "ModelBucket" in edges["ClassifierLambdaFunction"]
    TopologicalSorter(edges).prepare()  # raises where they go in a circle


def test_the_batch_functions_role_reads_its_model_images_and_answers_and_writes_answers() -> None:
    role, policy = (resources("model=birds")[name] for name in ("BatchRole", "BatchPolicy"))
    (own,) = role["Properties"]["Policies"]
    assert actions(own["PolicyDocument"]) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:SendMessage",
    }
    reads, writes, lists = policy["Properties"]["PolicyDocument"]["Statement"]
    folders = ("models/birds", "batch", "results")
    assert reads["Action"] == "s3:GetObject"
    assert reads["Resource"] == [{"Fn::Sub": f"${{ModelBucket.Arn}}/{name}/*"} for name in folders]
    assert writes["Action"] == "s3:PutObject"
    assert writes["Resource"] == {"Fn::Sub": "${ModelBucket.Arn}/results/*"}
    assert lists["Action"] == "s3:ListBucket"
    assert lists["Condition"] == {"StringLike": {"s3:prefix": ["batch/*", "results/*"]}}


def test_the_map_is_there_only_where_it_is_asked_for() -> None:
    assert not any(name.startswith("Bulk") for name in resources())
    added = resources("bulk=true").keys() - resources().keys()
    assert added == {"BulkStateMachine", "BulkRole", "BulkObjects"}


def test_the_maps_answers_have_a_folder_of_their_own() -> None:
    policy = resources("bulk=true")["BulkObjects"]["Properties"]["PolicyDocument"]
    reads, writes, lists = policy["Statement"]
    folders = [{"Fn::Sub": f"${{ModelBucket.Arn}}/{name}/*"} for name in ("bulk", "bulk-results")]
    assert reads["Resource"] == folders
    assert writes["Action"] == "s3:PutObject"
    assert writes["Resource"] == folders[1]
    assert lists["Condition"] == {"StringLike": {"s3:prefix": ["bulk/*", "bulk-results/*"]}}


def test_the_map_runs_as_many_at_once_as_are_asked_for() -> None:
    assert definition()["States"]["ClassifyAll"]["MaxConcurrency"] == 50
    assert definition("concurrency=7")["States"]["ClassifyAll"]["MaxConcurrency"] == 7


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
    assert everything["ResultWriter"]["Parameters"]["Bucket"] == "${ModelBucket}"
    folder = everything["ResultWriter"]["Parameters"]["Prefix.$"]
    assert folder == "States.Format('runs/{}', $.job)"
    (policy,) = resources("bulk=true")["BulkRole"]["Properties"]["Policies"]
    written = [
        statement["Resource"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "s3:PutObject" in statement["Action"]
    ]
    assert written == [{"Fn::Sub": "${ModelBucket.Arn}/runs/*"}]


@pytest.mark.parametrize(
    ("param", "complaint"),
    [
        ("bulk=perhaps", "must be boolean"),
        ("concurrency=0", "must be >= 1"),
        ("concurrency=20000", "must be <= 10000"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_it_may_be(param: str, complaint: str) -> None:
    with pytest.raises(RuntimeError) as refusal:
        resolved(param)
    assert complaint in str(refusal.value)
