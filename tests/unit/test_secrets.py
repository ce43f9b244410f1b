"""Nothing that the repository holds would let anybody in anywhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SECRETS = {
    "the id of an AWS access key": r"\b(AKIA|ASIA)[A-Z0-9]{16}\b",
    "an AWS secret access key": r"(?i)secret_?access_?key[\"']?\s*[:=]\s*[\"']?[a-z0-9/+]{40}\b",
    "an API key of the gateway": r"(?i)x-api-key:\s*[a-z0-9]{20,}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a token of GitHub": r"\bgh[pousr]_[A-Za-z0-9]{36}\b",
    "a password in an address": r"https?://[^/\s:@\"'`{}]+:[^/\s:@\"'`{}]+@",
}

EXAMPLES = {
    "the id of an AWS access key": "AKIA" + "A" * 16,
    "an AWS secret access key": "AWS_SECRET_ACCESS_KEY=" + "a" * 40,
    "an API key of the gateway": "-H 'x-api-key: " + "a1" * 20,
    "a private key": "-----BEGIN RSA PRIVATE " + "KEY-----",
    "a token of GitHub": "ghp_" + "a" * 36,
    "a password in an address": "https://me:secret" + "@example.org",
}


def tracked_texts() -> dict[str, str]:
    """Return the text of every file that git tracks, by its path; pictures and models are none."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    texts = {}
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file():
            data = path.read_bytes()
            if b"\0" not in data:
                texts[name] = data.decode(errors="replace")
    return texts


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return tracked_texts()


@pytest.mark.parametrize("kind", SECRETS)
def test_no_tracked_file_holds(kind: str, texts: dict[str, str]) -> None:
    assert "serverless.yml" in texts
    assert [name for name, text in texts.items() if re.search(SECRETS[kind], text)] == []


@pytest.mark.parametrize("kind", SECRETS)
def test_it_would_be_found(kind: str) -> None:
    assert re.search(SECRETS[kind], EXAMPLES[kind])
