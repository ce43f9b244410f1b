"""Who gets in, how often, and what the function may do: with a key, then with signatures."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.role_probe import RoleProbe, role_probe
from tests.e2e.service import FUNCTION, STACK, Answer, Service, change, copy_checkout
from tools.local_aws.install import ROOT
from tools.local_aws.ministack import REGION, Ministack

pytestmark = pytest.mark.e2e

QUOTA = 12
RATE, BURST = 5, 6
PATIENCE = 30  # seconds

SENTENCE = {
    "no key": "Send the service's key in the header x-api-key",
    "no signature": "Sign the request with AWS credentials",
    "wrong signature": "The signature fits neither this request nor these credentials",
}


@dataclass(frozen=True)
class Credentials:
    """Of a user of the account, who is not its root."""

    key: str
    secret: str

    @property
    def curl(self) -> tuple[str, ...]:
        """Curl's options that sign with them."""
        return (
            *("--aws-sigv4", f"aws:amz:{REGION}:execute-api"),
            *("--user", f"{self.key}:{self.secret}"),
        )


@pytest.fixture(scope="module")
def printed(aws: Ministack, checkout: Path) -> Iterator[str]:
    """What the deployment with a key printed; the service is removed in the end."""
    service = Service(aws, checkout)
    change(checkout / "serverless.yml", "burst: 20", f"burst: {BURST}")
    params = ("auth=key", f"quota={QUOTA}", f"rate={RATE}")
    yield service.osls("deploy", *params)
    service.osls("remove --delete-bucket")
    iam = aws.client("iam")
    for role in iam.list_roles()["Roles"]:  # the one that writes access logs outlives the stack
        name = role["RoleName"]
        (managed,) = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        iam.detach_role_policy(RoleName=name, PolicyArn=managed["PolicyArn"])
        iam.delete_role(RoleName=name)


@pytest.fixture(scope="module")
def service(printed: str, aws: Ministack, checkout: Path, version: Path) -> Service:
    """The service that asks for a key, with a model."""
    service = Service(aws, checkout)
    service.publish(version)
    return service


@pytest.fixture(scope="module")
def key(service: Service) -> str:
    """The key that AWS made, read as docs/operating.md has it."""
    keys = service.aws.client("apigateway").get_api_keys(nameQuery=STACK, includeValues=True)
    (found,) = keys["items"]
    value: str = found["value"]
    return value


@pytest.fixture(scope="module")
def signed_service(service: Service) -> Service:
    """The same service, deployed again to be asked by signed requests; what has a key is over."""
    change(service.checkout / "serverless.yml", f"burst: {BURST}", "burst: 20")
    service.osls("deploy", "auth=iam", "quota=0", "rate=10", "monitoring=detailed")
    return Service(service.aws, service.checkout)


@pytest.fixture(scope="module")
def invoker(aws: Ministack, signed_service: Service) -> Iterator[Credentials]:
    """A user who may call the API."""
    with_policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "execute-api:Invoke",
                "Resource": f"arn:aws:execute-api:{REGION}:*:{signed_service.api}/*",
            }
        ],
    }
    yield from user(aws, "invoker", with_policy)


@pytest.fixture(scope="module")
def stranger(aws: Ministack) -> Iterator[Credentials]:
    """A user of the account who may do nothing."""
    yield from user(aws, "stranger", None)


def user(aws: Ministack, name: str, policy: dict[str, Any] | None) -> Iterator[Credentials]:
    iam = aws.client("iam")
    iam.create_user(UserName=name)
    if policy is not None:
        iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=json.dumps(policy))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    yield Credentials(made["AccessKeyId"], made["SecretAccessKey"])
    iam.delete_access_key(UserName=name, AccessKeyId=made["AccessKeyId"])
    if policy is not None:
        iam.delete_user_policy(UserName=name, PolicyName=name)
    iam.delete_user(UserName=name)


