"""Fitting a classifier stage by stage, each with an optimizer and a schedule of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import nn

from training.errors import TrainingError
from training.fitting.averaging import Average
from training.fitting.checkpoint import Progress, Recorder, WholeCheckpoints
from training.fitting.feed import Feed, Material, check_sizes, make_feed
from training.fitting.hardware import Hardware, quiet
from training.fitting.host import Host
from training.fitting.loss import Loss, balancing_weights, make_loss
from training.fitting.lr_find import RangeTest, find_rate
from training.fitting.order import EpochOrder, NumberedBuckets
from training.fitting.steps import StepLog
from training.fitting.stops import interrupted
from training.fitting.task import StageTask, make_optimizer
from training.fitting.thaw import Trainee
from training.fitting.tracker import Tracker
from training.models.classifier import Classifier
from training.output.progress import console, progress
from training.recipe import Recipe, Stage
from training.run import Run


class Fitting:
    """Trains a model as its recipe says, stage by stage."""

    def __init__(
        self,
        model: Classifier,
        recipe: Recipe,
        material: Callable[[Stage], Material],
        run: Run,
        hardware: Hardware,
        trackers: Sequence[Tracker] = (),
    ) -> None:
        """Set up; nothing is trained yet.

        Args:
            model: Left with the weights of the last epoch; those of the best are in the run.
            recipe: How to train.
            material: What to train on, in each stage.
            run: Where to write.
            hardware: What to run on.
            trackers: Told of each step and epoch.
        """
        self._model = model
        self._recipe = recipe
        self._material = material
        self._run = run
        self._hardware = hardware
        self._trackers = trackers
        self._host = Host(hardware)
        self._labels = torch.empty(0, dtype=torch.int64)

    def go_on(self, made: Progress) -> None:
        """Train from where ``made`` stands to the end; every epoch joins it.

        Raises:
            TrainingError: The loss is no number any more, or a file cannot be written.
            InterruptedRunError: Ctrl-C; the run can be resumed.
        """
        resumes = bool(made.learning_rates)
        if resumes:
            # Before a frozen part's outputs are computed anew.
            _load(self._model, self._run, "trainee.model.")
        try:
            for number in range(made.stage, len(self._recipe.stages)):
                self._remove_features()  # of the stage before, or of a run that was killed
                made.stage = number
                self._fit_stage(self._recipe.stages[number], made, resumes)
                resumes = False
        finally:
            self._remove_features()

    def find_rate(self, number: int) -> RangeTest:
        """Run the range test of one stage, and leave everything as it was."""
        stage = self._recipe.stages[number].model_copy(update={"epochs": 1})  # and so one view
        trainee = Trainee(self._model, stage.thaw, stage.keep_statistics)
        return self._range_test(trainee, stage, self._feed(trainee, stage, number), number)

    def _fit_stage(self, stage: Stage, made: Progress, resumes: bool) -> None:
        number = made.stage
        done = sum(epoch.stage == number for epoch in made.epochs)
        trainee = Trainee(self._model, stage.thaw, stage.keep_statistics)
        average = self._average(trainee)
        if done == stage.epochs:
            if average is not None:
                _load(average, self._run, "average.")
                average.swap()
            return
        feed = self._feed(trainee, stage, number)
        if not resumes:
            rate = partial(self._rate, trainee, stage, feed, number)
            made.learning_rates.append(self._host.told(f"rate-{number}", rate))
        order = EpochOrder(
            feed.counts[0], self._seed(number), self._hardware.rank, self._hardware.world
        )
        task = StageTask(
            trainee,
            stage,
            self._recipe.optimizer,
            self._loss(),
            learning_rate=made.learning_rates[number],
            seed=self._seed(number),
            classes=len(made.labels),
            takes_images=not feed.is_cached,
            average=average,
        )
        batches = feed.batches(order, self._recipe.batch_size // self._hardware.world)
        for sampler in (batches.sampler, batches.batch_sampler):
            if isinstance(sampler, EpochOrder | NumberedBuckets):
                sampler.set_epoch(done)  # Lightning does, but only from the second epoch on
        images = len(order) * self._hardware.world
        title = f"Stage {number + 1}, {stage.name}, {self._recipe.size(stage)} px"
        with progress(title, stage.epochs, done) as advance, quiet():
            sizes = self._recipe.sizes
            recorder = Recorder(
                self._run, self._model, made, sizes, images, advance, self._trackers
            )
            callbacks = [StepLog(self._run, made), recorder]
            trainer = self._hardware.trainer(
                max_epochs=stage.epochs, callbacks=callbacks, plugins=[WholeCheckpoints()]
            )
            try:
                trainer.fit(
                    task,
                    batches,
                    feed.measured(self._hardware),
                    ckpt_path=self._run.last if resumes else None,
                    weights_only=True,
                )
            except SystemExit as error:  # how Lightning ends on Ctrl-C
                raise interrupted(self._run, made) from error
        if average is not None:
            average.swap()  # the next stage begins with it

    def _feed(self, trainee: Trainee, stage: Stage, number: int) -> Feed:
        material = self._material(stage)
        check_sizes(material, self._hardware.world)
        self._labels = material.labels
        return make_feed(
            trainee,
            stage,
            material,
            self._cache(number),
            self._seed(number),
            self._hardware.device,
            self._host,
        )

    def _cache(self, number: int) -> Path:
        return self._run.folder / "cache" / f"host-{self._hardware.host}" / f"stage-{number + 1}"

    def _remove_features(self) -> None:
        if self._host.is_first:  # the others' maps of these files outlive their names
            shutil.rmtree(self._cache(0).parent, ignore_errors=True)

    def _rate(self, trainee: Trainee, stage: Stage, feed: Feed, number: int) -> float:
        if stage.learning_rate != "auto":
            return stage.learning_rate
        found = self._range_test(trainee, stage, feed, number)
        found.write(self._run.range_test(number))
        if found.suggestion is None:
            raise TrainingError(
                f"The range test of stage {number + 1} found no rate at which the loss falls. "
                f"Give it one: --set stages.{number}.learning_rate=…, or look at the curve: "
                f"python -m training lr-find --stage {number + 1} …"
            )
        console.print(f"Stage {number + 1}: learning rate {found.suggestion:.2g} by the range test")
        return found.suggestion

    def _range_test(self, trainee: Trainee, stage: Stage, feed: Feed, number: int) -> RangeTest:
        seed = self._seed(number)
        return find_rate(
            trainee,
            lambda rate: make_optimizer(self._recipe.optimizer, trainee, rate, stage.weight_decay),
            self._loss(),
            feed.batches(EpochOrder(feed.counts[0], seed), self._recipe.batch_size),
            are_images=not feed.is_cached,
            seed=seed,
            device=self._hardware.device,
        )

    def _loss(self) -> Loss:
        labels = self._labels
        weights = None
        if self._recipe.class_weights:
            weights = balancing_weights(labels, int(labels.max()) + 1)
        return make_loss(self._recipe.loss, self._recipe.label_smoothing, weights)

    def _seed(self, number: int) -> int:
        return self._recipe.seed * 100 + number

    def _average(self, trainee: Trainee) -> Average | None:
        decay = self._recipe.weight_averaging
        return None if decay is None else Average(trainee, decay)


def _load(module: nn.Module, run: Run, prefix: str) -> None:
    """Load what the last checkpoint has of a module."""
    state = torch.load(run.last, map_location="cpu", weights_only=True)["state_dict"]
    own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    module.load_state_dict(own)
