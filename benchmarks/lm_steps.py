"""What do a training step and a generated token cost, beside `transformers` at the same configuration?

    python benchmarks/lm_steps.py --size mini --vocabulary 10000
    python benchmarks/lm_steps.py --device cuda --models gpt2 --size small --batch 16

Random weights and tokens, dropout as published, AdamW; each learns from the same batch, in turn, and generates the
likeliest tokens behind the same prompts. A plain loop stands beside GPT-2: the model in forty lines of PyTorch,
all scores at once. On a GPU the table also tells the share of the peak that is used.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import transformers
from common import Row, hardware, markdown, median, number, of, ratio
from torch import Tensor, nn
from torch.nn import functional

from firth.lm.neural import bert, gpt, gpt2
from firth.lm.neural.generate import generate
from firth.lm.sampling import Sampling

MODELS = {"gpt": gpt, "gpt2": gpt2, "bert": bert}
PROMPT, MASKED = 16, 0.15
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "4090": 165e12}  # bfloat16
Batch = dict[str, Tensor]
Call = Callable[[], Any]


class Plain(nn.Module):
    """GPT-2 as one would write it down."""

    def __init__(self, config: gpt2.Config):
        super().__init__()
        self.heads, dims, self.dropout = config.heads, config.dims, config.dropout
        self.tokens, self.positions = nn.Embedding(config.vocabulary, dims), nn.Embedding(config.context, dims)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm1": nn.LayerNorm(dims),
                    "qkv": nn.Linear(dims, 3 * dims),
                    "out": nn.Linear(dims, dims),
                    "norm2": nn.LayerNorm(dims),
                    "feed": nn.Sequential(nn.Linear(dims, 4 * dims), nn.GELU("tanh"), nn.Linear(4 * dims, dims)),
                }
            )
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(dims)
        self.apply(self._start)

    def _start(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)

    def drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)

    def attend(self, block: Any, x: Tensor) -> Tensor:
        rows, length, dims = x.shape
        query, key, value = (
            each.view(rows, length, self.heads, -1).transpose(1, 2) for each in block["qkv"](x).split(dims, 2)
        )
        found = functional.scaled_dot_product_attention(
            query, key, value, dropout_p=self.dropout if self.training else 0.0, is_causal=True
        )
        return block["out"](found.transpose(1, 2).reshape(rows, length, dims))

    def forward(self, ids: Tensor) -> Tensor:
        inputs, targets = ids[:, :-1], ids[:, 1:]
        x = self.drop(self.tokens(inputs) + self.positions(torch.arange(inputs.shape[1], device=ids.device)))
        for block in self.blocks:
            x = x + self.drop(self.attend(block, block["norm1"](x)))
            x = x + self.drop(block["feed"](block["norm2"](x)))
        scores = functional.linear(self.norm(x), self.tokens.weight)
        return functional.cross_entropy(scores.flatten(0, 1), targets.flatten())


def peer(name: str, config: Any) -> nn.Module:
    """The network of `transformers` of the same shape."""
    if name == "bert":
        return transformers.BertForPreTraining(
            transformers.BertConfig(
                vocab_size=config.vocabulary,
                hidden_size=config.dims,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                intermediate_size=4 * config.dims,
                max_position_embeddings=config.context,
            )
        )
    settings, network = {
        "gpt": (transformers.OpenAIGPTConfig, transformers.OpenAIGPTLMHeadModel),
        "gpt2": (transformers.GPT2Config, transformers.GPT2LMHeadModel),
    }[name]
    shape = {"n_embd": config.dims, "n_layer": config.layers, "n_head": config.heads}
    return network(settings(vocab_size=config.vocabulary, n_positions=config.context, **shape))


def data(name: str, config: Any, rows: int) -> Batch:
    """Random tokens, and for BERT what is masked among them."""
    ids = torch.randint(200, config.vocabulary, (rows, config.context + (name != "bert")))
    if name != "bert":
        return {"ids": ids}
    places = torch.randperm(ids.numel())[: round(MASKED * ids.numel())].sort().values
    half = (torch.arange(config.context) >= config.context // 2).long().expand_as(ids).contiguous()
    apart = torch.randint(2, (rows,))
    return {"ids": ids, "segments": half, "chosen": places, "words": ids.flatten()[places], "apart": apart}


def loss_of_peer(network: nn.Module, name: str, batch: Batch) -> Call:
    ids = batch["ids"]
    if name != "bert":
        seen = ids[:, :-1].contiguous()  # as many tokens as ours reads; it shifts the labels itself
        more = {"use_cache": False} if name == "gpt2" else {}
        return lambda: network(seen, labels=seen, **more).loss
    labels = torch.full_like(ids, -100)
    labels.view(-1)[batch["chosen"]] = batch["words"]
    spans = {"token_type_ids": batch["segments"], "next_sentence_label": batch["apart"]}
    return lambda: network(ids, labels=labels, **spans).loss


class Contest:
    """The tools of one model on one device, and what each call of theirs took."""

    def __init__(self, name: str, options: argparse.Namespace):
        self.name, self.options, self.device = name, options, torch.device(options.device)
        module = MODELS[name]
        size = {**module.SIZES[options.size], "vocabulary": options.vocabulary}
        self.config = module.Config(**size | ({"context": options.context} if options.context else {}))
        torch.manual_seed(1)
        self.batch = {key: each.to(self.device) for key, each in data(name, self.config, options.batch).items()}
        self.ours = self._made(module)
        self.theirs = peer(name, self.config).to(self.device)
        self.rows: list[Row] = []

    def _made(self, module: ModuleType) -> Any:
        network = module.Bert(self.config) if self.name == "bert" else module.create(self.config, None)
        return network.to(self.device)

    def timed(self, task: str, tool: str, call: Call, tokens: int) -> None:
        self._wait()
        began, cpu = time.perf_counter(), time.process_time()
        call()
        self._wait()
        row = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu, "tokens": tokens}
        self.rows.append({"model": self.name, "task": task, "tool": tool, **row})

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def train(self) -> None:
        losses: dict[str, tuple[nn.Module, Call]] = {
            "firth": (self.ours, lambda: self.ours.loss(self.batch).total),
            "transformers": (self.theirs, loss_of_peer(self.theirs, self.name, self.batch)),
        }
        if self.name == "gpt2":
            plain = Plain(self.config).to(self.device)
            losses["plain loop"] = (plain, lambda: plain(self.batch["ids"]))
        steps = {tool: self._step(*each) for tool, each in losses.items()}
        for step in (*steps.values(), *steps.values()):
            step()
        for _ in range(self.options.runs):
            for tool, step in steps.items():
                self.timed("training step", tool, step, self.options.batch * self.config.context)

    def _step(self, network: nn.Module, loss: Call) -> Call:
        network.train()
        half = self.options.precision == "bfloat16"
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)

        def step() -> None:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
                found = loss()
            found.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

        return step

    def generate(self, rows: int) -> None:
        length = min(self.options.length, self.config.context - PROMPT)
        ids = torch.randint(self.config.vocabulary, (rows, PROMPT), device=self.device)
        prompts, seen = ids.tolist(), torch.ones_like(ids)
        self.theirs.eval()
        self.theirs.generation_config.eos_token_id = None
        self.theirs.generation_config.pad_token_id = 0
        calls: dict[str, Call] = {
            "firth": lambda: generate(
                self.ours, prompts, length=length, sampling=Sampling(temperature=0), seeds=range(rows)
            ),
            "transformers": lambda: self.theirs.generate(
                ids, attention_mask=seen, max_new_tokens=length, do_sample=False
            ),
        }
        for call in calls.values():
            call()
        for _ in range(self.options.runs):
            for tool, call in calls.items():
                self.timed(f"{rows} × {length} tokens generated", tool, call, rows * length)

    def flops(self) -> float:
        """Of a training step, a token: 6 a weight, positions left out, and 12·L·D·T for attention."""
        weights = sum(each.numel() for each in self.ours.parameters()) - self.ours.embed.positions.weight.numel()
        return 6 * weights + 12 * self.config.layers * self.config.dims * self.config.context


def table(contests: list[Contest], peak: float | None) -> str:
    lines = []
    for contest in contests:
        for task in dict.fromkeys(row["task"] for row in contest.rows):
            runs = {
                tool: of(contest.rows, task=task, tool=tool) for tool in ("firth", "transformers", "plain loop")
            }
            seconds = {tool: median(rows, "seconds") for tool, rows in runs.items()}
            tokens = runs["firth"][0]["tokens"]
            speed = tokens / (seconds["firth"] or 1)
            used = speed * contest.flops() / peak if peak and task == "training step" else None
            lines.append(
                (
                    contest.name,
                    task,
                    *(number(each and 1e3 * each, ".1f") for each in seconds.values()),
                    number(ratio(seconds["firth"], seconds["transformers"])),
                    number(ratio(seconds["firth"], seconds["plain loop"])),
                    f"{speed:,.0f}",
                    number(used and 100 * used, ".0f"),
                )
            )
    header = (
        "model",
        "task",
        "firth, ms",
        "transformers, ms",
        "plain loop, ms",
        "ratio",
        "to the loop",
        "tokens/s",
    )
    return markdown((*header, "% of peak"), lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="gpt,gpt2,bert", help="(default: %(default)s)")
    parser.add_argument(
        "--size", default="mini", help="of each; 'small' of gpt2, 'base' of the others, are published"
    )
    parser.add_argument("--vocabulary", type=int, default=10000, help="(default: %(default)s)")
    parser.add_argument("--context", type=int, help="instead of the size's own")
    parser.add_argument("--batch", type=int, default=16, help="texts in a training step (default: 16)")
    parser.add_argument("--length", type=int, default=64, help="tokens to generate (default: 64)")
    parser.add_argument(
        "--rows", type=int, nargs="*", default=[1, 8], help="texts generated at once (default: 1 8)"
    )
    parser.add_argument("--runs", type=int, default=5, help="of which medians are told (default: 5)")
    parser.add_argument("--threads", type=int, default=2, help="(default: 2)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), help="of steps (bfloat16 on a GPU)")
    parser.add_argument("--peak", type=float, help="TFLOP/s of the GPU in bfloat16, where its name does not tell")
    parser.add_argument(
        "--json", type=Path, default=Path("out/bench/lm_steps.json"), help="(default: %(default)s)"
    )
    options = parser.parse_args()
    options.precision = options.precision or ("float32" if options.device == "cpu" else "bfloat16")
    torch.set_num_threads(options.threads)
    torch.set_float32_matmul_precision("high")
    transformers.logging.set_verbosity_error()

    contests = [Contest(name, options) for name in options.models.split(",")]
    for contest in contests:
        contest.train()
        for rows in options.rows if contest.name != "bert" else ():
            contest.generate(rows)
    gpu = torch.cuda.get_device_name() if options.device.startswith("cuda") else None
    known = next((peak for name, peak in PEAKS.items() if name in (gpu or "")), None)
    found = table(contests, options.peak * 1e12 if options.peak else known)
    record = {
        "question": (__doc__ or "").split("\n")[0],
        "hardware": {**hardware(), "gpu": gpu},
        "software": {name: version(name) for name in ("torch", "transformers")},
        "options": {key: str(value) for key, value in vars(options).items()},
        "runs": [row for contest in contests for row in contest.rows],
        "table": found,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(record, indent=1) + "\n")
    tools = ", ".join(map(" ".join, record["software"].items()))
    machine = gpu or f"{record['hardware']['cpu']}, {options.threads} threads"
    print(f"## {record['question']}\n\n{found}\n")
    print(
        f"Size {options.size}, {options.vocabulary:,} tokens, {options.batch} texts a step, {options.precision}; "
        f"medians of {options.runs} runs in turn. {machine}; {tools}."
    )


if __name__ == "__main__":
    main()
