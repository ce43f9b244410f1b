"""Which parameters a deployment takes, and from where; needs node, but no AWS."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.service import change, copy_checkout, run_osls
from tools.local_aws.install import ROOT

pytestmark = pytest.mark.e2e

WRONG_VALUES = {
    "engine": ("onxx", "must be equal to one of the allowed values [torchscript, onnx]"),
    "architecture": ("sparc", "must be equal to one of the allowed values [x86_64, arm64]"),
    "model": ("../other", "must match pattern"),
    "version": ("a/b", "must match pattern"),
    "sha256": ("4f61177e", "must match pattern"),
    "memory": ("64", "must be >= 128"),
    "provisioned": ("abc", "must be integer"),
    "snapstart": ("perhaps", "must be boolean"),
    "auth": ("Key", "must be equal to one of the allowed values [none, key, iam]"),
    "rate": ("0", "must be > 0"),
    "quota": ("-1", "must be >= 0"),
    "reserved": ("some", "must match pattern"),
    "monitoring": ("TRUE", "must be equal to one of the allowed values [true, false, detailed]"),
    "alarmEmail": ("nobody", "must match pattern"),
}

ASK = """
const fs = require('node:fs');
const { readParameters } = require('./deploy/parameters.js');
const { defaults, cases } = JSON.parse(fs.readFileSync(0, 'utf8'));
const answers = cases.map(({ params, stages, file, folder, commands }) => {
  fs.rmSync(`${folder}/stages.yml`, { force: true });
  if (file !== null) fs.writeFileSync(`${folder}/stages.yml`, file);
  const serverless = {
    serviceDir: folder,
    configurationInput: { params: { default: defaults, ...stages } },
    processedInput: { commands, options: { param: params } },
    extendConfiguration() {},
  };
  try {
    return [...readParameters(serverless, 'dev', folder)].sort();
  } catch (error) {
    return error.message;
  }
});
console.log(JSON.stringify(answers));
"""


@cache
def resolved(*params: str) -> dict[str, Any]:
    configuration: dict[str, Any] = json.loads(run_osls("print --format json", *params))
    return configuration


@cache
def defaults() -> dict[str, Any]:
    found: dict[str, Any] = resolved()["params"]["default"]
    return found


def case(
    *params: str | None,
    stages: dict[str, Any] | None = None,
    file: str | None = None,
    command: str = "deploy",
) -> dict[str, Any]:
    """A command line, the stages of serverless.yml, and the text of stages.yml."""
    return {"params": params, "stages": stages or {}, "file": file, "commands": command.split()}


def ask(folder: Path, *cases: dict[str, Any]) -> list[Any]:
    """Return the names that each case sets for the stage dev, or why it is refused."""
    question = {
        "defaults": defaults(),
        "cases": [{**one, "folder": str(folder)} for one in cases],
    }
    done = subprocess.run(
        ["node", "-e", ASK],
        cwd=ROOT,
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
    )
    answers: list[Any] = json.loads(done.stdout)
    return answers


def misspelt(name: str) -> str:
    """Swap two neighbours, as a hand does: auth becomes auht."""
    return f"{name[:-2]}{name[-1]}{name[-2]}"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that osls deploys from, where a test may write stages.yml."""
    return copy_checkout(tmp_path)


def test_every_parameter_has_its_place_in_the_table_of_wrong_values() -> None:
    assert WRONG_VALUES.keys() == defaults().keys() == resolved()["custom"]["settings"].keys()


def test_a_name_that_is_none_is_refused_wherever_it_is_said_with_the_nearest_one(
    tmp_path: Path,
) -> None:
    cases = [
        (name, one)
        for name in defaults()
        for wrong in (misspelt(name),)
        for one in (
            case(f"{wrong}=1"),
            case("auth=key", f"{wrong}=1"),
            case(stages={"dev": {wrong: 1}}),
            case(stages={"other": {wrong: 1}}),
            case(file=f"dev: {{{wrong}: 1}}"),
            case(file=f"dev: {{}}\nother: {{auth: key, {wrong}: 1}}"),
        )
    ]
    answers = ask(tmp_path, *(one for _, one in cases))
    for (name, _), answer in zip(cases, answers, strict=True):
        assert f'there is no parameter "{misspelt(name)}". Did you mean "{name}"?' in answer
        assert answer.endswith(f"There are {', '.join(defaults())}.")


