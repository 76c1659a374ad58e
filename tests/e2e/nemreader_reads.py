"""Reads a NEM12 file with nemreader, in that package's own environment: one JSON on stdout.

What the package imports for its tables and databases alone is not installed (nemreader.lock).
"""

import json
import sys
from types import ModuleType

for name, holds in (("pandas", "DataFrame"), ("dateutil.parser", "isoparse"),
                    ("sqlite_utils", "Database")):  # fmt: skip
    absent = ModuleType(name)
    setattr(absent, holds, type(None))
    sys.modules[name] = absent

from nemreader import read_nem_file  # noqa: E402  # it asks for them at once

read = read_nem_file(sys.argv[1])
print(json.dumps({  # noqa: T201  # what it is for
    "version": read.header.version_header,
    "readings": {
        nmi: {
            suffix: [
                (str(one.t_start), str(one.t_end), one.read_value, one.uom, one.quality_method)
                for one in readings
            ]
            for suffix, readings in suffixes.items()
        }
        for nmi, suffixes in read.readings.items()
    },
    "registers": {nmi: [str(one.read_datetime) for one in suffixes["E1"]]
                  for nmi, suffixes in read.transactions.items()},
}))  # fmt: skip
