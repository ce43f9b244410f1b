"""`make demo`: from an empty folder to an answer over HTTP, without an AWS account.

Every step is a command that works the same by hand; the demo prints it before it runs it.
`make demo PHOTO=gull.jpg` asks the model that comes with the project about that photograph too.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer
from rich.text import Text

from training.output.terminal import Terminal, print_any_text

FOLDER = Path(".demo")
DATA, NEW, RUN = FOLDER / "data", FOLDER / "new", FOLDER / "run"
BUCKET = "demo"
STORE = f"s3://{BUCKET}/models"
SHIPPED = Path("models/flying-objects")
START = ("--weights", SHIPPED.name)
DRAWING = NEW / "Flying Birds" / "000.jpg"

_SECONDS_TO_START = 30

console = Terminal()


def main(*photos: str) -> int:
    """Run the demo, with photographs of the user's own if there are any; return the exit status."""
    print_any_text()
    if shutil.which("curl") is None:
        console.print("The demo asks its question with curl. Install curl, then run it again.")
        return 2
    shutil.rmtree(FOLDER, ignore_errors=True)
    began = time.monotonic()
    try:
        with local_s3() as environment:
            show_everything(photos, environment)
    except subprocess.CalledProcessError as error:
        console.print(Text("The step failed:", "red"), shlex.join(error.cmd))
        return 1
    except KeyboardInterrupt:
        console.print()
        console.print("Stopped. make demo starts again.")
        return 130
    say_what_next(time.monotonic() - began)
    return 0


def show_everything(photos: Sequence[str], environment: dict[str, str]) -> None:
    """Run the steps, one after the other."""
    step("1. Draw a small labelled set of images, and one of each class that training never sees")
    training("sample-data", DATA, "--per-class", "60")
    training("sample-data", NEW, "--per-class", "1", "--seed", "2026")
    step("2. Ask the model that comes with the project; it learned from photographs, not drawings")
    training("predict", *photos, NEW, "--model", SHIPPED)
    step("3. Train one of your own on the drawings, starting from its weights")
    training("train", "--data", DATA, "--recipe", "flying-objects-head", *START, "--save", RUN)
    step("4. Publish the exported model to S3 (here a local one, in memory)")
    training("publish", RUN, STORE, environment=environment)
    step("5. Serve it, and ask about an image that it was not trained on")
    with service({**environment, "MODEL_URI": f"{STORE}/flying-objects-head"}) as url:
        run(
            ["curl", "-sS", "-X", "POST", f"{url}/classify"]
            + ["-H", "cache-control: no-cache", "-H", "content-type: multipart/form-data"]
            + ["-F", f"file1=@{DRAWING}"]
        )


def say_what_next(seconds: float) -> None:
    """End with what to try."""
    console.print()
    done = Text(f"Done in {seconds:.0f} s.", "bold")
    console.print(done, f"The image was drawn as: {DRAWING.parent.name}")
    console.print(
        Text(
            "\nWhat to try next:\n"
            "  make serve           the model that comes with the project (photographs):\n"
            "                       open http://127.0.0.1:8000 to drop images on it, or\n"
            "                       curl -F file1=@photo.jpg http://127.0.0.1:8000/classify\n"
            "  .venv/bin/python -m training train --data YOUR_FOLDER --weights flying-objects\n"
            "                       one folder of images for each class; --help says more\n"
            "  docs/deploy.md       how to put it on AWS",
        )
    )


def step(title: str) -> None:
    """Announce a step."""
    console.print()
    console.print(title, style="bold cyan")


def training(*arguments: str | Path, environment: dict[str, str] | None = None) -> None:
    """Run a command of the training package."""
    run([sys.executable, "-m", "training", *map(str, arguments)], environment)


def run(command: list[str], environment: dict[str, str] | None = None) -> None:
    """Print a command as a person would type it, and run it."""
    shown = shlex.join("python" if word == sys.executable else word for word in command)
    console.print(f"$ {shown}", style="dim", soft_wrap=True)
    subprocess.run(command, env=environment, check=True)


@contextlib.contextmanager
def local_s3() -> Iterator[dict[str, str]]:
    """Run an S3 in this process, with an empty bucket; yield the environment that leads to it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # or every request is a line
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        aws = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "demo",
            "AWS_SECRET_ACCESS_KEY": "demo",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]  # a profile or an endpoint of the user's would lead elsewhere
        os.environ.update(aws, NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield dict(os.environ)
    finally:
        server.stop()


@contextlib.contextmanager
def service(environment: dict[str, str]) -> Iterator[str]:
    """Run the service in a process of its own; yield its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "serve.py", str(port)]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(f"{url}/ping", process)
        yield url
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Return once the service answers; raise where its process ends instead."""
    deadline = time.monotonic() + _SECONDS_TO_START
    while True:
        try:
            urllib.request.urlopen(url).close()
        except urllib.error.URLError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise subprocess.CalledProcessError(1, "serve.py") from None
            time.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", nargs="*", help="photographs to ask the shipped model about")
    sys.exit(main(*filter(None, parser.parse_args().photos)))
