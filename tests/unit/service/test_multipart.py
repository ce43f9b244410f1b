"""Forms as clients of all kinds send them: names, line ends, boundaries and what is cut off."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from werkzeug.test import Client, TestResponse

from handler import create_app
from model_loader import SharedModel
from service.multipart import Part, read_parts
from service.request_files import MAX_PARTS
from tests.support.images import encode, noise
from tests.support.problems import problem

pytestmark = pytest.mark.fuzz

PHOTO = encode(noise(20, 20), "PNG")
DISPOSITION = b"Content-Disposition: form-data; "


@pytest.fixture(scope="module")
def service(published: str) -> Client:
    return Client(create_app(SharedModel(published)))


def form(*parts: tuple[bytes, bytes], boundary: bytes = b"b", line: bytes = b"\r\n") -> bytes:
    """Return a body of parts, each its headers and its content."""
    pieces = [b"--", boundary, line]
    for headers, content in parts:
        pieces += [headers.replace(b"\n", line), line, line, content, line, b"--", boundary, line]
    pieces[-1:] = [b"--", line]
    return b"".join(pieces)


def post(client: Client, body: bytes, boundary: str = "b") -> TestResponse:
    content_type = f'multipart/form-data; boundary="{boundary}"'
    return client.post("/classify", data=body, content_type=content_type)


@pytest.mark.parametrize(
    ("names", "field", "filename"),
    [
        (b'name="f"; filename="M\xf6we.jpg"', "f", "Möwe.jpg"),
        (b'name="f"; filename="M\xc3\xb6we.jpg"', "f", "Möwe.jpg"),
        (b'name="B\xf6"; filename="a.jpg"', "Bö", "a.jpg"),
        (b'name="f"; filename="\x85.jpg"', "f", "\x85.jpg"),
        (b"name=f; filename=a.jpg", "f", "a.jpg"),
        (b"name=f; filename*=UTF-8''M%C3%B6we.jpg", "f", "Möwe.jpg"),
        (b"name=f; filename*=iso-8859-1'de'M%F6we.jpg", "f", "Möwe.jpg"),
        (b"name=f; filename*=UTF-8''%FF.jpg", "f", "\ufffd.jpg"),
        (b"name=f; filename=\"x\"; filename*=UTF-8''y", "f", "y"),
        (b"name=f; filename*0=a; filename*1=b", "f", "ab"),
        (b'name="f"; filename="a\\"b%22.jpg"', "f", 'a"b".jpg'),
        (b'name="f"; filename="a;b.jpg"', "f", "a;b.jpg"),
        (b'name="f";\n filename="folded.jpg"', "f", "folded.jpg"),
        (b'filename="a.jpg"', "", "a.jpg"),
        (b'name="f"; filename=""', "f", None),
        (b'NAME="f"; FileName="a.jpg"', "f", "a.jpg"),
    ],
)
def test_a_file_is_called_what_its_client_calls_it(
    service: Client, names: bytes, field: str, filename: str | None
) -> None:
    answer = post(service, form((DISPOSITION + names, PHOTO))).get_json()
    assert (answer["file"], answer["filename"]) == (field, filename)


@pytest.mark.parametrize(
    "content_type", [b"image/png", b"IMAGE/X; q=1", b"application/octet-stream"]
)
def test_an_image_without_a_file_name_is_a_file(service: Client, content_type: bytes) -> None:
    headers = DISPOSITION + b'name="photo"\nContent-Type: ' + content_type
    answer = post(service, form((headers, PHOTO))).get_json()
    assert (answer["file"], answer["filename"]) == ("photo", None)
    assert answer["label"]


@pytest.mark.parametrize("content_type", [b"", b"\nContent-Type: text/plain", b"\ncontent-type:"])
def test_anything_else_without_a_file_name_is_text(service: Client, content_type: bytes) -> None:
    headers = DISPOSITION + b'name="photo"' + content_type
    assert "'photo' holds text" in problem(post(service, form((headers, PHOTO))), 400)


EMPTY = (DISPOSITION + b'name="more"; filename=""\nContent-Type: application/octet-stream', b"")
FILE = (DISPOSITION + b'name="file1"; filename="a.png"', PHOTO)
TEXT = (DISPOSITION + b'name="note"', b"hello")


@pytest.mark.parametrize("parts", [(FILE, EMPTY), (EMPTY, FILE), (EMPTY, TEXT, FILE, EMPTY)])
def test_file_inputs_that_nobody_filled_are_left_out(
    service: Client, parts: tuple[tuple[bytes, bytes], ...]
) -> None:
    assert post(service, form(*parts)).get_json()["file"] == "file1"


@pytest.mark.parametrize("parts", [(EMPTY,), (EMPTY, EMPTY), (TEXT, EMPTY)])
def test_a_form_of_which_no_file_input_was_filled_says_so(
    service: Client, parts: tuple[tuple[bytes, bytes], ...]
) -> None:
    detail = problem(post(service, form(*parts)), 400)
    assert "The file field 'more' is empty: no file was chosen" in detail


def test_a_file_with_a_name_and_no_bytes_is_an_empty_file(service: Client) -> None:
    named = (DISPOSITION + b'name="f"; filename="a.png"', b"")
    assert "empty (0 bytes)" in problem(post(service, form(named)), 400)


@pytest.mark.parametrize("line", [b"\r\n", b"\n", b"\r"])
def test_lines_may_end_in_any_way(line: bytes) -> None:
    content = b"\r\n\n\r--b\n--"[:-4] + b"x"
    body = b"preamble" + line + form((FILE[0], content), TEXT, line=line) + b"epilogue --b"
    assert [part.data for part in read_parts(body, b"b")] == [content, b"hello"]


@pytest.mark.parametrize("end", [b"", b"\r", b"\n", b"\r\n", b"--", b"\r\n--", b"\r\n--c"])
def test_the_bytes_of_a_file_are_those_that_were_sent(end: bytes) -> None:
    for size in (0, 1, 1000, *range(65_400, 65_560)):  # 65,536 is what other decoders buffer
        content = bytes(size) + end
        (part,) = read_parts(form((FILE[0], content)), b"b")
        assert part.data == content


def test_as_many_files_as_are_allowed_are_answered_and_may_have_one_name(service: Client) -> None:
    answers = post(service, form(*[FILE] * MAX_PARTS)).get_json()["predictions"]
    assert [answer["file"] for answer in answers] == ["file1"] * MAX_PARTS
    assert "more than 100 parts" in problem(post(service, form(*[FILE] * (MAX_PARTS + 1))), 413)


@pytest.mark.parametrize(
    "boundary", ["b", "-", "--", "a b", "0'()+_,-./:=?", "x" * 70, "x" * 5000, "[a-z]*", "ü"]
)
def test_a_boundary_may_be_any_text(service: Client, boundary: str) -> None:
    body = form(FILE, TEXT, boundary=boundary.encode("latin-1"))
    assert post(service, body, boundary).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"--b",
        b"--b\r\n",
        b"x--b--",
        form(FILE)[:-4],
        form((b"Content-Type: image/png", PHOTO)),
        form((b"", PHOTO)),
        form((DISPOSITION[:-2] + b"; name=" + b" " * 20_000, PHOTO)),
        form(FILE).replace(b"\r\n\r\n", b"\r\n", 1),
        b"-" * 1_000_000,
        b"\r\n--b" * 200_000,
    ],
    ids=lambda body: f"{body[:30]!r} … {len(body)}",
)
def test_a_body_that_is_no_whole_form_is_malformed(service: Client, body: bytes) -> None:
    assert "their headers or its end are missing" in problem(post(service, body), 400)


def test_a_form_without_parts_has_no_file(service: Client) -> None:
    assert "has no file" in problem(post(service, b"--b--"), 400)


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


@st.composite
def parts(draw: st.DrawFn) -> tuple[bytes, bytes, Part]:
    """Draw a part: its headers and content as bytes, and what must be read of them."""
    name, content = draw(names), draw(st.binary(max_size=200))
    filename = draw(st.none() | names)
    content_type = draw(st.sampled_from(["", "image/png", "text/plain"]))
    headers = f"Content-Disposition: form-data; name*=UTF-8''{quote(name, safe='')}"
    if filename is not None:
        headers += f"; filename*=UTF-8''{quote(filename, safe='')}"
    if content_type:
        headers = f"content-type: {content_type}; a=b\n{headers}"
    return headers.encode(), content, Part(name, filename, content_type, content)


boundaries = st.binary(min_size=1, max_size=70).filter(lambda text: not {10, 13} & set(text))


@given(
    drawn=st.lists(parts(), max_size=5),
    boundary=boundaries,
    line=st.sampled_from([b"\r\n", b"\n"]),
)
def test_what_is_sent_is_what_is_read(
    drawn: list[tuple[bytes, bytes, Part]], boundary: bytes, line: bytes
) -> None:
    assume(not any(b"--" + boundary in content for _, content, _ in drawn))
    # A line feed that ends a part would make the line feed after it a whole line end.
    assume(line == b"\r\n" or not any(content.endswith(b"\r") for _, content, _ in drawn))
    body = form(
        *[(headers, content) for headers, content, _ in drawn], boundary=boundary, line=line
    )
    assert list(read_parts(body, boundary)) == [part for _, _, part in drawn]


@given(
    data=st.data(),
    name=st.binary(max_size=60),
    content=st.sampled_from([b"", b"hello", PHOTO, PHOTO[:50]]),
    line=st.sampled_from([b"\r\n", b"\n", b"\r"]),
)
def test_a_form_that_is_damaged_anywhere_gets_an_answer_or_a_problem(
    service: Client, data: st.DataObject, name: bytes, content: bytes, line: bytes
) -> None:
    body = form((DISPOSITION + name, content), FILE, line=line)
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(body))] * 2)))
    body = body[:begin] + data.draw(st.binary(max_size=20)) + body[end:]
    response = post(service, body)
    if response.status_code != 200:
        assert response.status_code in {400, 413, 415, 422}
        problem(response, response.status_code)


@given(body=st.binary(max_size=300), content_type=st.text(st.characters(codec="latin-1")))
def test_any_body_of_any_type_gets_an_answer_or_a_problem(
    service: Client, body: bytes, content_type: str
) -> None:
    assume(not {"\r", "\n"} & set(content_type))
    for kind in (content_type, f"multipart/form-data; boundary={content_type}"):
        environ = {"CONTENT_TYPE": kind}
        response = service.post("/classify", data=body, environ_overrides=environ)
        problem(response, response.status_code)
        assert response.status_code in {400, 413, 415, 422}
