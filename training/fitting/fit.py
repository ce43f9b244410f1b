"""Fitting a classifier stage by stage, each with its own optimizer and schedule."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import nn

from training.errors import TrainingError
from training.fitting.averaging import Average
from training.fitting.checkpoint import EpochRecorder, Progress, WholeCheckpoints
from training.fitting.hardware import Hardware, quiet
from training.fitting.interruption import interrupted
from training.fitting.loss import Loss, balancing_weights, make_loss
from training.fitting.lr_find import RangeTest, find_rate
from training.fitting.order import EpochOrder, NumberedBuckets
from training.fitting.process_group import ProcessGroup
from training.fitting.stage_data import StageData, prepare
from training.fitting.steps import StepLog
from training.fitting.task import StageTask, make_optimizer
from training.fitting.thaw import StagedModel
from training.fitting.tracker import Tracker
from training.models.classifier import Classifier
from training.output.progress import progress as progress_bar
from training.output.progress import tell
from training.recipe import Recipe
from training.recipe_sections import Stage
from training.run import Run


class Fitting:
    """Trains a model as its recipe says, stage by stage."""

    def __init__(
        self,
        model: Classifier,
        recipe: Recipe,
        stage_data: Callable[[Stage], StageData],
        run: Run,
        hardware: Hardware,
        trackers: Sequence[Tracker] = (),
    ) -> None:
        """Set up; nothing is trained yet.

        ``stage_data`` returns the images of a stage. ``model`` ends with the weights of the last
        epoch; those of the best are in the run.
        """
        self._model = model
        self._recipe = recipe
        self._stage_data = stage_data
        self._run = run
        self._hardware = hardware
        self._trackers = trackers
        self._group = ProcessGroup(hardware)

    def run(self, progress: Progress) -> None:
        """Train from where ``progress`` stands to the end, and add every epoch to it.

        Raises:
            TrainingError: The loss is not finite any more, or a file cannot be written.
            InterruptedRunError: Ctrl-C; the run can be resumed.
        """
        resumes = bool(progress.learning_rates)
        if resumes:
            # Before the outputs of frozen layers are computed again.
            _load(self._model, self._run, "staged.model.")
        try:
            for number in range(progress.stage, len(self._recipe.stages)):
                self._remove_features()  # of the stage before, or of a run that was killed
                progress.stage = number
                self._fit_stage(self._recipe.stages[number], progress, resumes)
                resumes = False
        finally:
            self._remove_features()

    def find_rate(self, number: int) -> RangeTest:
        """Run the range test of one stage, and leave everything as it was."""
        stage = self._recipe.stages[number].model_copy(update={"epochs": 1})  # and so one view
        staged = StagedModel(self._model, stage.thaw, stage.keep_statistics)
        return self._range_test(staged, stage, self._prepare(staged, stage, number), number)

    def _fit_stage(self, stage: Stage, progress: Progress, resumes: bool) -> None:
        number, hardware = progress.stage, self._hardware
        done = sum(epoch.stage == number for epoch in progress.epochs)
        staged = StagedModel(self._model, stage.thaw, stage.keep_statistics)
        decay = self._recipe.weight_averaging
        average = None if decay is None else Average(staged, decay)
        if done == stage.epochs:
            if average is not None:
                _load(average, self._run, "average.")
                average.swap()
            return
        data = self._prepare(staged, stage, number)
        if not resumes:
            rate = partial(self._rate, staged, stage, data, number)
            progress.learning_rates.append(self._group.agree(f"rate-{number}", rate))
        order = EpochOrder(len(data.labels), self._seed(number), hardware.rank, hardware.world)
        task = StageTask(
            staged,
            stage,
            self._recipe.optimizer,
            self._loss(data.labels),
            learning_rate=progress.learning_rates[number],
            seed=self._seed(number),
            classes=len(progress.labels),
            takes_images=not data.is_cached,
            average=average,
        )
        batches = data.batches(order, self._recipe.batch_size // hardware.world)
        for sampler in (batches.sampler, batches.batch_sampler):
            if isinstance(sampler, EpochOrder | NumberedBuckets):
                sampler.set_epoch(done)  # Lightning does, but only from the second epoch on
        images = len(order) * hardware.world
        sizes, measured = self._recipe.sizes, data.measured(hardware)
        steps = sum(map(len, (batches, *measured)))
        title = f"Stage {number + 1}, {stage.name}, {sizes[number]} px"
        tell(f"{title}: learning rate {progress.learning_rates[number]:.2g}")
        with progress_bar(title, stage.epochs * steps, done * steps) as advance, quiet():
            recorder = EpochRecorder(
                self._run, self._model, progress, sizes, images, advance, self._trackers
            )
            trainer = hardware.trainer(
                max_epochs=stage.epochs,
                callbacks=[StepLog(self._run, progress), recorder],
                plugins=[WholeCheckpoints()],
            )
            try:
                trainer.fit(
                    task,
                    batches,
                    measured,
                    ckpt_path=self._run.last if resumes else None,
                    weights_only=True,
                )
            except SystemExit as error:  # how Lightning ends on Ctrl-C
                raise interrupted(self._run, progress) from error
        if average is not None:
            average.swap()  # the next stage begins with it

    def _prepare(self, staged: StagedModel, stage: Stage, number: int) -> StageData:
        data = self._stage_data(stage)
        data.check_sizes(self._hardware.world)
        folder, seed = self._features(number), self._seed(number)
        return prepare(data, staged, stage, folder, seed, self._hardware.device, self._group)

    def _features(self, number: int) -> Path:
        return self._run.folder / "cache" / f"host-{self._hardware.host}" / f"stage-{number + 1}"

    def _remove_features(self) -> None:
        if self._group.is_first:  # the others' maps of these files outlive their names
            shutil.rmtree(self._features(0).parent, ignore_errors=True)

    def _rate(self, staged: StagedModel, stage: Stage, data: StageData, number: int) -> float:
        if stage.learning_rate != "auto":
            return stage.learning_rate
        test = self._range_test(staged, stage, data, number)
        test.write(self._run.range_test(number))
        if test.suggestion is None:
            raise TrainingError(
                f"The range test of stage {number + 1} found no rate at which the loss falls. "
                f"Give it one: --set stages.{number}.learning_rate=…, or look at the curve: "
                f"python -m training lr-find --stage {number + 1} …"
            )
        return test.suggestion

    def _range_test(
        self, staged: StagedModel, stage: Stage, data: StageData, number: int
    ) -> RangeTest:
        seed = self._seed(number)
        return find_rate(
            staged,
            lambda rate: make_optimizer(self._recipe.optimizer, staged, rate, stage.weight_decay),
            self._loss(data.labels),
            data.batches(EpochOrder(len(data.labels), seed), self._recipe.batch_size),
            are_images=not data.is_cached,
            seed=seed,
            device=self._hardware.device,
        )

    def _loss(self, labels: torch.Tensor) -> Loss:
        weights = None
        if self._recipe.class_weights:
            weights = balancing_weights(labels, int(labels.max()) + 1)
        return make_loss(self._recipe.loss, self._recipe.label_smoothing, weights)

    def _seed(self, number: int) -> int:
        return self._recipe.seed * 100 + number


def _load(module: nn.Module, run: Run, prefix: str) -> None:
    """Load a module's state from the last checkpoint."""
    state = torch.load(run.last, map_location="cpu", weights_only=True)["state_dict"]
    own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    module.load_state_dict(own)
