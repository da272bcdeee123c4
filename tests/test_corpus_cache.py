"""The cache: found, stale, shared, damaged, aged; and what is left when encoding cannot end."""

import json
import os
import threading
import time
from pathlib import Path

import pytest
from corpora import READ, TEXT, check, run, sentences, split

from firth.corpus import Corpus, storage
from firth.corpus import cache as caches
from firth.corpus import corpus as corpora_module
from firth.corpus import draft as drafts
from firth.corpus.reader import Reader
from firth.errors import CorpusError, FirthError


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("the cat sat\n\non the mat", encoding="utf-8")
    return path


def entries(cache: Path) -> list[Path]:
    return sorted(path for path in cache.iterdir())


def forbid(monkeypatch) -> None:
    """From now on nothing may be encoded anew."""

    def write(*_):
        raise AssertionError("encoded anew")

    monkeypatch.setattr(drafts, "write", write)


def test_hit(file, cache, monkeypatch):
    first = Corpus.read(file)
    assert len(entries(cache)) == 1
    forbid(monkeypatch)
    check(Corpus.read(file), sentences(first))
    monkeypatch.chdir(file.parent)
    check(Corpus.read(file.name), sentences(first))  # paths are made absolute


def test_a_changed_file_is_encoded_anew(file, cache):
    check(Corpus.read(file), split(file.read_text()))
    file.write_text("the dog sat\n\non the mat")  # of the same size
    os.utime(file, ns=(1, 1))
    check(Corpus.read(file), split(file.read_text()))
    assert len(entries(cache)) == 2


def test_settings_have_entries_of_their_own(file, cache):
    Corpus.read(file)
    Corpus.read(file, tokenizer="words")
    Corpus.read(file, encoding="latin-1")
    Corpus.read(file, errors="replace")
    Corpus.read([file, file])
    assert len(entries(cache)) == 5


def test_nothing_is_kept_where_nothing_should_be(file, cache, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    kept = [
        Corpus.read(file, cache=False),
        Corpus.read(file, tokenizer=str.split),
        Corpus.read([["the", "cat", "sat"], [], ["on", "the", "mat"]]),
    ]
    assert entries(cache) == []
    assert list((tmp_path / "tmp").iterdir()) == []
    for corpus in kept:
        check(corpus, split(file.read_text()))


def test_where_the_cache_is(file, tmp_path, monkeypatch, cache):
    Corpus.read(file, cache=tmp_path / "chosen")
    assert len(entries(tmp_path / "chosen")) == 1
    assert entries(cache) == []
    assert caches.root(None) == cache
    monkeypatch.delenv("FIRTH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert caches.root(None) == tmp_path / "xdg" / "firth"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert caches.root(None) == tmp_path / ".cache" / "firth"


def spoil_cut(entry: Path) -> None:
    with (entry / "ids").open("r+b") as file:
        file.truncate(4)


def spoil_offsets(entry: Path) -> None:
    (entry / "offsets").write_bytes(bytes((entry / "offsets").stat().st_size))


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_cut,
        spoil_offsets,
        lambda entry: (entry / "counts").unlink(),
        lambda entry: (entry / "corpus.json").unlink(),
        lambda entry: (entry / "corpus.json").write_text('{"sizes": '),
        lambda entry: (entry / "corpus.json").write_text("[]"),
        lambda entry: [path.unlink() for path in entry.iterdir()],
    ],
)
def test_a_damaged_entry_is_rebuilt(file, cache, spoil):
    Corpus.read(file)
    (entry,) = entries(cache)
    spoil(entry)
    check(Corpus.read(file), split(file.read_text()))
    assert entries(cache) == [entry]
    assert json.loads((entry / "corpus.json").read_text())["source"] == str(file)


def test_the_faster_of_two_processes_wins(file, cache, monkeypatch):
    expected = split(file.read_text())
    write = drafts.write

    def slow(folder, *rest):
        monkeypatch.setattr(drafts, "write", write)
        Corpus.read(file)  # another one is done while this one still works
        write(folder, *rest)

    monkeypatch.setattr(drafts, "write", slow)
    check(Corpus.read(file), expected)
    assert len(entries(cache)) == 1


