"""What of a log steers a terminal, and the text that a person sees there."""

import re

# ECMA-48: CSI sequences (colours, erasing); hyperlinks of compilers, and the choice of a character set.
_PATTERN = r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[()][0-9A-B]|[=>78cDEHM])"
_SEQUENCE, SEQUENCE = re.compile(_PATTERN.encode()), re.compile(_PATTERN)
# At beginnings of lines alone: from every byte, it would look through the rest of its line in vain.
_REDRAWN = re.compile(rb"^[^\n]*\r(?=[^\r\n])", re.MULTILINE)


def without_sequences(text: bytes) -> bytes:
    """The text without sequences, its lines ended by line feeds alone."""
    if b"\x1b" in text:
        text = _SEQUENCE.sub(b"", text)
    return text.replace(b"\r\n", b"\n") if b"\r\n" in text else text


def plain(text: bytes) -> bytes:
    """The same, and of lines that were drawn again what was drawn last; it has as many lines."""
    text = without_sequences(text)
    return _REDRAWN.sub(b"", text).replace(b"\r", b"") if b"\r" in text else text
