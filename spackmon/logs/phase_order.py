"""placeholder, replaced by the formats engineer's"""


def ordered(lists):
    seen = {}
    for names in lists:
        for n in names:
            seen.setdefault(n)
    return list(seen)