def check_refusal(answer: Answer, status: int, sentence: str) -> None:
    """Check that a refusal is a problem that a page may read, and says how to mend it."""
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.body["status"] == status
    assert answer.body["title"]
    assert SENTENCE[sentence] in answer.body["detail"]


def send(photo: Path) -> tuple[str, ...]:
    """Curl's options that send a photograph as the whole body."""
    return ("-H", "content-type: image/jpeg", "--data-binary", f"@{photo}")


# auth=key


def test_without_a_key_or_with_a_wrong_one_the_answer_is_401(service: Service, photo: Path) -> None:
    check_refusal(service.classify(photo), 401, "no key")
    wrong = ("-H", "x-api-key: wrong")
    check_refusal(service.curl(f"{service.url}/model", *wrong), 401, "no key")


def test_with_the_key_the_documents_own_curl_gets_its_answer(
    service: Service, key: str, photo: Path
) -> None:
    answer = service.curl(
        f"{service.url}/classify", "-H", f"x-api-key: {key}", "-F", f"file1=@{photo}"
    )
    assert answer.status == 200
    assert answer.body["predicted"].startswith("That seems to be ")


def test_a_preflight_and_what_tells_nothing_about_the_model_need_no_key(service: Service) -> None:
    asked = ("-H", "origin: https://example.org", "-H", "access-control-request-method: POST")
    preflight = service.curl("-X", "OPTIONS", f"{service.url}/classify", *asked)
    assert preflight.status == 200
    assert "X-Api-Key" in preflight.headers["access-control-allow-headers"]
    assert service.curl(f"{service.url}/ping").status == 200


def test_an_unknown_route_is_still_unknown(service: Service) -> None:
    assert service.curl(f"{service.url}/unknown").status == 404


def test_a_deployment_does_not_print_the_key_but_info_does(
    service: Service, key: str, printed: str
) -> None:
    assert f"api keys:\n  {STACK}" in printed
    assert key not in printed
    assert key in service.osls("info", "auth=key")


def test_a_deployment_ends_with_who_gets_in_and_how_often(service: Service, printed: str) -> None:
    limits = f"at most {RATE} requests a second on each route, {BURST} at once, {QUOTA} a day"
    assert printed.strip().splitlines()[-1] == (
        f"access: holders of the API key may call {service.url} (auth=key; {limits} with the key)"
    )


def test_a_deployment_says_where_the_model_belongs(service: Service, printed: str) -> None:
    store = service.outputs()["ModelStore"]
    assert f"\nmodel: the service answers with {store}/flying-objects\n" in printed
    assert f"\nnext: python -m training publish RUN {store}\n" in printed


def test_a_deployment_that_leaves_out_what_the_stage_was_told_is_refused(service: Service) -> None:
    with pytest.raises(RuntimeError) as refusal:
        service.osls("deploy function --function classifier", f"rate={RATE}")
    assert f"{STACK} was deployed with auth=key quota={QUOTA}, of which" in str(refusal.value)
    assert "to change it say so: --param auth=none --param quota=0." in str(refusal.value)
    check_refusal(service.curl(f"{service.url}/model"), 401, "no key")


def test_a_function_alone_is_not_deployed_with_other_parameters(service: Service) -> None:
    told = ("auth=key", f"quota={QUOTA}", f"rate={RATE}")
    with pytest.raises(RuntimeError, match='"deploy function" changes the code alone'):
        service.osls("deploy function --function classifier", *told, f"sha256={'0' * 64}")


def test_a_package_is_not_deployed_with_other_parameters_than_it_was_made_with(
    service: Service, tmp_path: Path
) -> None:
    told = (f"quota={QUOTA}", f"rate={RATE}")
    service.osls(f"package --package {tmp_path}", f"rate={RATE}")
    with pytest.raises(RuntimeError, match="The package was made with the parameters"):
        service.osls(f"deploy --package {tmp_path}", "auth=key", *told)
    check_refusal(service.curl(f"{service.url}/model"), 401, "no key")