@pytest.mark.parametrize("name", [" auth", "AUTH", "auth ", "--auth", "auth:"])
def test_a_name_must_be_exact(name: str, tmp_path: Path) -> None:
    (answer,) = ask(tmp_path, case(f"{name}=key"))
    assert f'there is no parameter "{name}". Did you mean "auth"?' in answer


def test_a_parameter_without_a_value_is_refused(tmp_path: Path) -> None:
    names = defaults()
    params = [
        param
        for name in names
        for param in (f"{name}=", name, f"{name}= ", f"={name}=1", f"{name}=1\n2", None)
    ]
    for param, answer in zip(params, ask(tmp_path, *map(case, params)), strict=True):
        assert answer == f"--param {param or ''} gives no value: write --param NAME=VALUE."
    empty = [(name, value) for name in names for value in ("", "''", "[1]", "{a: 1}", "~")]
    files = [case(file=f"dev: {{{name}: {value}}}") for name, value in empty]
    for (name, _), answer in zip(empty, ask(tmp_path, *files), strict=True):
        assert f"{name} of dev in stages.yml must have one value" in answer


@pytest.mark.parametrize("again", ["none", "key"])
def test_a_parameter_that_is_given_twice_is_refused(again: str, tmp_path: Path) -> None:
    (answer,) = ask(tmp_path, case("auth=key", "rate=5", f"auth={again}"))
    assert answer == "--param auth is given more than once."


def test_what_a_stage_is_told_is_what_the_command_line_and_its_entry_name(tmp_path: Path) -> None:
    answers = ask(
        tmp_path,
        case(),
        case("auth=key"),
        case("auth=key", stages={"dev": {"rate": 5}, "prod": {"quota": 1}}),
        case("auth=key", file="dev: {auth: none, engine: onnx}\nprod: {quota: 1}"),
    )
    assert answers == [[], ["auth"], ["auth", "rate"], ["auth", "engine"]]


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        ("dev: {auth: key", "stages.yml cannot be read"),
        ("- dev", "stages.yml must name stages"),
        ("dev: key", "dev in stages.yml must be parameters with their values"),
        ("dev:", "dev in stages.yml must be parameters with their values"),
        ("default: {auth: key}", 'stages.yml has "default"'),
        ("prod: {auth: key}", 'does not name the stage dev; it names prod.*add the line "dev: {}"'),
    ],
)
def test_a_file_of_stages_that_says_nothing_clear_is_refused(
    file: str, complaint: str, tmp_path: Path
) -> None:
    (answer,) = ask(tmp_path, case(file=file))
    with pytest.raises(RuntimeError, match=complaint):
        raise RuntimeError(answer)


def test_a_stage_has_one_place(tmp_path: Path) -> None:
    (answer,) = ask(tmp_path, case(stages={"dev": {"auth": "key"}}, file="dev: {auth: none}"))
    assert answer == "The stage dev is in serverless.yml and in stages.yml."


def test_a_stage_that_the_file_names_no_more_can_still_be_removed(tmp_path: Path) -> None:
    assert ask(tmp_path, case(file="prod: {}", command="remove")) == [[]]


