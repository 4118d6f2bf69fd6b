"""Codes of the log: why it is not continued, and what it does not answer."""

from __future__ import annotations

from enum import StrEnum


class LogFault(StrEnum):
    """Why the log is not continued. A code is never renamed or reused."""

    TILES_DISAGREE = "TILES_DISAGREE"  # files and journal tell different stories, or a file is missing
    LEAVES_MISSING = "LEAVES_MISSING"  # leaves that were signed are nowhere to be found
    CHECKPOINT_FOREIGN = "CHECKPOINT_FOREIGN"  # the folder holds the checkpoint of another log
    CHECKPOINT_UNSIGNED = "CHECKPOINT_UNSIGNED"  # the checkpoint is damaged, or none of our keys signed it


class LogError(Exception):
    """The log must not be continued, which ends the process; the message begins with the code and names the file."""

    def __init__(self, code: LogFault, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class LogRefusal(StrEnum):
    """What the log does not answer, over HTTP. A code is never renamed or reused."""

    TILE_UNKNOWN = "TILE_UNKNOWN"  # no such tile, or not yet
    LEAF_UNKNOWN = "LEAF_UNKNOWN"  # the tree of that size has no such leaf
    TREE_SIZE_UNKNOWN = "TREE_SIZE_UNKNOWN"  # no checkpoint is that large yet