def test_a_stranger_who_asks_in_a_loop_is_told_to_wait(service: Service) -> None:
    answer = ask_until(lambda: service.curl(f"{service.url}/ping"), "Too many requests")
    assert answer.status == 429
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_who_has_used_up_the_days_quota_is_told_so(service: Service, key: str) -> None:
    options = (f"{service.url}/model", "-H", f"x-api-key: {key}")
    answer = ask_until(lambda: service.curl(*options), "Quota used up", pause=1 / RATE)
    assert answer.status == 429
    assert "starts again at midnight" in answer.body["detail"]


def ask_until(ask: Any, title: str, pause: float = 0) -> Answer:
    """Ask again and again; return the first answer with this title."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        answer: Answer = ask()
        if answer.body.get("title") == title:
            return answer
        time.sleep(pause)
    raise AssertionError(f"no {title} within {PATIENCE} s; the last answer was {answer}")


# What the function may do


@pytest.fixture(scope="module")
def probe(service: Service) -> Iterator[RoleProbe]:
    """The function's role, tried from inside, with something to find wherever it looks."""
    s3, bucket = service.aws.client("s3"), bucket_of(service)
    for name in ("models/other/current.json", "results/job/gull.json"):
        s3.put_object(Bucket=bucket, Key=name, Body=b"{}")
    s3.create_bucket(Bucket="elsewhere")
    s3.put_object(Bucket="elsewhere", Key="models/flying-objects/current.json", Body=b"{}")
    with role_probe(service.aws, FUNCTION) as probe:
        yield probe
    s3.delete_object(Bucket="elsewhere", Key="models/flying-objects/current.json")
    s3.delete_bucket(Bucket="elsewhere")


def bucket_of(service: Service) -> str:
    return service.outputs()["ModelStore"].removeprefix("s3://").partition("/")[0]


ALLOWED = [
    ("s3.get_object", "models/flying-objects/current.json"),
    ("s3.put_object", "incoming/upload"),  # a form that it signs acts with its rights
    ("s3.get_object", "incoming/upload"),
]
REFUSED = [
    ("s3.get_object", "models/other/current.json"),
    ("s3.get_object", "models/flying-objects-2/current.json"),
    ("s3.get_object", "results/job/gull.json"),
    ("s3.get_object", "batch/job/gull.jpg"),
    ("s3.get_object", "other"),
    ("s3.put_object", "models/flying-objects/current.json"),
    ("s3.put_object", "models/flying-objects/versions/new/model.json"),
    ("s3.put_object", "results/job/gull.json"),
    ("s3.delete_object", "models/flying-objects/current.json"),
    ("s3.delete_object", "incoming/upload"),
    ("s3.put_object_acl", "models/flying-objects/current.json"),
]


@pytest.mark.parametrize(("call", "name"), ALLOWED)
def test_the_role_may(probe: RoleProbe, service: Service, call: str, name: str) -> None:
    assert probe.try_to(*call.split("."), Bucket=bucket_of(service), Key=name) == "allowed"


@pytest.mark.parametrize(("call", "name"), REFUSED)
def test_the_role_may_not(probe: RoleProbe, service: Service, call: str, name: str) -> None:
    acl = {"ACL": "public-read"} if call.endswith("acl") else {}
    place = {"Bucket": bucket_of(service), "Key": name, **acl}
    assert probe.try_to("s3", call.removeprefix("s3."), **place) == "AccessDenied"


@pytest.mark.parametrize("call", ["list_objects_v2", "get_bucket_policy", "delete_bucket_policy"])
def test_the_role_may_not_ask_or_change_the_bucket_itself(
    probe: RoleProbe, service: Service, call: str
) -> None:
    assert probe.try_to("s3", call, Bucket=bucket_of(service)) == "AccessDenied"