@pytest.mark.parametrize("name", ["stages.yaml", "stage.yml", "Stages.yml"])
def test_a_file_that_is_nearly_called_so_is_not_passed_over(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("dev: {auth: key}")
    assert ask(tmp_path, case()) == [f"{name} is not read: call it stages.yml."]


Deployed = tuple[dict[str, str], dict[str, str]]
"""The outputs of a stack, and the parameters of its next deployment."""


def omissions(*cases: Deployed) -> list[str | None]:
    """Return why each stack is not deployed with these parameters."""
    return refusals("omission", [(outputs, told, defaults()) for outputs, told in cases])


def refusals(function: str, cases: list[tuple[dict[str, str], *tuple[object, ...]]]) -> list[Any]:
    """Return what a function of parameters.js says of a stack with the outputs of each case."""
    calls = [[stack(outputs), *arguments] for outputs, *arguments in cases]
    script = (
        f"const {{ {function} }} = require('./deploy/parameters.js');"
        "const calls = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));"
        f"console.log(JSON.stringify(calls.map((call) => {function}(...call) ?? null)));"
    )
    done = subprocess.run(
        ["node", "-e", script],
        cwd=ROOT,
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=True,
    )
    answers: list[Any] = json.loads(done.stdout)
    return answers


def stack(outputs: dict[str, str]) -> dict[str, Any]:
    """Return a stack with these outputs, as CloudFormation describes it."""
    listed = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    return {"StackName": "a-stack", "Outputs": listed}


DEPLOYED = {"ServiceEndpoint": "https://…"}


def test_each_parameter_that_a_stage_was_told_is_missed_where_it_is_left_out() -> None:
    another = {
        name: {**DEPLOYED, "Parameters": json.dumps({name: "another"})} for name in defaults()
    }
    missed = omissions(*((before, {}) for before in another.values()))
    for (name, default), reason in zip(defaults().items(), missed, strict=True):
        assert reason is not None
        assert f"a-stack was deployed with {name}=" in reason
        assert reason.lower().endswith(f"say so: --param {name}={default}.".lower())
    said = [(before, {name: "something"}) for name, before in another.items()]
    unchanged: list[Deployed] = [
        ({**DEPLOYED, "Parameters": json.dumps({name: str(default).lower()})}, {})
        for name, default in defaults().items()
    ]
    assert set(omissions(*said, *unchanged)) == {None}


def test_a_service_that_a_changed_default_closed_is_not_opened_by_the_old_default(
    checkout: Path,
) -> None:
    change(checkout / "serverless.yml", "auth: none #", "auth: key #")
    printed = json.loads(run_osls("print --format json", cwd=checkout))
    told = printed["resources"]["Outputs"]["Parameters"]["Value"]
    (reason,) = omissions(({**DEPLOYED, "Parameters": told}, {}))
    assert "a-stack was deployed with auth=key, of which this deployment says nothing" in str(
        reason
    )


def test_a_parameter_that_there_is_no_more_is_not_missed() -> None:
    before = {**DEPLOYED, "Parameters": '{"colour": "red"}'}
    assert omissions((before, {})) == [None]


FORMER = {
    "runtime": ("python3.12", "provider.runtime of serverless.yml"),
    "timeout": ("20", "provider.timeout of serverless.yml"),
    "logRetention": ("365", "provider.logRetentionInDays of serverless.yml"),
    "refresh": ("0", "provider.environment.MODEL_REFRESH_SECONDS of serverless.yml"),
    "burst": ("7", "custom.burst of serverless.yml"),
    "baseImage": ("another", "BASE_IMAGE of Dockerfile"),
}


def test_a_parameter_of_an_earlier_release_keeps_its_value_until_the_file_has_it() -> None:
    def reasons(values: dict[str, str]) -> list[str | None]:
        files = {part: resolved()[part] for part in ("provider", "custom")}, str(ROOT)
        told = [{**DEPLOYED, "Parameters": json.dumps({name: values[name]})} for name in FORMER]
        return refusals("formerOmission", [(outputs, *files) for outputs in told])

    changed = reasons({name: value for name, (value, _) in FORMER.items()})
    for (name, (value, place)), reason in zip(FORMER.items(), changed, strict=True):
        assert reason is not None
        assert f"a-stack was deployed with the former parameters {name}={value}, " in reason
        assert f"Write the values there ({place})" in reason
    assert set(reasons({name: now(place) for name, (_, place) in FORMER.items()})) == {None}


def now(place: str) -> str:
    """Return what the files of this release have at a place."""
    key, _, file = place.split()
    if file == "Dockerfile":
        return (ROOT / file).read_text().partition(f"ARG {key}=")[2].split()[0]
    value: Any = resolved()
    for part in key.split("."):
        value = value[part]
    return str(value)


def test_a_parameter_of_an_earlier_release_is_refused_with_what_there_is_instead(
    tmp_path: Path,
) -> None:
    names = [*FORMER, "bulk", "concurrency"]
    cases = [(name, case(f"{name}=1")) for name in names]
    cases += [(name, case(file=f"dev: {{{name}: 1}}")) for name in names]
    answers = ask(tmp_path, *(one for _, one in cases))
    for (name, _), answer in zip(cases, answers, strict=True):
        assert f": {name} is no parameter any more. Instead there is " in answer


def test_a_stack_that_does_not_say_what_it_was_told_needs_auth_to_be_said() -> None:
    silent, said, failed = omissions(
        (DEPLOYED, {}),
        (DEPLOYED, {"auth": "key"}),
        ({"ServerlessDeploymentBucketName": "b"}, {}),
    )
    assert "Give --param auth=" in str(silent)
    assert said is None
    assert failed is None


def test_a_deployment_whose_alarms_nobody_hears_warns() -> None:
    script = """
        const { prototype } = require('./deploy/stack.js');
        const warned = (settings) => {
          const warnings = [];
          const log = { warning: (text) => warnings.push(text) };
          prototype.checkAlarms.call({ log, serverless: { service: { custom: { settings } } } });
          return warnings.join();
        };
        const cases = [
          { monitoring: 'true', alarmEmail: 'none' },
          { monitoring: 'detailed', alarmEmail: 'none' },
          { monitoring: 'false', alarmEmail: 'none' },
          { monitoring: 'true', alarmEmail: 'a@b.c' },
        ];
        console.log(JSON.stringify(cases.map(warned)));
    """
    done = subprocess.run(["node", "-e", script], cwd=ROOT, capture_output=True, text=True)
    alarms, detailed, *quiet = json.loads(done.stdout)
    assert "notify nobody" in alarms
    assert "--param alarmEmail=" in alarms
    assert detailed == alarms
    assert quiet == ["", ""]


def test_every_wrong_value_is_refused_with_what_it_may_be(checkout: Path) -> None:
    stages = {"dev": {name: value for name, (value, _) in WRONG_VALUES.items()}}
    params = [f"{name}={value}" for name, value in stages["dev"].items()]
    for file, given in ((None, params), (json.dumps(stages), [])):
        if file:
            (checkout / "stages.yml").write_text(file)
        with pytest.raises(RuntimeError) as refusal:
            run_osls("print", *given, cwd=checkout)
        for name, (_, complaint) in WRONG_VALUES.items():
            assert f"'custom.settings.{name}': {complaint}" in str(refusal.value)


def test_a_quota_needs_keys() -> None:
    with pytest.raises(RuntimeError, match="it needs auth=key, not auth=none"):
        run_osls("print", "quota=100")


@pytest.mark.parametrize("command", ["package", "deploy function -f classifier"])
def test_no_command_goes_on_with_a_misspelt_parameter(command: str, checkout: Path) -> None:
    nowhere = {**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with pytest.raises(RuntimeError, match='no parameter "auht". Did you mean "auth"') as refusal:
        run_osls(command, "auht=key", env=nowhere, cwd=checkout)
    assert "    at " not in str(refusal.value)
    assert not (checkout / ".serverless").exists()


def test_a_stage_remembers_its_parameters_and_the_command_line_has_the_last_word(
    checkout: Path,
) -> None:
    (checkout / "stages.yml").write_text(
        "prod: {engine: onnx, auth: key, quota: 5000, alarmEmail: '${env:WATCH, \"a@b.c\"}'}\n"
        "dev: {memory: 3008}\n"
    )

    def settings(*params: str, command: str = "print") -> tuple[dict[str, Any], dict[str, Any]]:
        printed = json.loads(run_osls(f"{command} --format json", *params, cwd=checkout))
        told: dict[str, Any] = json.loads(printed["resources"]["Outputs"]["Parameters"]["Value"])
        return printed["custom"]["settings"], told

    prod, told = settings("memory=2048", "quota=100", command="print --stage prod")
    assert prod == {
        **{**resolved()["custom"]["settings"], "engine": "onnx", "auth": "key"},
        **{"quota": 100, "memory": 2048, "alarmEmail": "a@b.c"},
    }
    assert told == {
        **{"alarmEmail": "a@b.c", "auth": "key", "engine": "onnx"},
        **{"memory": "2048", "quota": "100"},
    }
    dev, told = settings()
    assert dev == {**resolved()["custom"]["settings"], "memory": 3008}
    assert told == {"auth": "none", "memory": "3008"}  # auth is remembered though nobody said it


def test_every_parameter_that_means_none_has_a_word_for_it() -> None:
    plain = resolved()
    said = resolved("reserved=none", "sha256=any", "alarmEmail=none", "version=current")
    assert said["custom"]["settings"] == plain["custom"]["settings"]
    assert said["functions"] == plain["functions"]
    assert said["provider"]["environment"] == plain["provider"]["environment"]
    assert said["provider"]["environment"]["MODEL_SHA256"] == ""
