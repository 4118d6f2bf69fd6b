"""Removing a stack: whatever interrupts it, the next one finishes, and no half of a stack is taken for a new one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from premia.local.stack import LocalStack
from premia.local.state import StackState, write_state

FOLDERS: Final = ("bank", "documents", "kafka", "logs", "postgres", "run")


@pytest.fixture
def stopped_stack(tmp_path: Path) -> LocalStack:
    """What a stack leaves in its folder."""
    for name in FOLDERS:
        (tmp_path / "stack" / name).mkdir(parents=True)
        (tmp_path / "stack" / name / "file").touch()
    data_dir = tmp_path / "stack"
    (data_dir / ".demo").touch()
    write_state(data_dir, StackState({}, {}, "", str(data_dir / "postgres"), str(data_dir / "run")))
    return LocalStack(data_dir, environ={})


@pytest.mark.parametrize("folders_before", range(len(FOLDERS) + 1))
def test_an_interrupted_removal_leaves_a_stack_that_is_removed_by_the_next(
    stopped_stack: LocalStack, monkeypatch: pytest.MonkeyPatch, folders_before: int
) -> None:
    removed: list[Any] = []
    real_rmtree = shutil.rmtree

    def rmtree(folder: Path) -> None:
        if len(removed) == folders_before:
            raise KeyboardInterrupt
        removed.append(folder)
        real_rmtree(folder)

    with monkeypatch.context() as interrupted:
        interrupted.setattr(shutil, "rmtree", rmtree)
        with pytest.raises(KeyboardInterrupt):
            stopped_stack.remove()

    data_left = [name for name in FOLDERS if (stopped_stack.data_dir / name).exists()]
    again = LocalStack(stopped_stack.data_dir, environ={})
    assert again.exists() or not data_left
    assert again.exists() is False or (again.data_dir / ".demo").exists()
    again.remove()
    assert not any((again.data_dir / name).exists() for name in FOLDERS)


def test_nothing_is_left(stopped_stack: LocalStack) -> None:
    stopped_stack.remove()
    assert not stopped_stack.data_dir.exists()
    assert not stopped_stack.exists()
