"""Hugging Face directories: the same numbers as `transformers`, and nothing read that is not whole and safe."""

import json
import pickle
import shutil
import warnings
from contextlib import suppress
from pathlib import Path

import checkpoints
import pytest
import torch
import transformers
from checkpoints import KINDS, Size, rewrite, save, theirs, trained
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import firth.lm
from firth.cli.lm.export import command as export
from firth.corpus import Corpus
from firth.errors import FirthWarning, FormatError, SettingsError
from firth.files import FileError
from firth.lm.neural import bert, gpt, gpt2, hf
from firth.lm.neural.answers import Names
from firth.lm.neural.finetune import Task
from firth.lm.neural.hf.tokens import read_tokens
from firth.lm.neural.tokens import WordTokens

torch.set_num_threads(1)

MODULES = {"gpt": gpt, "gpt2": gpt2, "bert": bert}
SIZES = [Size(24, 3, 3, 19), Size(20, 1, 5, 12), Size(6, 2, 1, 33)]
TINY = Size(8, 2, 2, 12)
PADDING = {"none": (0, 0), "left": (3, 0), "right": (0, 4), "both": (2, 3)}


@pytest.fixture(scope="module")
def pieces():
    return {kind: trained(kind) for kind in KINDS}


def close(ours, other, where=...):
    torch.testing.assert_close(ours[where], other[where], atol=1e-5, rtol=1e-4)


def batch(size, vocabulary, padding, seed=0):
    """Ids, which are real, their places and segments; the first row is always without padding."""
    random = torch.Generator().manual_seed(seed)
    ids = torch.randint(vocabulary, (3, size.context - 1), generator=random)
    mask = torch.ones_like(ids, dtype=torch.bool)
    left, right = PADDING[padding]
    mask[1:, :left] = False
    mask[2:, ids.shape[1] - right :] = False
    segments = torch.randint(2, ids.shape, generator=random)
    return ids, mask, (mask.cumsum(1) - 1).clamp(min=0), segments


@torch.no_grad()
def compare(kind, network, model, size, vocabulary, padding="both"):
    """Every layer's states and all scores, but for padding."""
    ids, mask, places, segments = batch(size, vocabulary, padding)
    given = {"token_type_ids": segments} if kind == "bert" else {}
    expected = model(
        input_ids=ids, attention_mask=mask.long(), position_ids=places, output_hidden_states=True, **given
    )
    states = network.hidden(ids, mask=mask, segments=segments)
    for state, other in zip(states, expected.hidden_states, strict=True):
        close(state, other, mask)
    scores = expected.prediction_logits if kind == "bert" else expected.logits
    close(network.logits(states[-1]), scores, mask)
    if kind == "bert":
        close(network.adjacent(network.pooled(states[-1])), expected.seq_relationship_logits)
        close(network.pooled(states[-1]), model.bert(ids, mask.long(), segments, places).pooler_output)


@pytest.mark.filterwarnings("ignore:.*may be padding")
@pytest.mark.parametrize("padding", PADDING)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_theirs_loaded_by_us_computes_the_same(kind, size, padding, pieces, tmp_path):
    vocabulary = len(pieces[kind]) + 3
    model = theirs(kind, size, vocabulary=vocabulary)
    found, network, _ = hf.read(save(tmp_path, model, pieces[kind]))
    assert found == kind
    compare(kind, network, model, size, vocabulary, padding)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_ours_saved_loaded_by_them_computes_the_same(kind, size, pieces, tmp_path):
    network, config = ours(kind, size, pieces[kind])
    hf.write(tmp_path / "out", network, pieces[kind])
    model, report = transformers.AutoModelForPreTraining.from_pretrained(
        tmp_path / "out", output_loading_info=True
    )
    assert not any(report.values()), report  # nothing missing, unexpected, or of another shape
    compare(kind, network, model.eval(), size, config.vocabulary)
    _, base = transformers.AutoModel.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not base["missing_keys"]


def ours(kind, size, pieces):
    module = MODULES[kind]
    config = module.Config(vocabulary=len(pieces), **vars(size))
    network = module.create(config, pieces).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return network, config


@pytest.mark.parametrize("kind", KINDS)
def test_written_and_read_again_nothing_changed(kind, pieces, tmp_path):
    network, config = ours(kind, TINY, pieces[kind])
    hf.write(tmp_path / "out", network, pieces[kind])
    found, again, tokens = hf.read(tmp_path / "out")
    assert (found, again.config, len(tokens)) == (kind, config, len(pieces[kind]))
    for name, tensor in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:.*may be padding")
