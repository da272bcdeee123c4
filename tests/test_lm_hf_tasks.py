"""Heads of BERT's tasks in Hugging Face directories: the same numbers as `transformers`, both ways."""

import pytest
import torch
import transformers
from checkpoints import TINY, close, rewrite, save, theirs, theirs_for_task
from click.testing import CliRunner

from firth.cli.lm.export import command as export
from firth.errors import FirthWarning, FormatError
from firth.lm.neural import hf
from firth.lm.neural.answers import Names
from firth.lm.neural.finetune import Task

torch.set_num_threads(1)

CLASSES = {
    "SequenceClassification": "classify",
    "TokenClassification": "tag",
    "QuestionAnswering": "span",
    "MultipleChoice": "choice",
}


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
    model = theirs_for_task("bert", name, pieces["bert"])
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
    model = theirs_for_task("bert", "SequenceClassification", pieces["bert"])
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
    model = theirs_for_task("bert", "SequenceClassification", pieces["bert"], labels=1, problem_type="regression")
    task = Task.load(save(tmp_path / "theirs", model, pieces["bert"]))
    assert task.task == "similarity"
    task.names = Names(mean=2.5, spread=1.5)
    (found,) = task.predict([("the fox", "a dog")])
    task.export(tmp_path / "out")
    again = Task.load(tmp_path / "out")
    assert again.predict([("the fox", "a dog")])[0].value == pytest.approx(found.value, abs=1e-5)


def test_other_heads_are_refused(pieces, tmp_path):
    several = theirs_for_task(
        "bert", "SequenceClassification", pieces["bert"], problem_type="multi_label_classification"
    )
    with pytest.raises(FormatError, match="several labels each"):
        Task.load(save(tmp_path / "several", several, pieces["bert"]))
    for shape in ((), (3,), (3, 7), (0, 8)):
        folder = save(
            tmp_path / str(shape),
            theirs_for_task("bert", "SequenceClassification", pieces["bert"]),
            pieces["bert"],
        )
        rewrite(folder, lambda stored, shape=shape: {**stored, "classifier.weight": torch.ones(shape)})
        with pytest.raises(FormatError, match="is no head of BertForSequenceClassification"):
            Task.load(folder)
    plain = theirs("bert", TINY, vocabulary=len(pieces["bert"]))
    with pytest.raises(FormatError, match="has no head of a task of BERT"):
        Task.load(save(tmp_path / "plain", plain, pieces["bert"]))
    with pytest.raises(FormatError, match="has no head of a task of BERT"):
        Task.load(
            save(
                tmp_path / "gpt2",
                theirs_for_task("gpt2", "SequenceClassification", pieces["gpt2"]),
                pieces["gpt2"],
            )
        )


def test_a_language_model_leaves_a_head_out_with_a_word(pieces, tmp_path):
    save(tmp_path, theirs_for_task("gpt2", "SequenceClassification", pieces["gpt2"]), pieces["gpt2"])
    with pytest.warns(FirthWarning, match="its head for the task classify is left out"):
        hf.read(tmp_path)
