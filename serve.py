"""Serve a model on this machine: `python serve.py 8000`, or `make serve`.

MODEL_URI names the model: the folder of a run, of a version or of a published model, a store with
one model, or an address in S3. The model of this project is served where it is not set.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

SHIPPED = Path(__file__).parent / "models" / "flying-objects"


def main() -> None:
    """Load the model, then serve it on the port that the command line names."""
    parser = argparse.ArgumentParser(description="Serve the model of MODEL_URI on this machine.")
    parser.add_argument("port", type=_port, help="0 to 65535; 0 takes a free one")
    port = parser.parse_args().port
    os.environ.setdefault("MODEL_URI", str(SHIPPED))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # or idle threads of torch's spin
    # Only now: a mistake is answered at once.
    from werkzeug.serving import make_server

    from handler import app
    from model_loader import ModelUnavailableError
    from service.startup import model

    try:
        loaded = model.get()
    except ModelUnavailableError as error:
        sys.exit(f"Error: {error}")
    server = make_server("127.0.0.1", port, app, threaded=True)
    url = f"http://127.0.0.1:{server.port}"
    version = f"{loaded.metadata.name} {loaded.metadata.version} ({loaded.engine})"
    print(f"Serving {version} at {url}; Ctrl-C ends it.")
    print(f"Next: open {url}, or: curl -F file1=@IMAGE {url}/classify", flush=True)
    server.serve_forever()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 65535")
    return int(text)


if __name__ == "__main__":
    main()
