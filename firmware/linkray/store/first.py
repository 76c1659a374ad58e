"""The three accounts of a box that nobody has signed in to yet (trust.md 4, rule 1)."""

from __future__ import annotations

from linkray.model.asks import ASSEMBLER, EV, INSTALLER, Account

# The Argon2id hash of the Assembler's password as the manual prints it (7): public anyhow, and made
# beforehand so that a first start need not spend 19 MiB and 0.3 s on what is always the same.
PRINTED_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$dCVH/fI2K"
    "ZP9mIQexYzryA$octtXOLAFiif495SYzmyTuww2h8qwO906uSKzHBKxzE"
)

FIRST_ACCOUNTS = (
    Account("EV", EV),
    Account("Installer", INSTALLER),
    Account("Assembler", ASSEMBLER, PRINTED_HASH, first=True),
)
