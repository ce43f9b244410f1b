"""POST /classify, GET /model and GET /ping: answers and errors as the contract has them."""

from __future__ import annotations

import gc
import io
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from requests_toolbelt import MultipartEncoder
from werkzeug.test import Client, EnvironBuilder, TestResponse, run_wsgi_app

from handler import create_app
from model_loader import MAX_REQUEST_BYTES, SharedModel, load_model
from tests.support.images import encode, noise, png_that_claims
from tests.support.problems import problem
from tests.support.versions import LABELS, build_version

File = tuple[str, bytes, str]


def post(client: Client, *fields: tuple[str, File | str]) -> TestResponse:
    """Send a form as our client does."""
    form = MultipartEncoder(fields=list(fields))
    return client.post("/classify", data=form.read(), content_type=form.content_type)


def test_one_file_is_answered_as_the_contract_says(
    client: Client, published: str, photo: bytes
) -> None:
    response = post(client, ("file1", ("gull.jpg", photo, "image/jpeg")))
    assert response.status_code == 200
    body = response.get_json()
    expected = load_model(published).classify(photo)
    assert list(body) == [
        "file",
        "predicted",
        "label",
        "confidence",
        "scores",
        "filename",
        "model",
    ]
    assert body["file"] == "file1"
    assert body["predicted"] == f"That seems to be {expected.label}"
    assert body["label"] == expected.label
    assert body["confidence"] == pytest.approx(expected.confidence, abs=1e-4)
    assert list(body["scores"]) == list(LABELS)
    assert body["scores"] == pytest.approx(dict(expected.scores), abs=1e-4)
    assert body["filename"] == "gull.jpg"
    assert body["model"]["name"] == "flying-objects"
    assert body["model"]["version"] == Path(published, "current.json").read_text()[13:-2]


@pytest.mark.parametrize("field", ["file1", "image", "Bild ü", "a.b[c]"])
def test_any_field_name_will_do(client: Client, photo: bytes, field: str) -> None:
    body = post(client, (field, ("a.jpg", photo, "image/jpeg"))).get_json()
    assert body["file"] == field


def test_texts_beside_a_file_do_not_matter(client: Client, photo: bytes) -> None:
    body = post(client, ("note", "hello"), ("f", ("a.jpg", photo, "image/jpeg"))).get_json()
    assert body["file"] == "f"


def test_a_file_of_another_content_type_is_judged_by_its_content(
    client: Client, photo: bytes
) -> None:
    response = post(client, ("f", ("a.bin", photo, "application/octet-stream")))
    assert response.status_code == 200


@pytest.mark.parametrize(
    "content_type", ["image/jpeg", "image/png", "IMAGE/JPEG; q=1", "application/octet-stream"]
)
def test_a_raw_image_is_answered(client: Client, photo: bytes, content_type: str) -> None:
    response = client.post("/classify", data=photo, content_type=content_type)
    assert response.status_code == 200
    assert response.get_json()["file"] == "body"
    assert response.get_json()["filename"] is None


def test_several_files_are_answered_in_order_and_a_bad_one_spoils_none(
    client: Client, photo: bytes
) -> None:
    response = post(
        client,
        ("b", ("1.jpg", photo, "image/jpeg")),
        ("a", ("2.jpg", b"no image", "image/jpeg")),
        ("b", ("3.jpg", photo[:200], "image/jpeg")),
        ("c", ("4.jpg", b"", "image/jpeg")),
        ("b", ("5.jpg", photo, "image/jpeg")),
    )
    assert response.status_code == 200
    predictions = response.get_json()["predictions"]
    assert [(p["file"], p["filename"]) for p in predictions] == [
        ("b", "1.jpg"),
        ("a", "2.jpg"),
        ("b", "3.jpg"),
        ("c", "4.jpg"),
        ("b", "5.jpg"),
    ]
    assert [p.get("status") for p in predictions] == [None, 415, 422, 400, None]
    assert predictions[0]["label"] == predictions[4]["label"]


