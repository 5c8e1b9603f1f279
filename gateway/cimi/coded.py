"""Attributes whose text stands for bytes: a key, Base64, a sum."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from marshmallow import ValidationError

from gateway.cimi.fields import String


class Key(String):
    """A public key: the literal OpenSSH line inside and in JSON, hexBinary in XML (DSP0263 byte[])."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data).strip()
        if text.startswith(("ssh-", "ecdsa-", "sk-", "-----BEGIN")):
            return text
        decoded = _from_hex(text) or _from_base64(text)
        return decoded if decoded is not None else text

    def to_text(self, value: Any) -> str:
        """Return the key in hexBinary."""
        return str(value).encode().hex()


def _from_hex(text: str) -> str | None:
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", text):
        return None
    return _printable(bytes.fromhex(text))


def _from_base64(text: str) -> str | None:
    try:
        return _printable(base64.b64decode(text, validate=True))
    except ValueError:  # Not ASCII, or not Base64.
        return None


def _printable(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if text and all(character.isprintable() or character in "\r\n\t" for character in text) else None


class Base64(String):
    """Bytes as Base64 text (userData); white space inside is taken away. ``longest`` is in decoded bytes."""

    def __init__(self, *, longest: int = 65536, **constraints: Any) -> None:
        super().__init__(most_characters=2 * longest, **constraints)
        self.longest = longest

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = re.sub(r"\s+", "", super()._deserialize(value, attr, data))
        try:
            size = len(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            raise ValidationError("must be valid Base64") from None
        if size > self.longest:
            raise ValidationError(f"holds {size} bytes; at most {self.longest} are allowed")
        return text


class Sha256(String):
    """A SHA-256 sum: 64 hexadecimal digits, kept in small letters."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data).strip().lower()
        if not re.fullmatch(r"[0-9a-f]{64}", text):
            raise ValidationError("must be a SHA-256 sum: 64 hexadecimal digits")
        return text
