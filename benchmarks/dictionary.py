"""Makes the dictionary that packs what documents say of specs, of the corpora of tests/data/corpus.

`python -m benchmarks.dictionary 2` writes version 2 and prints how well it packs what it was not made of. A
version that was released is never written again: rows are unpacked by it (`spackmon.graph.packed_claims`).
"""

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import zstandard

from spackmon.formats.specs import spec_json
from spackmon.graph import packed_claims
from spackmon.ingest.tables.spec_claims import claims_of, packed
from tests.formats.corpus import CORPUS, documents

_BYTES = 64 * 1024
_LEVEL = 19
_SEED = 1


def texts() -> list[bytes]:
    """Each claim of the corpora once, as it is packed."""
    found = {
        packed_claims.unpacked(packed(claim), packed_claims.NEWEST)
        for folder in sorted(path.name for path in CORPUS.iterdir())
        for document in documents(folder)
        for claim in claims_of(spec_json.read(document))
    }
    shuffled = sorted(found)
    random.Random(_SEED).shuffle(shuffled)
    return shuffled


def trained(some: Sequence[bytes]) -> bytes:
    """A dictionary made of these."""
    return zstandard.train_dictionary(_BYTES, list(some), level=_LEVEL).as_bytes()


def _packed_bytes(dictionary: bytes, some: Sequence[bytes]) -> int:
    data = zstandard.ZstdCompressionDict(dictionary)
    compressor = zstandard.ZstdCompressor(3, data if dictionary else None, write_dict_id=False)
    return sum(len(compressor.compress(text)) for text in some)


def main() -> None:
    """Write the dictionary of the version that is given."""
    every = texts()
    half = len(every) // 2
    known, others = every[:half], every[half:]
    sizes = sum(map(len, others)), _packed_bytes(b"", others), _packed_bytes(trained(known), others)
    per_claim = " ".join(f"{size / len(others):,.0f}" for size in sizes)
    print(f"{len(every):,} claims; bytes of one, packed alone, by a dictionary of half: {per_claim}")
    folder = Path(packed_claims.__file__).parent / "dictionaries"
    (folder / f"{int(sys.argv[1])}.zstd-dictionary").write_bytes(trained(every))


if __name__ == "__main__":
    main()
