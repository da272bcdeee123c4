"""Of Hugging Face directories nothing is read that is not whole, safe, and a network of ours."""

import json
import pickle
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from checkpoints import (
    Size,
    old_files,
    rewrite,
    save,
    theirs,
    theirs_for_task,
)
from hypothesis import given
from hypothesis import strategies as st

from firth.errors import FirthWarning, FormatError
from firth.lm.neural import hf

torch.set_num_threads(1)


def without(*names):
    return lambda stored: {name: tensor for name, tensor in stored.items() if not name.endswith(names)}


BROKEN = {
    "missing": (without("attn.c_proj.bias"), r"lack h\.0\.attn\.c_proj\.bias, h\.1\.attn\.c_proj\.bias"),
    "unknown": (lambda stored: stored | {"adapter.weight": torch.ones(2)}, r"hold adapter\.weight"),
    "another layer": (
        lambda stored: stored | {"transformer.h.2.ln_1.bias": torch.ones(8)},
        r"hold h\.2\.ln_1\.bias, which config\.json gives no place",
    ),
    "shape": (
        lambda stored: stored | {"transformer.h.1.mlp.c_fc.weight": torch.ones(32, 8)},
        r"h\.1\.mlp\.c_fc\.weight has the shape \[32, 8\], by config.json it is \[8, 32\]",
    ),
    "untied": (
        lambda stored: stored | {"lm_head.weight": torch.ones(3, 8)},
        r"lm_head\.weight and wte\.weight differ",
    ),
    "quantised": (
        lambda stored: {name: (tensor * 50).to(torch.int8) for name, tensor in stored.items()},
        "is of int8, a quantised form",
    ),
    "twice": (lambda stored: stored | {"ln_f.bias": torch.ones(8)}, r"has ln_f\.bias twice"),
}


@pytest.mark.parametrize("change", BROKEN)
def test_weights_that_do_not_fit_are_named(change, checkpoint):
    _, folder = checkpoint("gpt2")
    break_, message = BROKEN[change]
    rewrite(folder, break_)
    with pytest.raises(FormatError, match=message):
        hf.read(folder)


def test_half_of_a_head_is_an_error(checkpoint):
    _, folder = checkpoint("bert")
    rewrite(folder, without("cls.seq_relationship.bias"))
    with pytest.raises(FormatError, match=r"lack cls\.seq_relationship\.bias"):
        hf.read(folder)


OTHERS = [
    ("gpt2", "model_type", "llama"),
    ("gpt2", "model_type", None),
    ("gpt2", "activation_function", "relu"),
    ("gpt2", "n_inner", 17),
    ("gpt2", "n_head", 3),
    ("gpt2", "n_layer", "two"),
    ("gpt2", "scale_attn_by_inverse_layer_idx", True),
    ("gpt2", "scale_attn_weights", False),
    ("gpt2", "layer_norm_epsilon", 1e-6),
    ("gpt2", "tie_word_embeddings", False),
    ("gpt2", "add_cross_attention", True),
    ("gpt", "afn", "silu"),
    ("bert", "hidden_act", "gelu_new"),
    ("bert", "position_embedding_type", "relative_key"),
    ("bert", "type_vocab_size", 3),
    ("bert", "is_decoder", True),
    ("bert", "intermediate_size", 31),
]


@pytest.mark.parametrize(("kind", "key", "value"), OTHERS)
def test_other_architectures_are_refused(kind, key, value, checkpoint):
    _, folder = checkpoint(kind)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    ours = {"n_head": "heads", "n_layer": "layers"}.get(key, key)
    with pytest.raises(FormatError, match=f"{ours}.*{value if ours != key else json.dumps(value)}"):
        hf.read(folder)


def test_several_dropouts_become_one_with_a_word(checkpoint):
    _, folder = checkpoint("gpt2", attn_pdrop=0.3)
    with pytest.warns(FirthWarning, match=r"attn_pdrop=0\.3; Firth has one dropout for all and takes 0\.1"):
        _, network, _ = hf.read(folder)
    assert network.config.dropout == 0.1


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
def test_a_pickle_is_refused_and_never_opened(name, checkpoint, tmp_path):
    _, folder = checkpoint("gpt2")
    (folder / "model.safetensors").unlink()
    torch.save({"wte.weight": Payload(tmp_path / "trap")}, folder / name)
    with pytest.raises(FormatError, match=r"pytorch_model\.bin.*save_pretrained|is no whole safetensors file"):
        hf.read(folder)
    pickle_too = pickle.dumps(Payload(tmp_path / "trap"))
    (folder / name).write_bytes(pickle_too)
    with pytest.raises(FormatError):
        hf.read(folder)
    assert not (tmp_path / "trap").exists()
    pickle.loads(pickle_too)
    assert (tmp_path / "trap").exists()  # the trap works


@pytest.fixture(scope="module")
def whole(pieces, tmp_path_factory):
    """A checkpoint in shards, as small as can be."""
    model = theirs("gpt2", Size(2, 1, 1, 3), vocabulary=len(pieces["gpt2"]))
    return save(tmp_path_factory.mktemp("whole"), model, pieces["gpt2"], max_shard_size="2KB")


@given(st.data())
def test_a_file_cut_anywhere_is_refused(whole, data):
    files = sorted(path for path in whole.iterdir() if path.name != "generation_config.json")
    file = data.draw(st.sampled_from(files))
    content = file.read_bytes()
    size = data.draw(st.integers(0, len(content.rstrip()) - 1))
    try:
        file.write_bytes(content[:size])
        with pytest.raises(FormatError):
            hf.read(whole)
    finally:
        file.write_bytes(content)
    hf.read(whole)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=3,
)


@pytest.fixture(scope="module")
def task_folder(pieces, tmp_path_factory):
    """A task of BERT with the files that most checkpoints have."""
    folder = old_files(
        tmp_path_factory.mktemp("task"), "bert", pieces["bert"], do_lower_case=True, unk_token="[UNK]"
    )
    theirs_for_task("bert", "SequenceClassification", pieces["bert"]).save_pretrained(folder)
    (folder / "added_tokens.json").write_text("{}")
    return folder


@pytest.mark.filterwarnings("ignore::firth.errors.FirthWarning")
@given(st.data())
def test_settings_of_any_value_are_taken_or_refused(task_folder, data):
    file = task_folder / data.draw(st.sampled_from(["config.json", "tokenizer_config.json", "added_tokens.json"]))
    whole = file.read_text()
    more = ["classifier_dropout", "problem_type", "id2label", "eos_token", "strip_accents", "<a>", "n_inner"]
    key = data.draw(st.sampled_from([*json.loads(whole), *more]))
    try:
        file.write_text(json.dumps(json.loads(whole) | {key: data.draw(ANYTHING)}))
        with suppress(FormatError):
            hf.read(task_folder)
    finally:
        file.write_text(whole)


def test_an_index_names_files_beside_it(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "copy")
    shard = min(folder.glob("model-*.safetensors"))
    shutil.copy(shard, tmp_path / "elsewhere.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(index.read_text().replace(shard.name, "../elsewhere.safetensors"))
    with pytest.raises(FormatError, match="elsewhere"):
        hf.read(folder)


def test_no_weights_at_all(checkpoint):
    _, folder = checkpoint("gpt2")
    (folder / "model.safetensors").unlink()
    with pytest.raises(FormatError, match=r"has no model\.safetensors"):
        hf.read(folder)
