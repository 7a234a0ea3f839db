"""What an event of a run says without its place: nearly always how its text ends.

Then `message_at` is stored, which is where in the text it begins, from 1, and an empty message.
"""

MESSAGE = "COALESCE(substr(build_event.text, build_event.message_at), build_event.message)"
"""The message of a row, in SQL."""

COLUMNS = "message_at, message"
"""The columns in which it is stored."""


def stored(text: str, message: str) -> str:
    """What stands in the columns, in SQL, for a text and a message in SQL."""
    begins = f"length({text}) - length({message}) + 1"
    ends_so = f"CASE WHEN substr({text}, {begins}) = {message} THEN"
    return f"{ends_so} {begins} END, {ends_so} '' ELSE {message} END"
