"""Serve the model on this machine: `python serve.py 8000`; `make serve` says which model."""

from __future__ import annotations

import sys

from werkzeug.serving import run_simple

from handler import app

if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True)
