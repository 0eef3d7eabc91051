"""Print its arguments as a JSON list; bytes that are no UTF-8 come as surrogate escapes.

Usage: report_args [ARG...]
"""

import json
import sys

print(json.dumps(sys.argv[1:]))
