"""Fine-tuning as it is usually written, for MobileNetV2: the baseline of the training rows.

`torchvision`'s `ImageFolder`, a `DataLoader` with a worker for each core, a loop over the epochs.
What a stage does not train runs in eval mode and without gradients, in each epoch again. After
each epoch the validation images are classified. It starts from the same weights, sees the same
images, and takes the same optimizer, schedule and number of steps as ours.

    python -m benchmarks.usual_training FOLDER STAGE … [--tuned]

FOLDER holds `train/` and `validation/`; a STAGE is `head:25`, `3:10` (the last 3 blocks) or
`all:3`, with its number of epochs. `--tuned` adds what costs such a loop a few lines:
channels_last, and the allocator and waiting policy that `training.process` sets.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from training.process import keep_freed_memory, wait_passively

BATCH = 32
RATE = 1e-3
DECAY = 0.01


def main() -> None:
    """Train, and print JSON: accuracy on the validation images, seconds of each step."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.usual_training")
    parser.add_argument("folder", type=Path)
    parser.add_argument("stages", nargs="+")
    parser.add_argument("--tuned", action="store_true")
    args = parser.parse_args()
    if args.tuned:
        wait_passively()
        keep_freed_memory()
    stages = [(thaw, int(epochs)) for thaw, epochs in (each.split(":") for each in args.stages)]
    print(json.dumps(fit(args.folder, stages, args.tuned)))


def fit(folder: Path, stages: list[tuple[str, int]], tuned: bool) -> dict[str, object]:
    """Train stage by stage."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader

    from training.models.weights import find_weights
    from training.torchvision_import import torchvision

    transform = torchvision.transforms.Compose(
        [
            torchvision.transforms.Resize((224, 224)),
            torchvision.transforms.ToTensor(),
            torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    folders = {
        name: torchvision.datasets.ImageFolder(str(folder / name), transform)
        for name in ("train", "validation")
    }
    parts = {
        name: DataLoader(
            images,
            batch_size=BATCH,
            shuffle=name == "train",
            num_workers=os.cpu_count() or 1,
            persistent_workers=True,
        )
        for name, images in folders.items()
    }
    torch.manual_seed(0)
    model = torchvision.models.mobilenet_v2()
    weights = find_weights("flying-objects", "mobilenet_v2") or {}
    body = {name: value for name, value in weights.items() if name.startswith("features.")}
    model.load_state_dict(body, strict=False)
    model.classifier[1] = nn.Linear(model.last_channel, len(folders["train"].classes))
    layout = torch.channels_last if tuned else torch.contiguous_format
    model.to(memory_format=layout)
    seconds: list[float] = []
    accuracy = 0.0
    for thaw, epochs in stages:
        blocks = len(model.features)
        start = {"head": blocks, "all": 0}.get(thaw, blocks - int(thaw) if thaw.isdigit() else 0)
        frozen, trained = model.features[:start], model.features[start:]
        frozen.requires_grad_(False)
        trained.requires_grad_(True)
        parameters = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, RATE, total_steps=max(2, epochs * len(parts["train"]))
        )
        for _ in range(epochs):
            model.train()
            frozen.eval()
            began = time.perf_counter()
            for images, labels in parts["train"]:
                with torch.no_grad():
                    maps = frozen(images.contiguous(memory_format=layout))
                logits = model.classifier(trained(maps).mean((2, 3)))
                loss = nn.functional.cross_entropy(logits, labels)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                seconds.append(time.perf_counter() - began)
                began = time.perf_counter()
            model.eval()
            right = seen = 0
            with torch.inference_mode():
                for images, labels in parts["validation"]:
                    answers = model(images.contiguous(memory_format=layout)).argmax(1)
                    right += int((answers == labels).sum())
                    seen += len(labels)
            accuracy = right / seen
    return {"accuracy": accuracy, "seconds": seconds}


if __name__ == "__main__":
    main()
