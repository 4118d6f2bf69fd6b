"""Tokens by which services know who acts: plain ones for this machine's command line, hashes for the services."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from premia.local.environment import ACTOR_HASHES_FILE
from premia.local.limits import SECRET_BYTES
from premia.local.state import write_private

TOKENS_FILE: Final = "tokens.json"


def read_tokens(data_dir: Path) -> dict[str, str]:
    """Actor id -> plain token. Empty if there are none yet."""
    try:
        tokens: dict[str, str] = json.loads((data_dir / TOKENS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return tokens


def ensure_actor_tokens(data_dir: Path, actors: Iterable[str]) -> dict[str, str]:
    """Give every actor a token, keep those that exist, return all. Call it before the services start: they read the hashes."""
    tokens = read_tokens(data_dir)
    for actor in actors:
        tokens.setdefault(actor, secrets.token_urlsafe(SECRET_BYTES))
    write_private(data_dir / TOKENS_FILE, json.dumps(tokens, indent=2, sort_keys=True) + "\n")
    hashes = {actor: hashlib.sha256(token.encode()).hexdigest() for actor, token in tokens.items()}
    write_private(data_dir / ACTOR_HASHES_FILE, json.dumps(hashes, indent=2, sort_keys=True) + "\n")
    return tokens