@pytest.mark.parametrize("kind", KINDS)
def test_the_published_sizes_compute_the_same(kind, pieces, tmp_path):
    size, vocabulary = {
        "gpt": (Size(768, 12, 12, 512), 40478),
        "gpt2": (Size(768, 12, 12, 1024), 50257),
        "bert": (Size(768, 12, 12, 512), 30522),
    }[kind]
    model = theirs(kind, size, vocabulary=vocabulary, spread=0.02)
    _, network, _ = hf.read(save(tmp_path / "theirs", model, pieces[kind]))
    compare(kind, network, model, size, vocabulary)
    hf.write(tmp_path / "ours", network, pieces[kind])
    again = transformers.AutoModelForPreTraining.from_pretrained(tmp_path / "ours")
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


# What published files have that today's `transformers` does not write.


@pytest.fixture
def checkpoint(pieces, tmp_path):
    """Makes a checkpoint of a kind: the model, and its folder."""

    def make(kind, **settings):
        model = theirs(kind, TINY, vocabulary=len(pieces[kind]), **settings)
        return model, save(tmp_path / kind, model, pieces[kind])

    return make


def same(kind, model, folder, pieces):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, network, _ = hf.read(folder)
    compare(kind, network, model, TINY, len(pieces[kind]))


def test_norms_of_the_first_bert_are_called_gamma_and_beta(checkpoint, pieces):
    model, folder = checkpoint("bert")

    def rename(name):
        return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    rewrite(folder, lambda stored: {rename(name): tensor for name, tensor in stored.items()})
    same("bert", model, folder, pieces)


