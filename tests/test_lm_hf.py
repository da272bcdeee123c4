"""Hugging Face directories of GPT, GPT-2 and BERT: the same numbers as `transformers`, read and written."""

import warnings

import pytest
import torch
import transformers
from checkpoints import KINDS, TINY, Size, close, ours, rewrite, save, theirs
from click.testing import CliRunner

import firth
from firth.cli.lm.export import command as export
from firth.errors import FirthWarning, SettingsError
from firth.files import FileError
from firth.lm.neural import hf

torch.set_num_threads(1)

SIZES = [Size(24, 3, 3, 19), Size(20, 1, 5, 12), Size(6, 2, 1, 33)]
PADDING = {"none": (0, 0), "left": (3, 0), "right": (0, 4), "both": (2, 3)}


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
