"""A saved directory is whole at any moment, and Firth writes among nobody else's files."""

import json
import os
import time

import pytest

from firth.errors import FormatError
from firth.files import FileError, read_directory, write_directory


class Killed(BaseException):
    """What no handler expects."""


def save(path, text):
    write_directory(
        path,
        {"kind": "test", "text": text},
        {name: lambda file: file.write(text.encode()) for name in ("one.bin", "two.bin")},
    )


def load(path):
    config, files = read_directory(path)
    return {config["text"]} | {file.read_text() for file in files.values()}


def test_written_and_read(tmp_path):
    save(tmp_path / "d", "old")
    assert load(tmp_path / "d") == {"old"}
    config, files = read_directory(tmp_path / "d")
    assert (config["format"], config["version"], config["kind"]) == ("firth", 1, "test")
    assert sorted(files) == ["one.bin", "two.bin"]


def test_replaced_data_is_removed(tmp_path):
    for text in ("old", "new"):
        save(tmp_path / "d", text)
    assert load(tmp_path / "d") == {"new"}
    assert len(list((tmp_path / "d").iterdir())) == 3


@pytest.mark.parametrize("call", ["replace", "fsync", "chmod"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_interrupted_at_any_step_it_is_whole(tmp_path, monkeypatch, call, after, step):
    save(tmp_path / "d", "old")
    real, calls = getattr(os, call), []

    def stop(*args):
        calls.append(args)
        if len(calls) < step:
            return real(*args)
        if after:
            real(*args)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(os, call, stop)
        save(tmp_path / "d", "new")
    done = call == "replace" and after and step == 3  # config.json is renamed last
    assert load(tmp_path / "d") == ({"new"} if done else {"old"})
    save(tmp_path / "d", "newer")
    assert load(tmp_path / "d") == {"newer"}


def test_what_a_killed_save_left_goes_when_it_is_old(tmp_path):
    save(tmp_path / "d", "old")
    left = [tmp_path / "d" / name for name in ("one-0123abcd.bin", ".two-0123abcd.bin.x7_.part")]
    for path in left:
        path.touch()
    save(tmp_path / "d", "new")
    assert all(path.exists() for path in left)  # they may belong to a save that is under way
    for path in left:
        os.utime(path, (time.time() - 7200,) * 2)
    save(tmp_path / "d", "newer")
    assert not any(path.exists() for path in left)


def test_a_first_save_that_was_killed_does_not_bar_the_next(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "one-0123abcd.bin").touch()
    save(tmp_path / "d", "new")
    assert load(tmp_path / "d") == {"new"}


@pytest.mark.parametrize("content", [{"config.json": "{}"}, {"notes.txt": "mine"}])
def test_other_peoples_directories_are_left_alone(tmp_path, content):
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(FileError, match="choose another name"):
        save(tmp_path, "new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == content


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="is a file where a directory"):
        save(tmp_path / "file", "new")
    with pytest.raises(FileError, match="no/such"):
        save(tmp_path / "no" / "such", "new")


def test_a_file_that_is_missing(tmp_path):
    save(tmp_path / "d", "old")
    next((tmp_path / "d").glob("one-*")).unlink()
    with pytest.raises(FormatError, match="is missing"):
        read_directory(tmp_path / "d")
    save(tmp_path / "d", "new")
    assert load(tmp_path / "d") == {"new"}


def test_a_later_version(tmp_path):
    save(tmp_path / "d", "old")
    config = json.loads((tmp_path / "d" / "config.json").read_text())
    (tmp_path / "d" / "config.json").write_text(json.dumps(config | {"version": 2}))
    with pytest.raises(FormatError, match="version 2"):
        read_directory(tmp_path / "d")


@pytest.mark.parametrize(
    "config",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"format": "firth"}',
        '{"format": "firth", "version": 1, "files": ["x"]}',
        '{"format": "firth", "version": 1, "files": {"x": "../x"}}',
        '{"format": "firth", "version": 1, "files": {"x": "/etc/passwd"}}',
        '{"format": "firth", "version": 1, "files": {"x": 3}}',
    ],
)
def test_configs_that_firth_did_not_write(tmp_path, config):
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(FormatError, match="that Firth wrote"):
        read_directory(tmp_path)


def test_no_config(tmp_path):
    with pytest.raises(FormatError, match="that Firth wrote"):
        read_directory(tmp_path)
