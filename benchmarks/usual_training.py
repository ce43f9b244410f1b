"""The usual way to fine-tune MobileNetV2: the baseline of the training rows.

    python -m benchmarks.usual_training FOLDER STAGE … [--tuned]

FOLDER holds `train/` and `validation/`; a STAGE is `head:25`, `3:10` (the last 3 blocks) or
`all:3`, with its number of epochs. The weights, images, optimizer, schedule and number of steps
are those of ours. `--tuned` adds what costs such a loop a few lines: channels-last, and the
allocator and waiting policy that `training.process` sets.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from benchmarks.usual_transform import usual_transform
from training.process import keep_freed_memory, wait_passively

BATCH = 32
RATE = 1e-3
DECAY = 0.01


def fit(folder: Path, stages: list[str], tuned: bool) -> dict[str, object]:
    """Train; return the accuracy on the validation images and the seconds of each step."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader

    from training.models.weights import find_weights
    from training.torchvision_import import torchvision

    sets = [
        torchvision.datasets.ImageFolder(str(folder / name), usual_transform(224))
        for name in ("train", "validation")
    ]
    cores = os.cpu_count() or 1
    training, validation = (
        DataLoader(images, BATCH, images is sets[0], num_workers=cores, persistent_workers=True)
        for images in sets
    )
    torch.manual_seed(0)
    model = torchvision.models.mobilenet_v2()
    weights = find_weights("flying-objects", "mobilenet_v2") or {}
    body = {name: value for name, value in weights.items() if name.startswith("features.")}
    model.load_state_dict(body, strict=False)
    model.classifier[1] = nn.Linear(model.last_channel, len(sets[0].classes))
    layout = torch.channels_last if tuned else torch.contiguous_format
    model.to(memory_format=layout)
    seconds: list[float] = []
    accuracy = 0.0
    for thaw, epochs in (stage.split(":") for stage in stages):
        blocks = len(model.features)
        start = {"head": blocks, "all": 0}.get(thaw) if thaw.isalpha() else blocks - int(thaw)
        frozen, trained = model.features[:start], model.features[start:]
        frozen.requires_grad_(False)
        trained.requires_grad_(True)
        parameters = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, RATE, weight_decay=DECAY)
        steps = max(2, int(epochs) * len(training))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
        for _ in range(int(epochs)):
            model.train()
            frozen.eval()
            began = time.perf_counter()
            for images, labels in training:
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
            with torch.inference_mode():
                right = [
                    model(images.contiguous(memory_format=layout)).argmax(1) == labels
                    for images, labels in validation
                ]
            accuracy = float(torch.cat(right).float().mean())
    return {"accuracy": accuracy, "seconds": seconds}


if __name__ == "__main__":
    *words, last = sys.argv[1:]
    if is_tuned := last == "--tuned":
        wait_passively()
        keep_freed_memory()
    folder_, *stages_ = words if is_tuned else [*words, last]
    print(json.dumps(fit(Path(folder_), stages_, is_tuned)))
