"""The one training loop: AdamW, warm-up and cosine, accumulation, clipping, autocast, early stopping, going on.

What a step does is a function of the weights, their moments, the seed and the step's number: the order of an
epoch is drawn from (seed, epoch), a batch's and dropout's numbers from (seed, step). So a training that stopped
goes on from these as if it had not, on a CPU to the same bits.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from firth.errors import SettingsError, TrainingError
from firth.lm.neural.devices import autocast
from firth.lm.neural.learning import Learning, Standing
from firth.lm.neural.losses import Means
from firth.lm.neural.network import Batches, Loss
from firth.progress import Status, Watcher

_TELL_SECONDS = 0.2  # between two reports

Measure = Callable[[], Mapping[str, float]]


def learn(
    network: Any,
    batches: Batches,
    settings: Learning,
    *,
    device: torch.device,
    watcher: Watcher,
    measure: Measure | None = None,
    standing: Standing | None = None,
    checkpoint: Callable[[Standing], None] | None = None,
    every: float | None = None,
) -> Standing:
    """Teach an nn.Module with a method `loss(batch) -> Loss`, and give back how it went.

    `measure` is called at each epoch's end, the module in evaluation mode; what it gives goes into the history,
    and its first number is better the lower it is: the weights end up as they were when that was lowest, and
    `settings.patience` goes by it. `checkpoint` is called between two steps at each epoch's end, every so many
    seconds, and before a KeyboardInterrupt is passed on; a second Ctrl-C leaves at once.

    Raises `TrainingError` where the loss is no number, or there is nothing to learn from.
    """
    if not len(batches):
        raise TrainingError("the text is too short to be cut into batches; give more of it")
    if settings.precision == "float16" and device.type == "cpu":
        raise SettingsError("precision='float16' needs a GPU; bfloat16 does on a CPU")
    network.to(device)
    run = _Run(network, batches, settings, device, watcher, measure, standing or Standing(), checkpoint, every)
    with _interrupts() as interrupt, torch.random.fork_rng():
        run.go(interrupt)
    return run.standing


class _Run:
    """One training, from where it stands to its end."""

    def __init__(
        self,
        network: Any,
        batches: Batches,
        settings: Learning,
        device: torch.device,
        watcher: Watcher,
        measure: Measure | None,
        standing: Standing,
        checkpoint: Callable[[Standing], None] | None,
        every: float | None,
    ):
        self.network, self.batches, self.settings, self.device = network, batches, settings, device
        self.watcher, self.measure, self.standing = watcher, measure, standing
        self.checkpoint, self.every = checkpoint, every
        self.named: dict[str, nn.Parameter] = {
            name: each for name, each in network.named_parameters() if each.requires_grad
        }
        self.optimizer = self._optimizer()
        self.scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "float16")
        self.steps_an_epoch = -(-len(batches) // (settings.batch * settings.accumulate))
        self.steps = settings.epochs * self.steps_an_epoch
        self.order: tuple[int, Any] = (-1, None)
        self.pending: list[Loss] = []
        self.began = time.monotonic() - standing.seconds
        self.told = self.saved = time.monotonic()
        if standing.step:
            self._restore()

    def _optimizer(self) -> torch.optim.AdamW:
        matrices = [each for each in self.named.values() if each.dim() > 1]
        others = [each for each in self.named.values() if each.dim() <= 1]
        groups = [
            {"params": matrices, "weight_decay": self.settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        fused = self.device.type in ("cpu", "cuda")
        return torch.optim.AdamW(groups, lr=self.settings.learning_rate, fused=fused)

    def go(self, interrupt: threading.Event) -> None:
        """All steps that are left, or up to an interrupt, or until the held-out text asks for no more."""
        standing, patience = self.standing, self.settings.patience
        self.network.train()
        while standing.step < self.steps and not (patience and standing.since_best >= patience):
            self._step()
            if not standing.step % self.steps_an_epoch:
                self._end_epoch()
                self._save()
            elif interrupt.is_set() or self._due():
                self._save()
            if interrupt.is_set():
                raise KeyboardInterrupt
        self._note()
        if best := _part(standing.tensors, "best"):
            self.network.load_state_dict(best)
        self.network.eval()

    def _step(self) -> None:
        settings, standing = self.settings, self.standing
        epoch, step = divmod(standing.step, self.steps_an_epoch)
        rate = settings.rate(standing.step, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        random = np.random.default_rng([settings.seed, standing.step])
        torch.manual_seed(int(random.integers(1 << 62)))
        size = settings.batch * settings.accumulate
        pieces = self._order(epoch)[step * size : (step + 1) * size]
        parts = [pieces[at : at + settings.batch] for at in range(0, len(pieces), settings.batch)]
        for part in parts:
            batch = {name: each.to(self.device) for name, each in self.batches.make(part, random).items()}
            with autocast(self.device, settings.precision):
                loss = self.network.loss(batch)
            self.pending.append(replace(loss, total=loss.total.detach()))
            if self.device.type == "cpu":
                self._settle()  # before weights can be spoilt
            self.scaler.scale(loss.total * (len(part) / len(pieces))).backward()
        self.scaler.unscale_(self.optimizer)
        if settings.clip:
            nn.utils.clip_grad_norm_(self.named.values(), settings.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        standing.step += 1
        if time.monotonic() - self.told >= _TELL_SECONDS:
            self._tell()

    def _order(self, epoch: int) -> Any:
        """The order in which an epoch visits the pieces."""
        if self.order[0] != epoch:
            random = np.random.default_rng([self.settings.seed, epoch, 1])
            self.order = (epoch, random.permutation(len(self.batches)))
        return self.order[1]

    def _settle(self) -> None:
        """Add up the losses since the last time; raises `TrainingError` for one that is no number."""
        means = Means(self.standing.sums)
        for loss in self.pending:
            if not math.isfinite(value := float(loss.total)):
                raise TrainingError(
                    f"the loss became {value} at step {self.standing.step + 1:,} of {self.steps:,}; lower "
                    f"learning_rate (it was {self.settings.learning_rate:g}), or clip, or take a longer warmup"
                )
            means.add(loss)
            self.standing.read += loss.predicted if loss.read is None else loss.read
        self.pending.clear()

    def _means(self) -> dict[str, float]:
        """The means since the epoch began."""
        self._settle()
        return Means(self.standing.sums).found()

    def _tell(self) -> None:
        standing, means = self.standing, self._means()
        standing.seconds = time.monotonic() - self.began
        self.told = time.monotonic()
        self.watcher.training(
            Status(
                epoch=min((standing.step - 1) // self.steps_an_epoch + 1, self.settings.epochs),
                epochs=self.settings.epochs,
                words=standing.read,
                total_words=standing.read * self.steps // max(standing.step, 1),
                loss=means.pop("loss"),
                learning_rate=self.settings.rate(standing.step - 1, self.steps),
                seconds=standing.seconds,
                unit="tokens",
                details=means,
            )
        )

    def _end_epoch(self) -> None:
        self._tell()
        standing, means = self.standing, self._means()
        epoch = standing.step // self.steps_an_epoch
        found: dict[str, float] = {}
        if self.measure:
            self.network.eval()
            found = dict(self.measure())
            self.network.train()
            self._compare(next(iter(found.values())))
        standing.seconds = time.monotonic() - self.began
        row = {"epoch": epoch, **means, **found, "tokens": standing.read, "seconds": standing.seconds}
        standing.history.append(row)
        standing.sums = {}
        shown = ", ".join(f"{name.replace('_', ' ')} {each:,.4g}" for name, each in {**means, **found}.items())
        self.watcher.message(f"epoch {epoch}/{self.settings.epochs}: {shown}", **row)

    def _compare(self, value: float) -> None:
        standing = self.standing
        if math.isnan(value) or value >= standing.best:
            standing.since_best += 1
            return
        standing.best, standing.since_best = value, 0
        standing.tensors = {
            f"best.{name}": each.detach().cpu().clone() for name, each in self.network.state_dict().items()
        }

    def _due(self) -> bool:
        return self.every is not None and time.monotonic() - self.saved >= self.every

    def _save(self) -> None:
        self._note()
        if self.checkpoint:
            self.checkpoint(self.standing)
        self.saved = time.monotonic()

    def _note(self) -> None:
        """Put down where the training stands."""
        self._settle()
        standing = self.standing
        standing.seconds, standing.noted = time.monotonic() - self.began, standing.step
        for name, each in self.named.items():
            if state := self.optimizer.state.get(each):
                standing.tensors[f"first.{name}"] = state["exp_avg"].cpu()
                standing.tensors[f"second.{name}"] = state["exp_avg_sq"].cpu()
                standing.updates = int(state["step"])
        if self.scaler.is_enabled():
            state = self.scaler.state_dict()
            standing.scale, standing.growth = state["scale"], state["_growth_tracker"]

    def _restore(self) -> None:
        standing = self.standing
        first, second = _part(standing.tensors, "first"), _part(standing.tensors, "second")
        for name, each in self.named.items():
            if name in first:
                self.optimizer.state[each] = {
                    "step": torch.tensor(float(standing.updates), device=self.device),
                    "exp_avg": first[name].to(self.device, copy=True),
                    "exp_avg_sq": second[name].to(self.device, copy=True),
                }
        if self.scaler.is_enabled() and standing.scale is not None:
            saved = {"scale": standing.scale, "_growth_tracker": standing.growth}
            self.scaler.load_state_dict(self.scaler.state_dict() | saved)


def _part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): each for key, each in tensors.items() if key.startswith(f"{name}.")}


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets; a second one raises KeyboardInterrupt. Off the main thread none is caught."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def note(number: int, frame: Any) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