def test_the_role_may_not_read_another_bucket(probe: RoleProbe) -> None:
    elsewhere = {"Bucket": "elsewhere", "Key": "models/flying-objects/current.json"}
    assert probe.try_to("s3", "get_object", **elsewhere) == "AccessDenied"


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("s3.list_buckets", {}),
        ("iam.list_roles", {}),
        ("iam.create_user", {"UserName": "mallory"}),
        ("lambda.list_functions", {}),
        ("lambda.invoke", {"FunctionName": FUNCTION}),
        ("apigateway.get_api_keys", {}),
        ("secretsmanager.list_secrets", {}),
        ("cloudformation.delete_stack", {"StackName": STACK}),
        ("logs.describe_log_groups", {}),
    ],
)
def test_the_role_may_do_nothing_else_in_the_account(
    probe: RoleProbe, call: str, arguments: dict[str, str]
) -> None:
    assert probe.try_to(*call.split("."), **arguments) in ("AccessDenied", "AccessDeniedException")


def test_the_functions_environment_holds_settings_and_no_secret(service: Service) -> None:
    configuration = service.aws.client("lambda").get_function_configuration(FunctionName=FUNCTION)
    variables = configuration["Environment"]["Variables"]
    assert {name.partition("_")[0] for name in variables} == {
        "MODEL",
        "INCOMING",
        "METRICS",
        "OPENBLAS",
    }
    assert not [name for name in variables if "SECRET" in name or "KEY" in name]


# The bucket


