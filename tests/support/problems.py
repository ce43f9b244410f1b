"""The shape that every error of the service has."""

from __future__ import annotations

from werkzeug.test import TestResponse


def problem(response: TestResponse, status: int) -> str:
    """Check an error's shape and return its detail."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.mimetype == "application/problem+json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    body = response.get_json()
    assert set(body) == {"title", "status", "detail"}
    assert body["status"] == status
    assert body["title"]
    detail: str = body["detail"]
    assert "Traceback" not in detail
    assert detail.endswith((".", "!"))
    return detail
