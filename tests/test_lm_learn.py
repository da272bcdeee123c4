"""The training loop: what a step does, in which order, and how it stops and goes on."""

import copy
import json
import math
import re
import signal
import threading

import numpy as np
import pytest
import torch
from networks import one_thread  # noqa: F401 - a fixture
from torch import nn

from firth import SettingsError, TrainingError, progress
from firth.lm.neural.devices import device_named
from firth.lm.neural.learn import learn
from firth.lm.neural.learning import Learning, Standing
from firth.lm.neural.losses import mean_losses
from firth.lm.neural.network import Loss
from firth.progress import watching

CPU = torch.device("cpu")


class Points:
    """Inputs and what should come of them."""

    def __init__(self, count=10):
        random = np.random.default_rng(0)
        self.x = torch.from_numpy(random.normal(size=(count, 3)).astype(np.float32))
        self.y = self.x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 3
        self.made = []

    def __len__(self):
        return len(self.x)

    def make(self, which, random):
        self.made.append((which.tolist(), random.random()))
        which = torch.from_numpy(which)
        return {"x": self.x[which], "y": self.y[which]}


class Line(nn.Module):
    """A line with dropout, so that random numbers matter; `act` is called at each loss."""

    def __init__(self, dropout=0.2, act=lambda step: 1.0):
        super().__init__()
        torch.manual_seed(1)
        self.line, self.dropout, self.act, self.steps = nn.Linear(3, 1), nn.Dropout(dropout), act, 0

    def loss(self, batch):
        if self.training:
            self.steps += 1
        error = (self.line(self.dropout(batch["x"])) - batch["y"]).square().mean()
        error = error * (self.act(self.steps) if self.training else 1.0)
        return Loss(error, error.detach(), len(batch["x"]), extras={"half": float(error.detach()) / 2})


def trained(module, points=None, *, learning=None, **more):
    with watching(False) as watcher:
        settings = {"epochs": 4, "batch": 3, "learning_rate": 0.05, **(learning or {})}
        points = Points() if points is None else points
        return learn(module, points, Learning(**settings), device=CPU, watcher=watcher, **more)


def weights(module):
    return [each.detach().clone() for each in module.parameters()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


# Steps


def test_the_loss_falls():
    module = Line(dropout=0.0)
    standing = trained(module, learning={"epochs": 60, "learning_rate": 0.2})
    losses = [row["loss"] for row in standing.history]
    assert losses[-1] < 1e-3 * losses[0]
    assert [row["epoch"] for row in standing.history] == list(range(1, 61))
    assert standing.history[-1]["half"] == pytest.approx(losses[-1] / 2, rel=1e-5)
    assert standing.read == 600


def test_an_epoch_visits_each_piece_once_in_an_order_of_its_own():
    points = Points()
    trained(Line(), points)
    epochs = [[n for which, _ in points.made[4 * e : 4 * e + 4] for n in which] for e in range(4)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    again, other = Points(), Points()
    trained(Line(), again)
    assert again.made == points.made
    trained(Line(), other, learning={"seed": 2})
    assert other.made != points.made


def test_accumulated_batches_are_one_large_one():
    points, one, many = Points(12), Line(dropout=0.0), Line(dropout=0.0)
    trained(one, points, learning={"batch": 6})
    trained(many, points, learning={"batch": 2, "accumulate": 3})
    for a, b in zip(weights(one), weights(many), strict=True):
        torch.testing.assert_close(a, b)


def test_the_rate_rises_in_a_line_and_falls_as_a_cosine():
    settings = Learning(learning_rate=2.0, warmup=0.1)
    rates = [settings.rate(step, 100) for step in range(100)]
    assert rates[:11] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.0])
    assert rates[55] == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True) and 0 < rates[-1] < 0.01


def test_a_step_is_adamw_with_a_clipped_gradient():
    module, points = Line(dropout=0.0), Points(3)
    reference = copy.deepcopy(module)
    batch = {"x": points.x, "y": points.y}
    loss = reference.loss(batch).total
    loss.backward()
    norm = nn.utils.clip_grad_norm_(reference.parameters(), 0.01)
    assert norm > 0.01
    groups = [
        {"params": [reference.line.weight], "weight_decay": 0.5},
        {"params": [reference.line.bias], "weight_decay": 0.0},
    ]
    torch.optim.AdamW(groups, lr=0.05).step()
    trained(module, points, learning={"epochs": 1, "clip": 0.01, "weight_decay": 0.5, "warmup": 0})
    for a, b in zip(weights(module), weights(reference), strict=True):
        torch.testing.assert_close(a, b)


def test_frozen_weights_stay():
    module = Line()
    module.line.weight.requires_grad_(False)
    before = weights(module)
    trained(module)
    after = weights(module)
    assert torch.equal(before[0], after[0]) and not torch.equal(before[1], after[1])


def test_bfloat16_learns_with_weights_in_full_precision():
    module = Line(dropout=0.0)
    standing = trained(module, learning={"epochs": 30, "learning_rate": 0.2, "precision": "bfloat16"})
    assert standing.history[-1]["loss"] < 0.01 * standing.history[0]["loss"]
    assert module.line.weight.dtype == torch.float32


def test_nobody_elses_random_numbers_change():
    module = Line()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    trained(module)
    assert torch.equal(torch.rand(3), expected)


# Held out