@pytest.mark.parametrize("kind", ["gpt", "gpt2"])
def test_published_without_prefix_with_buffers_and_without_the_tied_head(kind, checkpoint, pieces):
    model, folder = checkpoint(kind)

    def published(stored):
        assert all(name.startswith("transformer.") for name in stored)  # the tied head is absent as it is
        buffers = {}
        for layer in range(TINY.layers):
            buffers[f"h.{layer}.attn.bias"] = torch.ones(1, 1, TINY.context, TINY.context).tril()
            buffers[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
        return {name.removeprefix("transformer."): tensor for name, tensor in stored.items()} | buffers

    rewrite(folder, published)
    same(kind, model, folder, pieces)


@pytest.mark.parametrize("kind", KINDS)
def test_heads_that_are_tied_may_be_stored_all_the_same(kind, checkpoint, pieces):
    model, folder = checkpoint(kind)
    rewrite(folder, lambda stored: {name: tensor.clone() for name, tensor in model.state_dict().items()})
    same(kind, model, folder, pieces)


def test_tied_weights_may_be_stored_under_the_head_alone(checkpoint, pieces):
    model, folder = checkpoint("gpt")

    def moved(stored):
        return {name.replace("transformer.tokens_embed", "lm_head"): tensor for name, tensor in stored.items()}

    rewrite(folder, moved)
    same("gpt", model, folder, pieces)


def test_old_bert_stores_its_positions(checkpoint, pieces):
    model, folder = checkpoint("bert")
    rewrite(folder, lambda stored: stored | {"bert.embeddings.position_ids": torch.arange(TINY.context)[None]})
    same("bert", model, folder, pieces)


@pytest.mark.parametrize("kind", KINDS)
def test_shards_are_read_by_their_index(kind, checkpoint, pieces, tmp_path):
    model, _ = checkpoint(kind)
    folder = save(tmp_path / "shards", model, pieces[kind], max_shard_size="4KB")
    assert not (folder / "model.safetensors").exists()
    assert len(list(folder.glob("model-*.safetensors"))) >= 3
    same(kind, model, folder, pieces)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_other_precisions_become_float32(kind, dtype, checkpoint, pieces):
    model, folder = checkpoint(kind)
    rewrite(folder, lambda stored: {name: tensor.to(dtype) for name, tensor in stored.items()})
    same(kind, model.to(dtype).float(), folder, pieces)


def test_bert_without_its_heads_says_so(checkpoint, pieces):
    model, folder = checkpoint("bert")
    rewrite(folder, lambda stored: {name: tensor for name, tensor in stored.items() if "cls." not in name})
    with pytest.warns(FirthWarning, match="has no masked-word head and no next-sentence head"):
        _, network, _ = hf.read(folder)
    ids = torch.arange(9)[None]
    close(network.hidden(ids)[-1], model.bert(ids).last_hidden_state)
    assert network.masked.norm.weight.eq(1).all()  # a start, not what lay there
    assert network.masked.bias.eq(0).all()
    with pytest.warns(FirthWarning):
        assert torch.equal(network.adjacent.weight, hf.read(folder)[1].adjacent.weight)  # the same each time


def test_bert_without_pooler_says_so(pieces, tmp_path):
    model = theirs("bert", TINY, vocabulary=len(pieces["bert"]), model="MaskedLM")
    save(tmp_path, model, pieces["bert"])
    with pytest.warns(FirthWarning, match="has no pooler and no next-sentence head"):
        _, network, _ = hf.read(tmp_path)
    ids = torch.arange(9)[None]
    close(network.logits(network.hidden(ids)[-1]), model(ids).logits)


# What is refused.


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
    task_model("bert", "SequenceClassification", pieces["bert"]).save_pretrained(folder)
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


# Tokenizers: each kind of files, beside what `transformers` makes of the same files.

THEIR_TOKENIZERS = {
    "gpt": transformers.OpenAIGPTTokenizer,
    "gpt2": transformers.GPT2Tokenizer,
    "bert": transformers.BertTokenizer,
}
ODD = [
    *checkpoints.TEXT,
    "",
    " ",
    "\n\n  a\r\n b\u2028c",
    "<|endoftext|> [MASK] [CLS]<unk></s>",
    "naïve ＡＢＣ ﬁ ½ ß İstanbul Ǆ e\u0301 \u200bzero\u00adwidth",
    "👨\u200d👩\u200d👧\u200d👦 🇩🇪 ☃️",
    "日本語テスト 한국어 العربية हिन्दी 㐀 𠀀 豈",
    "x\x00y\x7f\ufffd\ufeffz",
    "it's I'LL they’re 1,000.50 3.14e-10 a_b",
    "word" * 60,
]


def old_files(folder, kind, pieces, **settings):
    """The files of the first releases: no tokenizer.json."""
    folder.mkdir(exist_ok=True)
    numbers = pieces.tokenizer.get_vocab()
    if kind == "bert":
        lines = sorted(numbers, key=numbers.__getitem__)
        (folder / "vocab.txt").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    else:
        pieces.tokenizer.model.save(str(folder))
        (folder / "vocab.json").write_text(json.dumps(numbers))
    if settings:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def agree(tokens, other, text):
    assert tokens.encode(text) == other(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


@pytest.mark.parametrize("kind", KINDS)
def test_old_tokenizer_files_give_the_same_tokens(kind, pieces, tmp_path):
    folder = old_files(tmp_path, kind, pieces[kind])
    tokens, other = read_tokens(folder, kind), THEIR_TOKENIZERS[kind].from_pretrained(folder)
    assert tokens.kind == KINDS[kind]
    assert len(tokens) == len(other) == len(pieces[kind])
    for text in ODD:
        agree(tokens, other, text)

    @given(st.lists(st.text() | st.sampled_from(ODD)).map("".join))
    def any_text(text):
        agree(tokens, other, text)

    any_text()


@pytest.mark.parametrize(
    "settings",
    [
        {"do_lower_case": False},
        {"do_lower_case": True, "strip_accents": False},
        {"do_lower_case": False, "strip_accents": True},
        {"tokenize_chinese_chars": False},
    ],
    ids=str,
)
def test_bert_keeps_to_its_tokenizer_config(settings, pieces, tmp_path):
    folder = old_files(tmp_path, "bert", pieces["bert"], **settings)
    tokens, other = read_tokens(folder, "bert"), transformers.BertTokenizer.from_pretrained(folder)
    plain = read_tokens(old_files(tmp_path / "plain", "bert", pieces["bert"]), "bert")
    for text in ODD:
        agree(tokens, other, text)
    assert any(tokens.encode(text) != plain.encode(text) for text in ODD)  # the setting does something


@pytest.mark.parametrize("kind", KINDS)
def test_tokenizer_json_is_taken_as_it_stands_but_never_cuts(kind, pieces, tmp_path):
    other = THEIR_TOKENIZERS[kind].from_pretrained(old_files(tmp_path / "old", kind, pieces[kind]))
    other.backend_tokenizer.enable_truncation(4)
    other.backend_tokenizer.enable_padding(length=4)
    other.backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    tokens = read_tokens(tmp_path, kind)
    assert tokens.kind == KINDS[kind]
    for text in ODD:
        assert tokens.encode(text) == pieces[kind].encode(text)


@pytest.mark.parametrize("kind", KINDS)
def test_what_we_write_auto_tokenizer_opens(kind, pieces, tmp_path):
    network, _ = ours(kind, TINY, pieces[kind])
    hf.write(tmp_path / "out", network, pieces[kind])
    other = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    for text in ODD:
        agree(pieces[kind], other, text)
    assert (other.eos_token_id, other.pad_token_id) == (pieces[kind].end, pieces[kind].pad)
    assert other.model_max_length == TINY.context
    if kind == "bert":
        pair = other("the fox", "the dog")
        first, second = pieces[kind].encode("the fox"), pieces[kind].encode("the dog")
        cls, sep = pieces[kind].cls, pieces[kind].sep
        assert pair["input_ids"] == [cls, *first, sep, *second, sep]
        assert pair["token_type_ids"] == [0] * (len(first) + 2) + [1] * (len(second) + 1)


def test_a_vocabulary_of_words_is_written_as_well(tmp_path):
    vocab = Corpus.read([["the", "fox", "and", "the", "dog", "end"]], cache=False).vocab
    words = WordTokens.of(vocab, 1)
    network, _ = ours("gpt2", TINY, words)
    hf.write(tmp_path / "out", network, words)
    other = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    for text in ["the dog", "the\x1cdog\x85end\u2003and cat", "", "\n The fox"]:
        assert other(text)["input_ids"] == words.encode(text)


def test_chinese_gpt2_comes_with_the_vocabulary_of_bert(pieces, tmp_path):
    model = theirs("gpt2", TINY, vocabulary=len(pieces["bert"]))
    model.save_pretrained(old_files(tmp_path, "bert", pieces["bert"]))
    kind, _, tokens = hf.read(tmp_path)
    assert (kind, tokens.kind) == ("gpt2", "wordpiece")
    assert tokens.encode("白天 太阳") == pieces["bert"].encode("白天 太阳")


def test_tokens_that_were_added_keep_their_numbers(pieces, tmp_path):
    folder = old_files(tmp_path, "gpt2", pieces["gpt2"])
    number = len(pieces["gpt2"])
    (folder / "added_tokens.json").write_text(json.dumps({"<b>": number + 1, "<a>": number}))
    tokens = read_tokens(folder, "gpt2")
    assert tokens.encode("x<b>y<a>") == [*tokens.encode("x"), number + 1, *tokens.encode("y"), number]
    (folder / "added_tokens.json").write_text(json.dumps({"<b>": number + 1}))
    with pytest.raises(FormatError, match="'<b>' cannot be number"):
        read_tokens(folder, "gpt2")


def test_another_end_of_texts_is_said(pieces, tmp_path):
    folder = old_files(tmp_path, "gpt2", pieces["gpt2"], eos_token={"content": "dog"})
    with pytest.warns(FirthWarning, match=r"end with 'dog'.*ends them with '<\|endoftext\|>'"):
        read_tokens(folder, "gpt2")


def test_no_tokenizer_is_an_error(pieces, tmp_path):
    theirs("bert", TINY, vocabulary=9).save_pretrained(tmp_path)
    with pytest.raises(FormatError, match="has no tokenizer, neither"):
        hf.read(tmp_path)


def test_bert_needs_its_special_tokens(pieces, tmp_path):
    folder = old_files(tmp_path, "bert", pieces["bert"])
    file = folder / "vocab.txt"
    file.write_text(file.read_text("utf-8").replace("[MASK]", "[mask]"), "utf-8")
    with pytest.raises(FormatError, match=r"has no \[MASK\], which BERT needs"):
        read_tokens(folder, "bert")


def test_a_tokenizer_of_another_network_is_noticed(pieces, tmp_path):
    for more, error in ((-1, FormatError), (1, None)):
        folder = save(
            tmp_path / str(more), theirs("gpt2", TINY, vocabulary=len(pieces["gpt2"]) + more), pieces["gpt2"]
        )
        if error:
            with pytest.raises(error, match="do not belong together"):
                hf.read(folder)
        else:
            with pytest.warns(FirthWarning, match="may be padding, or a tokenizer that was cut short"):
                hf.read(folder)


# Writing.


def test_only_what_transformers_has_is_written(pieces, tmp_path):
    class Other:
        config = object()

    with pytest.raises(SettingsError, match="only gpt, gpt2 and bert"):
        hf.write(tmp_path / "out", Other(), pieces["gpt2"])
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(pieces, tmp_path):
    network, _ = ours("gpt2", TINY, pieces["gpt2"])
    hf.write(tmp_path / "out", network, pieces["gpt2"])
    with pytest.raises(FileError, match="is there already"):
        hf.write(tmp_path / "out", network, pieces["gpt2"])
    (tmp_path / "empty").mkdir()
    hf.write(tmp_path / "empty", network, pieces["gpt2"])
    with pytest.raises(FileError, match="check that the folder exists"):
        hf.write(tmp_path / "no" / "where", network, pieces["gpt2"])


def test_a_write_that_fails_leaves_nothing(pieces, tmp_path, monkeypatch):
    network, _ = ours("gpt2", TINY, pieces["gpt2"])

    def fails(file, tensors):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(hf, "write_weights", fails)
    with pytest.raises(KeyboardInterrupt):
        hf.write(tmp_path / "out", network, pieces["gpt2"])
    assert not list(tmp_path.iterdir())


# Heads of tasks.

CLASSES = {
    "SequenceClassification": "classify",
    "TokenClassification": "tag",
    "QuestionAnswering": "span",
    "MultipleChoice": "choice",
}


def task_model(kind, name, pieces, labels=3, **settings):
    labels = 2 if name == "QuestionAnswering" else labels
    settings |= {"id2label": {number: f"L{number}" for number in range(labels)}} if "Classif" in name else {}
    return theirs(kind, TINY, vocabulary=len(pieces), model=name, pad_token_id=pieces.pad, **settings)


def task_batch(kind, task, pieces):
    """Padding on the right only, no pad among the rest; for choices two examples of two each."""
    ids = torch.randint(5, 100, (4, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids, dtype=torch.bool)
    mask[1, 6:] = False
    ids[~mask] = pieces.pad
    segments = (torch.arange(9) > 4).long().expand(4, 9) if kind == "bert" else torch.zeros_like(ids)
    counts = torch.tensor([2, 2] if task == "choice" else [1] * 4)
    places = torch.arange(9).expand(4, 9)
    return {"ids": ids, "mask": mask, "segments": segments, "counts": counts, "places": places, "words": mask}


@torch.no_grad()
def compare_heads(kind, task, network, model, pieces):
    batch = task_batch(kind, task, pieces)
    ids, mask, segments = batch["ids"], batch["mask"], batch["segments"]
    given = {"token_type_ids": segments} if kind == "bert" else {}
    found = network(batch)
    if task == "choice":
        ids, mask, segments = (each.view(2, 2, 9) for each in (ids, mask, segments))
        close(found, model(ids, attention_mask=mask.long(), token_type_ids=segments).logits)
        return
    expected = model(ids, attention_mask=mask.long(), **given)
    if task == "span":
        close(found, torch.stack([expected.start_logits, expected.end_logits], -1), mask)
    else:
        close(
            found,
            expected.logits.squeeze(-1) if task == "similarity" else expected.logits,
            mask if task == "tag" else ...,
        )


@pytest.mark.parametrize("name", CLASSES)
def test_a_task_of_bert_is_opened_saved_and_exported(name, pieces, tmp_path):
    model = task_model("bert", name, pieces["bert"])
    task = Task.load(save(tmp_path / "theirs", model, pieces["bert"]))
    assert task.task == CLASSES[name]
    compare_heads("bert", task.task, task.network, model, pieces["bert"])
    task.save(tmp_path / "ours")
    task = Task.load(tmp_path / "ours")
    assert CliRunner().invoke(export, [str(tmp_path / "ours"), "-o", str(tmp_path / "again")]).exit_code == 0
    auto = getattr(transformers, f"AutoModelFor{name}")
    again, report = auto.from_pretrained(tmp_path / "again", output_loading_info=True)
    assert not any(report.values()), report
    compare_heads("bert", task.task, task.network, again.eval(), pieces["bert"])
    if task.labels:
        assert list(again.config.id2label.values()) == list(task.labels) == ["L0", "L1", "L2"]


def test_a_task_predicts_as_the_pipeline_does(pieces, tmp_path):
    model = task_model("bert", "SequenceClassification", pieces["bert"])
    task = Task.load(save(tmp_path, model, pieces["bert"]), task="pair")
    network, tokens = task.network.network, task.tokens
    hf.write(tmp_path / "tokens", network, tokens)
    encoded = transformers.AutoTokenizer.from_pretrained(tmp_path / "tokens")(
        "the fox", "a dog", return_tensors="pt"
    )
    (prediction,) = task.predict([("the fox", "a dog")])
    expected = model(**encoded).logits.softmax(-1)[0].tolist()
    assert list(prediction.probabilities.values()) == pytest.approx(expected, abs=1e-5)


def test_a_regression_is_a_similarity_and_keeps_its_scale(pieces, tmp_path):
    model = task_model("bert", "SequenceClassification", pieces["bert"], labels=1, problem_type="regression")
    task = Task.load(save(tmp_path / "theirs", model, pieces["bert"]))
    assert task.task == "similarity"
    task.names = Names(mean=2.5, spread=1.5)
    (found,) = task.predict([("the fox", "a dog")])
    task.export(tmp_path / "out")
    again = Task.load(tmp_path / "out")
    assert again.predict([("the fox", "a dog")])[0].value == pytest.approx(found.value, abs=1e-5)


def test_other_heads_are_refused(pieces, tmp_path):
    several = task_model(
        "bert", "SequenceClassification", pieces["bert"], problem_type="multi_label_classification"
    )
    with pytest.raises(FormatError, match="several labels each"):
        Task.load(save(tmp_path / "several", several, pieces["bert"]))
    for shape in ((), (3,), (3, 7), (0, 8)):
        folder = save(
            tmp_path / str(shape), task_model("bert", "SequenceClassification", pieces["bert"]), pieces["bert"]
        )
        rewrite(folder, lambda stored, shape=shape: {**stored, "classifier.weight": torch.ones(shape)})
        with pytest.raises(FormatError, match="is no head of BertForSequenceClassification"):
            Task.load(folder)
    plain = theirs("bert", TINY, vocabulary=len(pieces["bert"]))
    with pytest.raises(FormatError, match="has no head of a task of BERT"):
        Task.load(save(tmp_path / "plain", plain, pieces["bert"]))
    with pytest.raises(FormatError, match="has no head of a task of BERT"):
        Task.load(
            save(tmp_path / "gpt2", task_model("gpt2", "SequenceClassification", pieces["gpt2"]), pieces["gpt2"])
        )


def test_a_language_model_leaves_a_head_out_with_a_word(pieces, tmp_path):
    save(tmp_path, task_model("gpt2", "SequenceClassification", pieces["gpt2"]), pieces["gpt2"])
    with pytest.warns(FirthWarning, match="its head for the task classify is left out"):
        hf.read(tmp_path)


# What a person does.


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_is_a_model_like_any_other(kind, pieces, tmp_path):
    network, _ = ours(kind, Size(8, 2, 2, 40), pieces[kind])
    hf.write(tmp_path / "hf", network, pieces[kind])
    assert firth.lm.is_model(tmp_path / "hf")
    model = firth.load(tmp_path / "hf")
    assert isinstance(model, firth.lm.Neural) and model.kind == kind
    (states,) = model.embed(["the quick fox"])
    assert states.shape == (len(pieces[kind].encode("the quick fox")), 8)
    assert len(model.vectors) == len(pieces[kind])
    model.save(tmp_path / "ours")
    ran = CliRunner().invoke(export, [str(tmp_path / "ours"), "-o", str(tmp_path / "again")])
    assert ran.output == f"saved {tmp_path / 'again'}\n"
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "hf" / name).read_bytes(), name


def test_an_ngram_model_is_not_exported(tmp_path):
    (tmp_path / "text").write_text("a b c\nb c a\n")
    firth.lm.NGram(order=2, smoothing=firth.lm.AddK()).fit(tmp_path / "text", progress=False).save(
        tmp_path / "run"
    )
    ran = CliRunner().invoke(export, [str(tmp_path / "run"), "-o", str(tmp_path / "out")])
    assert isinstance(ran.exception, SettingsError) and "only gpt, gpt2" in str(ran.exception)