def test_two_processes_at_once(tmp_path, cache):
    path = tmp_path / "text.txt"
    path.write_text(TEXT * 30)
    outputs = []
    threads = [threading.Thread(target=lambda: outputs.append(run(READ, str(path)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [done.returncode for done in outputs] == [0, 0], outputs
    corpus = Corpus.read(path)
    assert {done.stdout.decode().strip() for done in outputs} == {f"{corpus} {corpus.ids.sum()}"}
    assert len(entries(cache)) == 1


def test_unused_entries_and_abandoned_work_go(file, tmp_path, cache):
    other = tmp_path / "other.txt"
    other.write_text("x")
    Corpus.read(file)
    (old,) = entries(cache)
    part = cache / f".{'0' * 32}.abc.part"
    part.mkdir()
    (part / "ids").write_bytes(b"1234")
    theirs = cache / "notes"
    theirs.mkdir()
    days = 24 * 3600

    def age(path: Path, by: float) -> None:
        os.utime(path, (time.time() - by, time.time() - by))

    age(old / "corpus.json", 29 * days)
    for path in (part, part / "ids", theirs):
        age(path, 40 * days)
    age(part / "ids", 0.9 * days)  # still being written
    Corpus.read(other)
    assert old in entries(cache)
    assert part in entries(cache)
    Corpus.read(file)  # is a use
    assert (old / "corpus.json").stat().st_mtime > time.time() - days
    age(old / "corpus.json", 31 * days)
    age(part / "ids", 1.1 * days)
    Corpus.read(other)
    assert old not in entries(cache)
    assert part not in entries(cache)
    assert theirs in entries(cache)


def test_an_interruption_leaves_nothing(file, cache):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Corpus.read(file, progress=interrupt)
    assert entries(cache) == []


def test_an_interruption_ends_all_threads(file, cache, monkeypatch):
    def endless(self, number):
        while True:
            yield b"the cat sat\n" * 1_000

    def interrupt(done, total):
        raise KeyboardInterrupt

    monkeypatch.setattr(Reader, "_chunks", endless)
    monkeypatch.setattr(corpora_module, "SHARE", 1)
    with pytest.raises(KeyboardInterrupt):
        Corpus.read(file, threads=3, progress=interrupt)
    assert entries(cache) == []


def full(monkeypatch, room: int) -> None:
    """A disk that takes only so many bytes, written as it is by pieces."""
    write = storage.io.FileIO.write
    left = [room]

    class Small(storage.io.FileIO):
        def write(self, piece):
            if not left[0]:
                raise OSError(28, os.strerror(28))
            size = min(len(piece), left[0])
            left[0] -= size
            return write(self, piece[:size])

    monkeypatch.setattr(storage.io, "FileIO", Small)


@pytest.mark.parametrize("room", [0, 5, 60, 200])
@pytest.mark.parametrize("kept", [None, False])
def test_a_full_disk_is_said_and_leaves_nothing(file, cache, tmp_path, monkeypatch, room, kept):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    with monkeypatch.context() as patched:
        full(patched, room)
        with pytest.raises(CorpusError, match=r"No space left on device; free some space .*FIRTH_CACHE"):
            Corpus.read(file, cache=kept)
    assert entries(cache) == []
    assert list((tmp_path / "tmp").iterdir()) == []
    check(Corpus.read(file, cache=kept), split(file.read_text()))


def test_a_cache_that_cannot_be_made_is_said(file, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(CorpusError, match=r"taken.*: cannot be written: .*FIRTH_CACHE"):
        Corpus.read(file, cache=tmp_path / "taken" / "cache")


def test_errors_of_a_function_are_its_own(file, cache):
    def fail(line):
        raise OSError("my dictionary is missing")

    with pytest.raises(OSError, match="my dictionary") as raised:
        Corpus.read(file, tokenizer=fail)
    assert not isinstance(raised.value, FirthError)
