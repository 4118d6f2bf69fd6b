"""What ends the ledger's process: broken assumptions about data from inside.

Exception
└── UnreadableEntitlementError    the calculator and the ledger do not understand each other
"""

from __future__ import annotations


class UnreadableEntitlementError(Exception):
    """A record of premium.entitlements.v1 cannot be read. Inside there is no skipping; the message names the record."""
