"""What every export says first: whose ledger it is, as of when, and whether it is real."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """`programme_id` and its name are empty where no registry was ever applied; then nobody knows whether it is synthetic."""

    programme_id: str
    programme_name: str
    synthetic: bool | None
    tree_size: int

    def sentences(self) -> list[str]:
        """In words."""
        whose = (
            f"Ledger of {self.programme_name} ({self.programme_id})" if self.programme_id else "Ledger of an unknown programme"
        )
        told = [f"{whose}, as recorded in the first {self.tree_size} leaves of its log."]
        if self.synthetic:
            told.append("SYNTHETIC DATA: everything in here is made up (MUESTRA, DATOS SINTÉTICOS).")
        return told
