"""What student code does to find something in its own memory."""

__all__ = ["SCAN_MEMORY"]

# `pattern` matches what is looked for, and not itself; `areas` are the places where it is.
SCAN_MEMORY = """
import re
areas = []
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps:
        area, rights = line.split()[:2]
        if "r" not in rights or "[v" in line:
            continue
        start, end = (int(x, 16) for x in area.split("-"))
        try:
            memory.seek(start)
            if re.search(pattern, memory.read(end - start)):
                areas.append(line)
        except (OSError, ValueError, OverflowError):
            pass
"""
