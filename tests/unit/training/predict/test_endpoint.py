"""``predict --endpoint``: a deployed service is asked patiently, and its reasons are passed on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.utils import formatdate
from pathlib import Path

import pytest
import requests
from werkzeug.wrappers import Request, Response

from handler import create_app
from model_loader import SharedModel, load_model
from tests.support.command_line import mistake, run
from tests.support.films import drawn, write_film
from tests.support.images import encode, noise
from tests.support.servers import Moody, hanging_up, serving
from tests.support.versions import LABELS
from training.errors import TrainingError
from training.predict import endpoint as module
from training.predict.endpoint import Endpoint, base_address
from training.predict.questions import Answer, ImageFile
from training.predict.retries import Retries
from training.predict.signature import Signature

Mood = Callable[[Request, int], Response | None]
Start = Callable[[Mood], tuple[str, Moody]]


@pytest.fixture(autouse=True)
def directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask without a proxy, and without the environment's key."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv(module.KEY_VARIABLE, raising=False)


@pytest.fixture
def service(published: str) -> Iterator[str]:
    with serving(create_app(SharedModel(published))) as address:
        yield address


@pytest.fixture
def moody(published: str) -> Iterator[Start]:
    """Run the service with a mood; return its address, and what it noted."""
    with ExitStack() as stack:

        def start(mood: Mood) -> tuple[str, Moody]:
            app = Moody(create_app(SharedModel(published)), mood)
            return stack.enter_context(serving(app)), app

        yield start


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number} ç.png").write_bytes(encode(noise(40, 30, number), "PNG"))
    return folder


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited for, in seconds; nothing really is."""
    waited: list[float] = []
    monkeypatch.setattr(Retries, "_wait", lambda self, seconds: waited.append(seconds))
    return waited


def busy(times: int, status: int = 503, retry_after: str | None = None) -> Mood:
    """Return a mood that answers so many questions with an error, then the truth."""

    def mood(request: Request, before: int) -> Response | None:
        if request.path != "/classify" or before >= times:
            return None
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        return Response('{"detail": "Busy."}', status, headers, mimetype="application/problem+json")

    return mood


# Answers


