"""Write all of them anew; drawings of tables that are no more go."""

from tests.reference_pages import DOCS, pages

if __name__ == "__main__":
    for drawing in (DOCS / "tables").glob("*.svg"):
        drawing.unlink()
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