def test_files_that_have_too_many_pixels_together_are_refused_one_by_one(
    client: Client, photo: bytes
) -> None:
    large = encode(Image.new("1", (6000, 5000)), "PNG")
    response = post(
        client,
        ("1", ("1.png", large, "image/png")),
        ("2", ("2.png", large, "image/png")),
        ("3", ("3.jpg", photo, "image/jpeg")),
    )
    predictions = response.get_json()["predictions"]
    assert [p.get("status") for p in predictions] == [None, 413, None]
    assert "Send it in another request" in predictions[1]["detail"]


def test_no_body_is_no_file(client: Client) -> None:
    detail = problem(client.post("/classify"), 400)
    assert "Send an image as a file of a form" in detail


def test_a_form_without_a_file_says_how_to_send_one(client: Client) -> None:
    detail = problem(post(client, ("file1", "photo.jpg")), 400)
    assert "'file1' holds text, not a file" in detail
    assert "Send an image as a file of a form" in detail


def test_an_empty_form_has_no_file(client: Client) -> None:
    response = client.post(
        "/classify", data=b"--b--\r\n", content_type="multipart/form-data; boundary=b"
    )
    assert "The request has no file" in problem(response, 400)


@pytest.mark.parametrize(("field", "filename"), [("f" * 256, "a.jpg"), ("f", "\x01" * 256)])
def test_a_name_too_long_to_be_repeated_is_refused(
    client: Client, photo: bytes, field: str, filename: str
) -> None:
    response = client.post("/classify", data={field: (io.BytesIO(photo), filename)})
    assert "more than 255 characters" in problem(response, 400)
    assert len(response.data) < 1000


def test_an_empty_file_is_named(client: Client) -> None:
    detail = problem(post(client, ("file1", ("a.jpg", b"", "image/jpeg"))), 400)
    assert "empty (0 bytes)" in detail


def test_an_empty_raw_body_is_named(client: Client) -> None:
    detail = problem(client.post("/classify", content_type="image/jpeg"), 400)
    assert "empty (0 bytes)" in detail


def test_a_text_named_jpg_is_unsupported(client: Client) -> None:
    detail = problem(post(client, ("f", ("a.jpg", b"hello", "image/jpeg"))), 415)
    assert "Send a JPEG, PNG" in detail


def test_a_text_sent_as_such_is_unsupported(client: Client) -> None:
    detail = problem(client.post("/classify", data="hello", content_type="text/plain"), 415)
    assert "text/plain is not taken" in detail


def test_a_truncated_jpeg_cannot_be_decoded(client: Client) -> None:
    data = encode(noise(200, 200), "JPEG")
    detail = problem(post(client, ("f", ("a.jpg", data[:-2000], "image/jpeg"))), 422)
    assert "200 × 200" in detail
    assert "Send the file again" in detail


def test_a_missing_boundary_is_named(client: Client, photo: bytes) -> None:
    response = client.post("/classify", data=photo, content_type="multipart/form-data")
    assert "names no boundary" in problem(response, 400)


@pytest.mark.parametrize("boundary", ["other", "ü", "x" * 5000])
def test_a_wrong_boundary_is_named(client: Client, photo: bytes, boundary: str) -> None:
    form = MultipartEncoder(fields={"f": ("a.jpg", photo, "image/jpeg")})
    response = client.post(
        "/classify",
        data=form.read(),
        content_type=f"multipart/form-data; boundary={boundary}",
    )
    assert "boundary" in problem(response, 400)


@pytest.mark.parametrize("kept", [0.01, 0.1, 0.5, 0.99])
def test_a_form_that_is_cut_short_is_malformed(client: Client, photo: bytes, kept: float) -> None:
    form = MultipartEncoder(fields={"f": ("a.jpg", photo, "image/jpeg")})
    body = form.read()
    response = client.post(
        "/classify", data=body[: int(len(body) * kept)], content_type=form.content_type
    )
    assert "their headers or its end are missing" in problem(response, 400)


