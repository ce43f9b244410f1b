"""Serve the model on this machine: `python serve.py 8000`; `make serve` says which model."""

from __future__ import annotations

import argparse


def main() -> None:
    """Serve on the port that the command line names."""
    parser = argparse.ArgumentParser(description="Serve the model of MODEL_URI on this machine.")
    parser.add_argument("port", type=_port, help="0 to 65535; 0 takes a free one")
    port = parser.parse_args().port
    # Only now: a mistake is answered at once.
    from werkzeug.serving import run_simple

    from handler import app

    run_simple("127.0.0.1", port, app, threaded=True)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 65535")
    return int(text)


if __name__ == "__main__":
    main()