@pytest.mark.parametrize("ending", ["", "/", "/classify", "/classify/"])
def test_the_service_answers_like_the_model_itself(
    ending: str, service: str, version: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("predict", pictures, "--endpoint", service + ending, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    model = load_model(str(version))
    assert [Path(answer["image"]) for answer in found] == sorted(pictures.iterdir())
    for answer in found:
        expected = model.classify(Path(answer["image"]).read_bytes())
        assert answer["label"] == expected.label
        assert answer["scores"] == pytest.approx(expected.scores, abs=1e-4)
        assert tuple(answer["scores"]) == LABELS


def test_a_csv_of_a_service_has_the_models_classes(
    service: str, pictures: Path, tmp_path: Path
) -> None:
    assert run("predict", pictures, "--endpoint", service, "--csv", tmp_path / "a.csv") == 0
    header, *rows = (tmp_path / "a.csv").read_text().splitlines()
    assert header.split(",")[4:] == list(LABELS)
    assert len(rows) == 5


def test_frames_of_a_video_are_sent(
    service: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = write_film(tmp_path / "film.avi", drawn(3))
    assert run("predict", film, "--endpoint", service, "--json") == 0
    assert [answer["label"] in LABELS for answer in json.loads(capsys.readouterr().out)] == [
        True
    ] * 3


def test_several_requests_are_under_way_at_a_time(moody: Start, pictures: Path) -> None:
    together = threading.Barrier(3, timeout=20)

    def mood(request: Request, before: int) -> None:
        if request.path == "/classify" and before < 3:
            together.wait()  # breaks where three are never there together

    address, _ = moody(mood)
    found = list(Endpoint(address, at_once=3).answers(map(ImageFile, sorted(pictures.iterdir()))))
    assert [answer.error for answer in found] == [""] * 5
    assert [Path(answer.image) for answer in found] == sorted(pictures.iterdir())


def test_a_key_is_sent_and_none_unless_given(
    moody: Start,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, app = moody(lambda request, before: None)
    assert run("predict", pictures / "0 ç.png", "--endpoint", address) == 0
    monkeypatch.setenv(module.KEY_VARIABLE, "from the environment")
    assert run("predict", pictures / "0 ç.png", "--endpoint", address) == 0
    assert app.requests == ["/model", "/classify"] * 2
    assert app.keys == [None] * 2 + ["from the environment"] * 2


def test_requests_are_signed_when_asked_for_and_with_what_they_send(
    moody: Start, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = []

    def mood(request: Request, before: int) -> None:
        signed.append((request.headers.get("authorization", ""), request.headers.get("x-amz-date")))

    address, _ = moody(mood)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    assert run("predict", pictures, "--endpoint", address, "--sign") == 0
    assert len(signed) == 6
    assert len({authorization for authorization, _ in signed}) == 6
    for authorization, moment in signed:
        scope = f"Credential=the-id/{str(moment)[:8]}/eu-north-1/execute-api/aws4_request"
        assert authorization.startswith(f"AWS4-HMAC-SHA256 {scope}")


def test_the_region_of_a_signature_is_the_one_in_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    address = "https://abc.execute-api.us-west-2.amazonaws.com/dev/model"
    request = requests.Request("GET", address, auth=Signature(address)).prepare()
    assert "/us-west-2/execute-api/" in request.headers["authorization"]


def test_signing_without_credentials_is_a_mistake(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda session: None)
    address = "https://abc.execute-api.us-west-2.amazonaws.com/dev"
    line = mistake(capsys, "predict", pictures, "--endpoint", address, "--sign")
    assert "--sign finds no AWS credentials. Put them into the environment" in line


# What is wrong with one image


def test_the_services_own_sentence_is_the_reason_of_a_bad_image(
    service: str, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "1 ç.png").write_text("hello")
    (pictures / "2 ç.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(4_600_000))
    assert run("predict", pictures, "--endpoint", service, "--json") == 1
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert ["error" in answer for answer in found] == [False, True, True, False, False]
    assert "Send a JPEG, PNG" in found[1]["error"]
    assert found[1]["error"].endswith("(HTTP 415).")
    assert found[2]["error"].startswith("It has 4.6 MB, a request holds 4.5, and this service")
    assert "2 could not be answered" in err


def test_a_gateways_own_error_is_understood(moody: Start, pictures: Path) -> None:
    def mood(request: Request, before: int) -> Response | None:
        if request.path == "/classify":
            return Response('{"message": "Missing Authentication Token"}', 403)
        return None

    address, _ = moody(mood)
    (answer,) = Endpoint(address).answers([ImageFile(pictures / "0 ç.png")])
    assert answer.error == "Missing Authentication Token (HTTP 403)."


@pytest.mark.parametrize("body", ["<html>hello</html>", "[]", '{"label": "a"}', '{"scores": 3}'])
def test_an_answer_that_is_none_is_a_row(body: str, moody: Start, pictures: Path) -> None:
    address, _ = moody(lambda r, before: Response(body) if r.path == "/classify" else None)
    (answer,) = Endpoint(address).answers([ImageFile(pictures / "0 ç.png")])
    assert "not the answer of a classifier" in answer.error


# Retries


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_service_is_asked_again_when_it_says(
    status: int,
    moody: Start,
    pictures: Path,
    waits: list[float],
) -> None:
    address, app = moody(busy(2, status, retry_after="7"))
    (answer,) = Endpoint(address).answers([ImageFile(pictures / "0 ç.png")])
    assert answer.error == ""
    assert answer.prediction is not None
    assert app.requests.count("/classify") == 3
    assert waits == [7, 7]


def test_the_whole_image_is_sent_again(moody: Start, version: Path, pictures: Path) -> None:
    address, _ = moody(busy(1))
    path = pictures / "3 ç.png"
    (answer,) = Endpoint(address).answers([ImageFile(path)])
    assert answer.prediction is not None
    expected = load_model(str(version)).classify(path.read_bytes())
    assert answer.prediction.scores == pytest.approx(expected.scores, abs=1e-4)


def test_a_date_to_come_back_at_is_honoured_up_to_a_minute(
    moody: Start, pictures: Path, waits: list[float]
) -> None:
    later = [formatdate(time.time() + seconds, usegmt=True) for seconds in (30, 9000)]

    def mood(request: Request, before: int) -> Response | None:
        if request.path != "/classify" or before >= 2:
            return None
        return Response("", 503, {"Retry-After": later[before]})

    address, _ = moody(mood)
    (answer,) = Endpoint(address).answers([ImageFile(pictures / "0 ç.png")])
    assert answer.error == ""
    assert waits == [pytest.approx(30, abs=5), 60]


def test_a_service_that_gives_no_time_is_waited_for_longer_each_time(
    moody: Start, pictures: Path, waits: list[float]
) -> None:
    address, app = moody(busy(9, retry_after="soon"))
    (answer,) = Endpoint(address, retries=4).answers([ImageFile(pictures / "0 ç.png")])
    assert answer.error == "Busy (HTTP 503)."
    assert app.requests.count("/classify") == 5
    assert waits == sorted(waits)
    assert waits[-1] > 2


def test_other_errors_are_not_asked_again(moody: Start, pictures: Path, waits: list[float]) -> None:
    address, app = moody(busy(1, 500))
    (answer,) = Endpoint(address).answers([ImageFile(pictures / "0 ç.png")])
    assert answer.error == "Busy (HTTP 500)."
    assert app.requests.count("/classify") == 1
    assert waits == []


def test_connections_that_drop_are_made_again(
    service: str, version: Path, pictures: Path, waits: list[float]
) -> None:
    with hanging_up(2, beyond=service) as address:
        (answer,) = Endpoint(address).answers([ImageFile(pictures / "0 ç.png")])
    assert answer.error == ""
    assert answer.prediction is not None


def test_a_service_that_goes_away_ends_the_run_after_a_few_images(
    published: str, pictures: Path, waits: list[float]
) -> None:
    with serving(create_app(SharedModel(published))) as address:
        asked = Endpoint(address, at_once=1, retries=1)
    found: list[Answer] = []
    sentence = "Nobody answers at .* any more: The connection failed"
    with pytest.raises(TrainingError, match=sentence):
        found.extend(asked.answers([ImageFile(pictures / "0 ç.png")] * 100))
    assert 1 < len(found) < 20
    assert {answer.prediction for answer in found} == {None}


def test_whoever_stops_is_not_kept_waiting(moody: Start, pictures: Path) -> None:
    waiting = threading.Event()

    def mood(request: Request, before: int) -> Response | None:
        if request.path != "/classify":
            return None
        waiting.set()
        return Response("", 503, {"Retry-After": "50"})

    address, _ = moody(mood)
    questions = [ImageFile(pictures / "missing"), ImageFile(pictures / "0 ç.png")]
    answers = Endpoint(address, at_once=2).answers(questions)
    assert "cannot be read" in next(answers).error
    assert waiting.wait(20)
    began = time.monotonic()
    answers.close()
    assert time.monotonic() - began < 20


# Nobody there


def test_an_address_where_nobody_answers_is_a_mistake(
    pictures: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRIES", 0)
    line = mistake(capsys, "predict", pictures, "--endpoint", "http://127.0.0.1:9")
    assert (
        "Nobody answers at http://127.0.0.1:9: The connection failed (Connection refused)" in line
    )


@pytest.mark.parametrize("address", ["example.org/dev", "s3://bucket/models", "https://"])
def test_what_is_no_address_is_a_mistake(
    address: str, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = mistake(capsys, "predict", pictures, "--endpoint", address)
    assert f"--endpoint {address} is no address" in line


def test_another_website_is_a_mistake(
    moody: Start,
    pictures: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    address, _ = moody(lambda request, before: Response("<html>", mimetype="text/html"))
    line = mistake(capsys, "predict", pictures, "--endpoint", address)
    assert "What came back (text/html) is not the answer of a classifier" in line
    address, _ = moody(lambda request, before: Response("", 302, {"Location": "https://other"}))
    line = mistake(capsys, "predict", pictures, "--endpoint", address)
    assert "it leads to https://other: give that address (HTTP 302)." in line


def test_a_service_that_asks_for_a_key_is_a_mistake_that_says_where_to_put_it(
    moody: Start,
    pictures: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    address, _ = moody(lambda request, before: Response('{"message": "Forbidden"}', 403))
    line = mistake(capsys, "predict", pictures, "--endpoint", address)
    assert "Forbidden (HTTP 403)" in line
    assert module.KEY_VARIABLE in line
    assert "if for a signature, give --sign" in line


def test_a_service_without_a_model_is_a_mistake_with_its_own_reason(
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RETRIES", 0)
    with serving(create_app(SharedModel(str(tmp_path / "nothing")))) as address:
        line = mistake(capsys, "predict", pictures, "--endpoint", address)
    assert "finds no model to answer with" in line
    assert "(HTTP 503)" in line


def test_the_routes_begin_before_classify() -> None:
    for ending in ("", "/", "/classify", "/classify/?a=b"):
        assert base_address(f"https://a.example/dev{ending}") == "https://a.example/dev"