def test_line_feeds_alone_and_a_preamble_are_taken(client: Client, photo: bytes) -> None:
    body = (
        b"a preamble\n--b\nContent-Disposition: form-data; name=f; filename=a.jpg\n\n"
        + photo
        + b"\n--b--\n"
    )
    response = client.post("/classify", data=body, content_type='multipart/form-data; boundary="b"')
    assert response.status_code == 200


def test_the_boundarys_beginning_inside_the_file_does_no_harm(client: Client) -> None:
    picture = encode(noise(30, 30), "PNG") + b"\r\n--b"  # bytes after a PNG's end do not count
    body = (
        b"--bb\r\nContent-Disposition: form-data; name=f; filename=a.png\r\n\r\n"
        + picture
        + b"\r\n--bb--\r\n"
    )
    response = client.post("/classify", data=body, content_type="multipart/form-data; boundary=bb")
    assert response.status_code == 200


def test_a_body_over_the_limit_says_the_limit(client: Client) -> None:
    response = client.post(
        "/classify", data=bytes(MAX_REQUEST_BYTES + 1), content_type="image/jpeg"
    )
    assert "4.5 MB" in problem(response, 413)


def test_a_body_of_unknown_length_is_limited_too(client: Client) -> None:
    for size in (MAX_REQUEST_BYTES + 1, 2 * MAX_REQUEST_BYTES):
        request = EnvironBuilder(
            "/classify", method="POST", content_type="image/jpeg"
        ).get_environ()
        request |= {"wsgi.input": io.BytesIO(bytes(size)), "wsgi.input_terminated": True}
        request.pop("CONTENT_LENGTH", None)
        assert "4.5 MB" in problem(client.open(request), 413)


def test_a_body_just_under_the_limit_is_taken(client: Client, photo: bytes) -> None:
    padded = photo + bytes(MAX_REQUEST_BYTES - len(photo))  # bytes after a JPEG's end do not count
    response = client.post("/classify", data=padded, content_type="image/jpeg")
    assert response.status_code == 200


def test_a_bomb_is_too_large(client: Client) -> None:
    bomb = png_that_claims(20_000, 20_000)
    detail = problem(post(client, ("f", ("a.png", bomb, "image/png"))), 413)
    assert "at most 50 million" in detail


def test_too_many_parts_are_too_large(client: Client) -> None:
    fields = [(f"f{i}", ("a", b"x", "image/png")) for i in range(101)]
    assert "more than 100 parts" in problem(post(client, *fields), 413)


def test_an_unknown_route_names_those_that_are(client: Client) -> None:
    detail = problem(client.get("/nothing"), 404)
    assert "There is no /nothing here" in detail
    assert "POST /classify" in detail


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/classify", "POST"), ("DELETE", "/classify", "POST"), ("POST", "/model", "GET")],
)
def test_a_wrong_method_names_the_right_one(
    client: Client, method: str, path: str, allowed: str
) -> None:
    response = client.open(path, method=method)
    assert allowed in problem(response, 405)
    methods = {"POST": "OPTIONS, POST", "GET": "GET, HEAD, OPTIONS"}
    assert response.headers["Allow"] == methods[allowed]


@pytest.mark.parametrize(
    ("path", "methods"), [("/", "GET, HEAD, OPTIONS"), ("/classify", "OPTIONS, POST")]
)
def test_options_names_the_methods(client: Client, path: str, methods: str) -> None:
    assert client.options(path).headers["Access-Control-Allow-Methods"] == methods


def test_head_is_get_without_the_body(client: Client) -> None:
    response = client.head("/ping")
    assert response.status_code == 200
    assert response.data == b""
    assert response.headers["Content-Length"] == client.get("/ping").headers["Content-Length"]


def test_a_path_may_begin_with_several_slashes(client: Client) -> None:
    assert client.get("//ping").status_code == 200
    problem(client.get("/ping/"), 404)


