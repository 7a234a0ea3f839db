"""What symbolator's solver says of a splice, and its CPU: run by a Python that has symbolator, without ours.

Arguments: the corpora of a program with its libraries, and those of a replacement, each a file with JSON.
"""

import json
import os
import statistics
import sys
import time

from symbolator.asp import ABIGlobalSolverSetup, PyclingoDriver
from symbolator.corpus import JsonCorpusLoader
from symbolator.facts import get_facts

ROUNDS = 3


def missing(corpora):
    """What symbolator says is missing of these."""
    result = PyclingoDriver().solve(
        ABIGlobalSolverSetup(),
        list(corpora),
        logic_programs=get_facts("missing_symbols.lp"),
        system_libs=False,
    )
    return {
        (os.path.basename(path).split(".")[0], symbol)
        for path, symbol in result.answers.get("missing_symbols", ())
    }


def corpora_of(path):
    """The corpora of a file by name."""
    loader = JsonCorpusLoader()
    loader.load(path)
    return loader.get_lookup()


def splice(program, replacement):
    """What is missing once libraries take the place of their namesakes, and was not before."""
    before = corpora_of(program)
    after = {name.split(".")[0]: corpus for name, corpus in before.items()}
    others = {name.split(".")[0]: corpus for name, corpus in corpora_of(replacement).items()}
    after.update({name: corpus for name, corpus in others.items() if name in after})
    return sorted(missing(after.values()) - missing(before.values()))


def main():
    """Print the answer, and the median of the seconds of CPU that it takes."""
    seconds = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        found = splice(*sys.argv[1:])
        seconds.append(time.process_time() - begun)
    print(json.dumps({"missing": found, "seconds": statistics.median(seconds)}))


main()