def test_the_best_weights_are_kept_and_patience_ends_training():
    module, seen = Line(), []
    costs = iter([5.0, 3.0, 4.0, math.nan, 3.5, 1.0])

    def measure():
        assert not module.training
        seen.append(weights(module))
        return {"cost": next(costs), "accuracy": 0.5}

    standing = trained(module, learning={"epochs": 9, "patience": 3}, measure=measure)
    assert [row["cost"] for row in standing.history] == pytest.approx([5, 3, 4, math.nan, 3.5], nan_ok=True)
    assert same(weights(module), seen[1]) and not module.training


def test_what_is_held_out_is_measured_without_dropout_the_same_each_time():
    module, points = Line(dropout=0.9), Points()
    module.eval()
    first = mean_losses(module, points, batch=3, device=CPU, precision="float32")
    again = mean_losses(module, points, batch=4, device=CPU, precision="float32")
    assert first == pytest.approx(again, rel=1e-5)
    error = (module.line(points.x) - points.y).square().mean().item()
    assert first["loss"] == pytest.approx(error, rel=1e-5)
    assert first["perplexity"] == pytest.approx(math.exp(first["loss"]))


# Stopping and going on


class Stopped(Exception):
    pass


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("stop", [1, 3, 4, 5, 8, 15])
def test_going_on_comes_to_the_same_bits(stop, held):
    def measured(module):
        return (lambda: mean_losses(module, Points(), batch=4, device=CPU, precision="float32")) if held else None

    whole = Line()
    full = trained(whole, measure=measured(whole))
    part, kept = Line(), []

    def checkpoint(standing):
        if standing.step == stop:
            kept.append((copy.deepcopy(part.state_dict()), copy.deepcopy(standing)))
            raise Stopped

    with pytest.raises(Stopped):
        trained(part, checkpoint=checkpoint, every=1e-9, measure=measured(part))
    state, standing = kept[0]
    saved = Standing.from_dict(standing.as_dict(), standing.tensors)
    other = Line()
    other.load_state_dict(state)
    found = trained(other, standing=saved, measure=measured(other))
    assert same(weights(other), weights(whole))
    rows = [[{**row, "seconds": 0} for row in each.history] for each in (found, full)]
    assert rows[0] == rows[1]


def interrupt_at(steps):
    def act(step):
        if step in steps:
            signal.raise_signal(signal.SIGINT)
        return 1.0

    return act


def test_an_interrupt_ends_after_the_step_and_is_saved():
    kept, module = [], Line(act=interrupt_at({6}))
    with pytest.raises(KeyboardInterrupt):
        trained(module, checkpoint=lambda standing: kept.append((standing.step, weights(module))))
    assert [step for step, _ in kept] == [4, 6] and same(kept[-1][1], weights(module))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_interrupt_leaves_at_once():
    def act(step):
        if step == 6:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return 1.0

    kept, module = [], Line(act=act)
    with pytest.raises(KeyboardInterrupt):
        trained(module, checkpoint=lambda standing: kept.append(standing.step))
    assert kept == [4]


def test_off_the_main_thread_it_learns_as_well():
    found = []
    thread = threading.Thread(target=lambda: found.append(trained(Line())))
    thread.start()
    thread.join()
    assert found[0].step == 16


# What cannot be


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_training_before_weights_are_spoilt(value):
    kept, module = [], Line(act=lambda step: value if step == 6 else 1.0)
    with pytest.raises(TrainingError, match=r"became (nan|inf) at step 6 of 16; lower learning_rate \(it was"):
        trained(module, checkpoint=lambda standing: kept.append(standing.step))
    assert kept == [4]
    assert all(torch.isfinite(each).all() for each in weights(module))


def test_nothing_to_learn_from():
    with pytest.raises(TrainingError, match="too short"):
        trained(Line(), Points(0))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"learning_rate": 0.0}, "learning_rate=0"),
        ({"learning_rate": math.nan}, "learning_rate=nan"),
        ({"warmup": 1.0}, "warmup=1"),
        ({"clip": -1}, "clip=-1"),
        ({"precision": "int8"}, "'int8'"),
        ({"patience": 0}, "patience=0"),
    ],
)
def test_settings_that_cannot_work(setting, said):
    with pytest.raises(SettingsError, match=said):
        Learning(**setting)


def test_a_device_that_is_not_there():
    assert device_named("cpu") == CPU
    with pytest.raises(SettingsError, match="'tpu' is not to be had here; there is"):
        device_named("tpu")
    with pytest.raises(SettingsError, match="float16' needs a GPU"):
        trained(Line(), learning={"precision": "float16"})


# What is seen of it


def test_progress_in_lines_and_in_a_log(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    monkeypatch.setattr("firth.lm.neural.learn._TELL_SECONDS", 0.0)
    with watching(True, tmp_path / "log") as watcher:
        standing = learn(Line(), Points(), Learning(epochs=2, batch=3), device=CPU, watcher=watcher)
    said = capsys.readouterr().err.splitlines()
    assert re.match(
        r"epoch 1/2, 12 % of all: loss \d+\.\d{4}, perplexity [\d.e+,]+, half \S+, rate 0\.0010, ", said[0]
    )
    assert re.search(r", [\d,]+ tokens/s, \d+ s left$", said[0])
    assert sum(line.startswith(("epoch 1/2: loss ", "epoch 2/2: loss ")) for line in said) == 2
    rows = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    steps = [row for row in rows if row["event"] == "training"]
    assert [row["words"] for row in steps[:4]] == [3, 6, 9, 10] and steps[0]["unit"] == "tokens"
    assert {"loss", "perplexity", "half", "learning_rate", "words_per_second"} <= steps[0].keys()
    ends = [row for row in rows if row["event"] == "message"]
    assert [row["loss"] for row in ends] == [row["loss"] for row in standing.history]