def test_a_request_is_forgotten_as_soon_as_it_is_answered(published: str, photo: bytes) -> None:
    app = create_app(SharedModel(published))
    body = type("Body", (io.BytesIO,), {})(photo)
    environ = EnvironBuilder("/classify", method="POST", content_type="image/jpeg").get_environ()
    environ |= {"wsgi.input": body, "CONTENT_LENGTH": str(len(photo))}
    kept = weakref.ref(body)
    gc.disable()
    try:
        _, status, _ = run_wsgi_app(app, environ)
        del environ, body
        assert status == "200 OK"
        assert kept() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("request_to", [("POST", "/classify"), ("GET", "/model")])
def test_a_missing_model_is_503_and_says_when_to_come_back(
    tmp_path: Path, photo: bytes, request_to: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(create_app(SharedModel(str(tmp_path))))
    method, path = request_to
    data = photo if method == "POST" else None
    response = client.open(path, method=method, data=data, content_type="image/jpeg")
    assert "finds no model to answer with" in problem(response, 503)
    assert "Publish a model there" in caplog.text
    assert int(response.headers["Retry-After"]) > 0


def test_an_unset_model_uri_is_503(photo: bytes, caplog: pytest.LogCaptureFixture) -> None:
    client = Client(create_app(SharedModel("")))
    response = client.post("/classify", data=photo, content_type="image/jpeg")
    problem(response, 503)
    assert "(MODEL_URI, or --model) is ''" in caplog.text


def test_a_fault_of_ours_is_500_without_its_trace(
    client: Client, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("handler.answer", fail)
    response = client.post("/classify", data=photo, content_type="image/jpeg")
    assert "secret" not in problem(response, 500)


def test_the_model_describes_itself(client: Client) -> None:
    body = client.get("/model").get_json()
    assert body["labels"] == list(LABELS)
    assert body["engine"] == "torchscript"
    assert body["transform"][0] == {"op": "resize", "height": 32, "width": 32}
    assert "self_test" not in body


def test_ping_needs_no_model(tmp_path: Path) -> None:
    client = Client(create_app(SharedModel(str(tmp_path))))
    assert client.get("/ping").get_json() == {"status": "ok"}


def test_the_page_is_whole_and_loads_nothing_from_elsewhere(client: Client) -> None:
    response = client.get("/")
    assert response.mimetype == "text/html"
    page = response.get_data(as_text=True)
    assert page.rstrip().endswith("</html>")
    assert "://" not in page


def test_any_origin_may_ask_but_not_with_credentials(client: Client) -> None:
    response = client.options("/classify", headers={"Origin": "https://example.org"})
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert response.headers["Access-Control-Expose-Headers"] == "Retry-After"
    allowed = response.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"Content-Type", "X-Api-Key", "X-Requested-With"} <= {*allowed}
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_an_answer_below_the_threshold_says_what_it_does_not_look_like(
    published: str, photo: bytes
) -> None:
    class Unsure(SharedModel):
        def get(self) -> Any:
            model = load_model(published)
            return replace(model, metadata=replace(model.metadata, threshold=1.0))

    client = Client(create_app(Unsure(published)))
    body = client.post("/classify", data=photo, content_type="image/jpeg").get_json()
    assert body["label"] == "unknown"
    assert body["predicted"] == f"That doesn't look like any of: {', '.join(LABELS)}"


def test_a_class_may_be_called_unknown(tmp_path: Path, photo: bytes) -> None:
    build_version(tmp_path / "v", labels=("unknown", "unknown too"))
    client = Client(create_app(SharedModel(str(tmp_path / "v"))))
    body = client.post("/classify", data=photo, content_type="image/jpeg").get_json()
    assert body["predicted"] == f"That seems to be {body['label']}"


def test_a_label_of_another_script_stays_readable(tmp_path: Path, photo: bytes) -> None:
    build_version(tmp_path / "v", labels=("鳥", "дрон"))
    client = Client(create_app(SharedModel(str(tmp_path / "v"))))
    response = client.post("/classify", data=photo, content_type="image/jpeg")
    assert any(label in response.get_data(as_text=True) for label in ("鳥", "дрон"))
