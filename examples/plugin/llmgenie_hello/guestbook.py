"""The sink `guestbook`: greetings are written down once what led to them is committed."""

from __future__ import annotations

from pathlib import Path

from llmgenie_mcp.plugins import Delivered, NotDelivered, Parcel, sink


@sink("guestbook")
def deliver(parcel: Parcel) -> Delivered:
    """Add a line; a line that an earlier attempt has written is not written again."""
    book, line = Path(parcel.payload["path"]), f"{parcel.payload['text']}  ({parcel.message})\n"
    try:
        if not book.exists() or line not in book.read_text(encoding="utf-8"):
            with book.open("a", encoding="utf-8") as file:
                file.write(line)
    except OSError as error:
        raise NotDelivered(f"{book.name} cannot be written: {error.strerror}") from error
    return Delivered({"file": book.name})