def test_the_deployed_bucket_is_private_encrypted_versioned_and_tls_only(service: Service) -> None:
    s3, bucket = service.aws.client("s3"), bucket_of(service)
    blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert len(blocked) == 4
    assert set(blocked.values()) == {True}
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    (rule,) = encryption["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


# auth=iam


def test_without_a_signature_the_answer_is_401(signed_service: Service, photo: Path) -> None:
    check_refusal(signed_service.classify(photo), 401, "no signature")


def test_a_key_opens_nothing_any_more(signed_service: Service, key: str) -> None:
    answer = signed_service.curl(f"{signed_service.url}/model", "-H", f"x-api-key: {key}")
    check_refusal(answer, 401, "no signature")
    gateway = signed_service.aws.client("apigateway")
    assert gateway.get_api_keys()["items"] == gateway.get_usage_plans()["items"] == []


def test_who_may_invoke_the_api_signs_and_gets_an_answer(
    signed_service: Service, invoker: Credentials, photo: Path
) -> None:
    url = f"{signed_service.url}/classify"
    answer = signed_service.curl(url, *invoker.curl, *send(photo))
    assert answer.status == 200
    assert answer.body["file"] == "body"


def test_predict_signs_as_the_readme_has_it(
    signed_service: Service, invoker: Credentials, photo: Path
) -> None:
    aws = signed_service.aws
    endpoint = f"{aws.endpoint}/restapis/{signed_service.api}/dev/_user_request_"
    command = [sys.executable, "-m", "training", "predict", str(photo), "--endpoint", endpoint]
    environment = {
        **aws.env,
        "AWS_ACCESS_KEY_ID": invoker.key,
        "AWS_SECRET_ACCESS_KEY": invoker.secret,
        "REQUESTS_CA_BUNDLE": str(aws.certificate),
        "NO_PROXY": "127.0.0.1",
    }
    ask = partial(subprocess.run, cwd=ROOT, env=environment, capture_output=True, text=True)
    unsigned, signed = ask(command), ask([*command, "--sign"])
    assert unsigned.returncode == 2
    assert "give --sign" in " ".join(unsigned.stderr.split())
    assert signed.returncode == 0, signed.stderr


def test_a_signature_with_another_secret_is_refused(
    signed_service: Service, invoker: Credentials
) -> None:
    forged = Credentials(invoker.key, "wrong")
    answer = signed_service.curl(f"{signed_service.url}/model", *forged.curl)
    check_refusal(answer, 401, "wrong signature")


def test_a_user_of_the_account_without_the_right_is_refused(
    signed_service: Service, stranger: Credentials
) -> None:
    # ministack gives this refusal a form of its own, not that of the gateway's ACCESS_DENIED
    answer = signed_service.curl(f"{signed_service.url}/model", *stranger.curl)
    assert answer.status == 403


def test_the_settings_of_the_stage_follow_each_deployment(signed_service: Service) -> None:
    stage = signed_service.aws.client("apigateway").get_stage(
        restApiId=signed_service.api, stageName="dev"
    )
    limits = stage["methodSettings"]["*/*"]
    assert (limits["throttlingRateLimit"], limits["throttlingBurstLimit"]) == (10, 20)
    assert stage["tracingEnabled"] is True


def test_detailed_monitoring_traces_the_function_and_lets_the_gateway_write_its_log(
    signed_service: Service,
) -> None:
    functions, logs = (signed_service.aws.client(name) for name in ("lambda", "logs"))
    function = functions.get_function_configuration(FunctionName=FUNCTION)
    assert function["TracingConfig"] == {"Mode": "Active"}
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/aws/apigateway/")["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == (f"/aws/apigateway/{STACK}", 30)
    account = signed_service.aws.client("apigateway").get_account()
    assert "GatewayLogRole" in account["cloudwatchRoleArn"]


# auth=none, which must be said


def test_a_service_is_opened_by_a_deployment_that_says_so(
    signed_service: Service, invoker: Credentials
) -> None:
    with pytest.raises(RuntimeError, match="was deployed with auth=iam monitoring=detailed, of"):
        signed_service.osls("deploy")
    same = ("quota=0", "rate=10", "monitoring=detailed")
    printed = signed_service.osls("deploy", "auth=none", *same)
    last = printed.strip().splitlines()[-1]
    assert last.startswith(f"access: everyone who knows {signed_service.url} may call it")
    assert signed_service.curl(f"{signed_service.url}/model").status == 200


# A stage of an earlier release, which is no resource of its stack


def test_the_stage_of_an_earlier_release_is_taken_over_with_its_key(
    aws: Ministack, tmp_path: Path
) -> None:
    checkout = copy_checkout(tmp_path)
    edited = {
        "serverless.yml": ("  - ${file(deploy/gateway-stage.yml)}\n", ""),
        "deploy/plugin.js": ("      ...access.leaveStage(this.provider, this.serverless),\n", ""),
    }
    for file, (text, replacement) in edited.items():
        change(checkout / file, text, replacement)
    change(checkout / "serverless.yml", "stage: dev", "stage: old")
    service = Service(aws, checkout)
    service.osls("deploy", "auth=key")
    before = service.outputs("flying-objects-old")
    cloudformation, gateway = aws.client("cloudformation"), aws.client("apigateway")

    def kinds() -> set[str]:
        listed = cloudformation.describe_stack_resources(StackName="flying-objects-old")
        return {resource["ResourceType"] for resource in listed["StackResources"]}

    assert "AWS::ApiGateway::Stage" not in kinds()
    for file in edited:
        (checkout / file).write_bytes((ROOT / file).read_bytes())
    change(checkout / "serverless.yml", "stage: dev", "stage: old")
    service.osls("deploy", "auth=key", "rate=7")
    assert "AWS::ApiGateway::Stage" in kinds()
    assert service.outputs("flying-objects-old")["ServiceEndpoint"] == before["ServiceEndpoint"]
    api = before["ServiceEndpoint"].removeprefix("https://").partition(".")[0]
    limits = gateway.get_stage(restApiId=api, stageName="old")["methodSettings"]["*/*"]
    assert (limits["throttlingRateLimit"], limits["throttlingBurstLimit"]) == (7, 20)
    (key,) = gateway.get_api_keys(includeValues=True)["items"]
    ping = before["ServiceEndpoint"] + "/model"
    check_refusal(service.curl(ping), 401, "no key")
    assert service.curl(ping, "-H", f"x-api-key: {key['value']}").status == 503  # no model
    service.osls("remove --delete-bucket", "auth=key")
