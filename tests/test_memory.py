"""What training will take is said before it is taken."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from training import clusters, parts, word2vec

import firth
from firth import memory
from firth.vocab import Vocabulary

PEAK = """
import resource, sys
import numpy as np, firth
from firth import memory
from firth.objectives import OBJECTIVES
words, dim, objective = int(sys.argv[1]), int(sys.argv[2]), OBJECTIVES[sys.argv[3]]()
model = firth.Word2Vec(dim=dim, objective=objective, min_count=2, epochs=1, threads=2)
model.fit(sys.argv[4], progress=False)
model.save(sys.argv[5])
peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) * 1024
print(peak, memory.needed(model.vocab, dim, objective))
"""


@pytest.mark.parametrize("objective", ["negative-sampling", "hierarchical-softmax", "nce"])
def test_the_memory_predicted_is_near_the_memory_taken(tmp_path, objective):
    """Enough, and not more than 200 MB beyond: the promise of what training takes besides its weights."""
    words, dim = 100_000, 100
    ids = np.random.default_rng(1).permutation(np.repeat(np.arange(words), 3))
    (tmp_path / "text.txt").write_text(
        "".join(" ".join(f"word{i}" for i in row) + "\n" for row in ids.reshape(-1, 20).tolist())
    )
    arguments = [str(words), str(dim), objective, str(tmp_path / "text.txt"), str(tmp_path / "model.firth")]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(firth.__file__).parents[1])},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    peak, predicted = map(int, done.stdout.split())
    assert predicted > 0.9 * peak
    assert predicted < peak + 200e6
    matrices = 2 * words * 448  # 100 numbers fill seven cache lines
    assert peak < matrices + words * (memory.WORD + memory.TREE_WORD) + 200e6


def test_matrices_lie_where_the_system_gives_huge_pages():
    """In private memory that asks for them: shared memory has settings of its own, by default against it."""
    setting, maps = Path("/sys/kernel/mm/transparent_hugepage/enabled"), Path("/proc/self/smaps")
    if not setting.exists() or not maps.exists():
        pytest.skip("this system has no transparent huge pages")
    matrix = firth.weights.aligned(30_000, 100)
    address, asks = matrix.ctypes.data, {}
    for line in maps.read_text().splitlines():
        if begins := re.match(r"([0-9a-f]+)-([0-9a-f]+) (....) ", line):
            inside, kind = int(begins[1], 16) <= address < int(begins[2], 16), begins[3]
        elif line.startswith("VmFlags:") and inside:
            asks[kind] = "hg" in line.split()
    assert asks == {"rw-p": True}


def test_a_model_that_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 40_000_000)
    monkeypatch.setattr(memory, "resident", lambda: 40_000_000)
    model = word2vec()
    with pytest.raises(
        firth.TrainingError, match=r"48 words of dim=20 need 0\.10 GB of memory, and 0\.04 GB are free; lower dim"
    ):
        model.fit(clusters(300), progress=False)
    plan = model.plan(clusters(300), progress=False)
    assert not plan.fits
    assert plan.seconds is None
    monkeypatch.setattr(memory, "available", lambda: None)
    assert word2vec().fit(clusters(300), progress=False).plan(clusters(300), progress=False).fits


@pytest.mark.parametrize("version", [1, 2])
def test_control_groups_limit_what_there_is(tmp_path, version):
    names = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file 30\ntotal_active_file 7\n"),
        2: ("memory.max", "memory.current", "inactive_file 30\nactive_file 7\n"),
    }
    limit, usage, stat = names[version]
    keys = tuple(line.split()[0] for line in stat.splitlines())
    assert memory._free(tmp_path, limit, usage, keys) is None
    (tmp_path / limit).write_text("1000\n")
    (tmp_path / usage).write_text("600\n")
    (tmp_path / "memory.stat").write_text(f"anon 500\n{stat}")
    assert memory._free(tmp_path, limit, usage, keys) == 1000 - 600 + 37
    (tmp_path / limit).write_text("max\n")
    assert memory._free(tmp_path, limit, usage, keys) is None


def test_this_machine_tells():
    if not Path("/proc/meminfo").exists():
        pytest.skip("needs Linux's /proc")
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < memory.available() < total
    assert 1e6 < memory.resident() < total


def test_a_plan_says_what_comes(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("".join(" ".join(sentence) + "\n" for sentence in clusters(500)))
    model = word2vec().fit(clusters(50), progress=False)
    before = parts(model)
    plan = model.plan(path, progress=False)
    assert parts(model) == before  # another's weights were tried
    assert (plan.words, plan.vocabulary, plan.fits) == (4_000, 48, True)
    assert plan.seconds == pytest.approx(4 * 4_000 / plan.words_per_second)
    fitted = word2vec().fit(path, progress=False)
    fitted.save(tmp_path / "model.firth")
    fitted.vectors.save(tmp_path / "vectors.firth")
    for name, planned in (("model.firth", plan.disk_model), ("vectors.firth", plan.disk_vectors)):
        size = sum(file.stat().st_size for file in (tmp_path / name).iterdir() if file.suffix != ".json")
        assert planned == pytest.approx(size, rel=0.05, abs=600)  # but for headers
    cached = sum(file.stat().st_size for file in Path(os.environ["FIRTH_CACHE"]).glob("*/*") if not file.suffix)
    assert plan.disk_cache == cached


def test_a_dry_run_trains_nothing(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("".join(" ".join(sentence) + "\n" for sentence in clusters(500)))

    def dry(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "firth", "train", str(path), "--dry-run", "-q", *arguments],
            env={**os.environ, "PYTHONPATH": str(Path(firth.__file__).parents[1])},
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stderr == ""
        return done

    shown = dry("-o", "model.firth").stdout
    assert [line.split()[0] for line in shown.splitlines()] == ["text", "memory", "disk", "training"]
    assert "4,000 words, vocabulary 48 × 100" in shown
    told = json.loads(dry("--json").stdout)
    assert told["memory"] == memory.needed(
        Vocabulary.from_counts({f"w{i}": 1 for i in range(48)}), 100, firth.NegativeSampling()
    )
    assert os.listdir(tmp_path) == ["text.txt"]
    refused = dry("--dim", "100000", "--negatives", "1000")
    assert refused.returncode == 0


def test_a_real_control_group_refuses(tmp_path):
    group = Path("/sys/fs/cgroup/memory") / f"firth-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text("400000000")
    except OSError as error:
        pytest.skip(f"no memory control group can be made here: {error}")
    code = f"""
import os
open({str(group / "cgroup.procs")!r}, "w").write(str(os.getpid()))
import firth
model = firth.Word2Vec(dim=100_000, min_count=1)
model.fit([[str(i) for i in range(1_000)]], progress=False)
"""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(Path(firth.__file__).parents[1])},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "1,000 words of dim=100000 need 0.90 GB of memory, and 0.3" in done.stderr
    finally:
        group.rmdir()
